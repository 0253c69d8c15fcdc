package projections

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"sandglass/domain/address"
	"sandglass/domain/payment"
	"sandglass/domain/plan"
	"sandglass/domain/resource"
	"sandglass/domain/stream"
	"sandglass/domain/watch"
	"sandglass/projections/open"
)

// Errors of a log that can't be folded. They are wrapped with the position and record.
var (
	errOrder    = errors.New("the position does not come after the one before it")
	errRevision = errors.New("the revision is not the next of its stream")
)

// apply folds a run of records under one lock. After an error the views stand before
// the record that it names. At head they are caught up.
func (v *Views) apply(b *batch, head stream.Position) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	before := v.deadlines.first()
	var err error
	for i := range b.entries {
		if err = v.record(b, &b.records[i], &b.entries[i]); err != nil {
			err = locate(&b.records[i], err)
			break
		}
	}
	v.at.stream = strings.Clone(v.at.stream) // what it is cut from is large
	if v.deadlines.first() != before {
		watch.Signal(v.moved)
	}
	v.catchUp(head)
	v.wake()
	return err
}

// locate says which record an error is about.
func locate(r *stream.Record, err error) error {
	return fmt.Errorf("projections: position %d, %s revision %d, %s: %w", r.Position, r.Stream, r.Revision, r.Type, err)
}

// record folds one record. A fold that panics met a log that no Decide wrote.
func (v *Views) record(b *batch, r *stream.Record, e *entry) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the event does not follow from those before it: %v", p)
		}
	}()
	switch {
	case r.Position <= v.at.pos:
		return errOrder
	case e.resource != nil:
		err = v.resource(r, e.resource)
	case e.payment != nil:
		err = v.payment(b, r, e.payment)
	case e.plan != nil:
		err = v.plan(r, e.plan)
	case e.address != nil:
		err = v.address(r, e.address)
	case e.wallet != nil:
		err = v.wallet(r, e.wallet)
	}
	if err == nil {
		v.at = position{r.Position, r.Stream, r.Revision, r.ID, r.RecordedAt}
	}
	return err
}

func (v *Views) resource(rec *stream.Record, e resource.Event) error {
	row, s, err := v.resources.Fold(rec, e)
	if err != nil {
		return err
	}
	v.ledger.Resource(e)
	if v.live {
		at, ok := v.deadline(s)
		v.deadlines.set(row, s, at, ok)
	}
	v.listeners.Tell(s.ID)
	if v.touched != nil {
		v.touched[s.ID] = struct{}{}
		watch.Signal(v.touch)
	}
	return nil
}

func (v *Views) payment(b *batch, rec *stream.Record, e payment.Event) error {
	key := payment.Key(rec.Stream[len(payment.Prefix):])
	was := v.payments.Get(key)
	p := was
	if p == nil {
		p = b.ended[key]
	}
	if p == nil {
		p = open.Before(rec)
	}
	if rec.Revision != p.Revision+1 {
		return errRevision
	}
	now := &open.Payment{State: payment.Evolve(p.State, e), Revision: rec.Revision, Since: p.Since}
	v.payments.Put(was, now)
	if now.State.Ended() {
		b.end(now)
	}
	v.ledger.Payment(&p.State, e)
	v.listeners.Tell(p.State.Resource)
	if now.State.Resource != p.State.Resource {
		v.listeners.Tell(now.State.Resource)
	}
	return nil
}

// recall reads the payments of a batch that had come to their end before it, and are not kept
// any more: money may still arrive for an invoice that expired. That takes as long as the store
// does, so nobody waits for it: v is only read, and only apply, which comes next, changes it.
func (v *Views) recall(ctx context.Context, store stream.EventStore, b *batch) error {
	for _, rec := range v.unknown(b) {
		p, err := open.Recall(ctx, store, rec)
		if err != nil {
			return locate(rec, err)
		}
		b.end(p)
	}
	return nil
}

// unknown returns the first record of each payment of a batch that began before it, and is not
// kept.
func (v *Views) unknown(b *batch) (first []*stream.Record) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	seen := map[payment.Key]bool{}
	for i := range b.entries {
		rec := &b.records[i]
		if b.entries[i].payment == nil {
			continue
		}
		key := payment.Key(rec.Stream[len(payment.Prefix):])
		if seen[key] {
			continue
		}
		seen[key] = true
		if v.payments.Get(key) == nil && rec.Revision > 0 {
			first = append(first, rec)
		}
	}
	return first
}

func (v *Views) address(rec *stream.Record, e address.Event) error {
	name := strings.Clone(rec.Stream[len(address.Prefix):])
	if rec.Revision != 0 {
		return errRevision
	}
	s := address.Evolve(address.New(name), e)
	v.addresses.add(s)
	v.listeners.Tell(s.Resource)
	return nil
}

func (v *Views) plan(rec *stream.Record, e plan.Event) error {
	name := rec.Stream[len(plan.Prefix):]
	p, ok := v.plans[name]
	if !ok {
		name = strings.Clone(name)
		p = planRow{plan.New(name), stream.NoStream}
	}
	if rec.Revision != p.revision+1 {
		return errRevision
	}
	v.plans[name] = planRow{plan.Evolve(p.state, e), rec.Revision}
	return nil
}
