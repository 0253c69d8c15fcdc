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
)

// Errors of a log that can't be folded. They are wrapped with the position and record.
var (
	errOrder    = errors.New("the position does not come after the one before it")
	errRevision = errors.New("the revision is not the next of its stream")
)

// apply folds a run of records under one lock. After an error the views stand before
// the record that it names. At head they are caught up.
func (v *Views) apply(ctx context.Context, store stream.EventStore, b *batch, head stream.Position) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	before, had := v.deadlines.First()
	var err error
	for i := range b.entries {
		if err = v.record(ctx, store, &b.records[i], &b.entries[i]); err != nil {
			err = locate(&b.records[i], err)
			break
		}
	}
	v.at.stream = strings.Clone(v.at.stream) // what it is cut from is large
	if first, has := v.deadlines.First(); first != before || has != had {
		nudge(v.moved)
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
func (v *Views) record(ctx context.Context, store stream.EventStore, r *stream.Record, e *entry) (err error) {
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
		err = v.payment(ctx, store, r, e.payment)
	case e.plan != nil:
		err = v.plan(r, e.plan)
	case e.address != nil:
		err = v.address(r, e.address)
	}
	if err == nil {
		v.at = position{r.Position, r.Stream, r.Revision, r.ID}
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
		v.deadlines.Set(row, at, ok)
	}
	v.touch(s.ID)
	return nil
}

func (v *Views) payment(ctx context.Context, store stream.EventStore, rec *stream.Record, e payment.Event) error {
	key := payment.Key(rec.Stream[len(payment.Prefix):])
	was := v.payments.byKey[key]
	p := was
	switch {
	case was == nil && rec.Revision == 0:
		p = &openPayment{payment.New(payment.Key(strings.Clone(string(key)))), stream.NoStream, rec.Position}
	case was == nil:
		var err error
		if p, err = recall(ctx, store, rec); err != nil {
			return err
		}
	}
	if rec.Revision != p.revision+1 {
		return errRevision
	}
	now := &openPayment{payment.Evolve(p.state, e), rec.Revision, p.since}
	v.payments.put(was, now)
	v.ledger.Payment(&p.state, e)
	v.touch(p.state.Resource)
	if now.state.Resource != p.state.Resource {
		v.touch(now.state.Resource)
	}
	return nil
}

// recall reads a payment that had come to its end, and is not kept any more, as it stood
// before rec: money may still arrive for an invoice that expired.
func recall(ctx context.Context, store stream.EventStore, rec *stream.Record) (*openPayment, error) {
	p := &openPayment{payment.New(payment.Key(strings.Clone(rec.Stream[len(payment.Prefix):]))), stream.NoStream, rec.Position}
	for r, err := range store.Read(ctx, rec.Stream, 0) {
		if err != nil {
			return nil, err
		}
		if r.Revision >= rec.Revision {
			break
		}
		e, err := payment.Decode(&r)
		if err != nil {
			return nil, err
		}
		p.state, p.revision, p.since = payment.Evolve(p.state, e), r.Revision, min(p.since, r.Position)
	}
	return p, ctx.Err()
}

func (v *Views) address(rec *stream.Record, e address.Event) error {
	name := strings.Clone(rec.Stream[len(address.Prefix):])
	if rec.Revision != 0 {
		return errRevision
	}
	s := address.Evolve(address.New(name), e)
	v.addresses.add(s)
	v.touch(s.Resource)
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
