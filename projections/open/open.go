// Package open holds the payments that have not come to their end, by key and by resource.
//
// What was credited or has expired is not kept, or the memory would grow with every invoice that
// was ever asked for: its stream tells it, and [Recall] reads it should it go on. When that is
// asked, and what locks whom out, is left to the views.
package open

import (
	"cmp"
	"context"
	"slices"
	"sort"
	"strings"

	"sandglass/domain/payment"
	"sandglass/domain/resource"
	"sandglass/domain/stream"
	"sandglass/projections/snapshot"
)

// Payment is a payment that has not come to its end. It is never changed, only replaced.
type Payment struct {
	State    payment.State
	Revision stream.Revision
	Since    stream.Position // of its first event
}

// Fields passes a payment through a snapshot.
func (p *Payment) Fields(f *snapshot.Fields) {
	s := &p.State
	snapshot.Int(f, &p.Revision)
	snapshot.Int(f, &p.Since)
	snapshot.String(f, &s.Key)
	snapshot.Int(f, &s.Status)
	snapshot.String(f, &s.Resource)
	snapshot.Int(f, &s.Asked)
	snapshot.Int(f, &s.Price.Msat)
	snapshot.Int(f, &s.Price.Per)
	snapshot.Int(f, &s.Expiry)
	snapshot.String(f, &s.Invoice)
	snapshot.Int(f, &s.Requested)
	snapshot.Int(f, &s.Amount)
	snapshot.String(f, &s.Via)
	snapshot.String(f, &s.Node)
	snapshot.Int(f, &s.Index)
	snapshot.Int(f, &s.SettledAt)
	snapshot.Int(f, &s.AcceptedAt)
	snapshot.String(f, &s.Reason)
	snapshot.Int(f, &s.Last)
	snapshot.String(f, &s.Address)
	snapshot.Int(f, &s.Height)
	snapshot.String(f, &s.Block)
	snapshot.Bool(f, &s.Final)
	snapshot.Bool(f, &s.WasSettled)
	snapshot.String(f, &s.Meant)
	snapshot.Bool(f, &s.Ours)
	orderFields(f, &s.Order)
	if s.Status > payment.StatusCanceled {
		f.Refuse()
	}
}

// orderFields passes an order through a snapshot, if there is one.
func orderFields(f *snapshot.Fields, order **resource.Order) {
	there := *order != nil
	snapshot.Bool(f, &there)
	if !there {
		return
	}
	o := *order
	if o == nil {
		o = new(resource.Order)
	}
	snapshot.String(f, &o.Plan)
	snapshot.Int(f, &o.Terms.Price.Msat)
	snapshot.Int(f, &o.Terms.Price.Per)
	snapshot.Int(f, &o.Terms.Warn.Time)
	snapshot.Int(f, &o.Terms.Warn.Amount)
	snapshot.Int(f, &o.Terms.Warn.Share)
	snapshot.Int(f, &o.Terms.Grace)
	snapshot.Bool(f, &o.Terms.Uptime)
	snapshot.Int(f, &o.Terms.StartWithin)
	snapshot.Int(f, &o.Terms.MaxOutage)
	snapshot.Int(f, &o.Terms.MaxPause)
	snapshot.Bool(f, &o.Terms.Hold)
	snapshot.String(f, &o.Enforcer)
	snapshot.String(f, &o.Host)
	snapshot.Bytes(f, o.Holder[:])
	snapshot.Bytes(f, o.Request[:])
	snapshot.Bytes(f, o.Params[:])
	if *order == nil { // it is being read; what is written is shared with readers
		*order = o
	}
}

// Payments holds the payments that have not come to their end. What was credited or has
// expired is left out, or the memory would grow with every invoice that was ever asked
// for: its stream tells it.
type Payments struct {
	byKey       map[payment.Key]*Payment
	ofResource  map[resource.ID][]payment.Key // by the resource for which they are meant
	unallocated []payment.Key                 // sorted
	invoices    int                           // how many are requested, accepted or settled
	deposits    int                           // how many on the chain are waited for
	held        []held                        // of the last hour, in the order of the log
}

// New returns no payments.
func New() Payments {
	return Payments{byKey: map[payment.Key]*Payment{}, ofResource: map[resource.ID][]payment.Key{}}
}

// Put replaces was, which is nil for one that was not kept, by p.
func (o *Payments) Put(was, p *Payment) {
	key := p.State.Key
	ended := p.State.Ended()
	switch {
	case ended && was != nil:
		delete(o.byKey, key)
		o.unlink(was.State.Resource, key)
	case !ended:
		if was == nil {
			o.link(p.State.Resource, key)
		} else if was.State.Resource != p.State.Resource {
			o.unlink(was.State.Resource, key)
			o.link(p.State.Resource, key)
		}
		o.byKey[key] = p
	}
	if p.State.Status == payment.StatusAccepted && (was == nil || was.State.Status != payment.StatusAccepted) {
		o.hold(held{p.State.Node, p.State.AcceptedAt})
	}
	o.invoices += invoice(p) - invoice(was)
	o.deposits += deposit(p) - deposit(was)
	o.sort(key, was != nil && was.State.Status == payment.StatusUnallocated, p.State.Status == payment.StatusUnallocated)
}

// invoice is 1 for a payment that counts as open, else 0.
func invoice(p *Payment) int {
	if p == nil {
		return 0
	}
	switch p.State.Status {
	case payment.StatusRequested, payment.StatusAccepted, payment.StatusSettled:
		return 1
	}
	return 0
}

// deposit is 1 for a payment on the chain that is waited for, else 0.
func deposit(p *Payment) int {
	if p != nil && p.State.OnChain() && p.State.Waits() {
		return 1
	}
	return 0
}

func (o *Payments) link(id resource.ID, key payment.Key) {
	if id != "" {
		o.ofResource[id] = append(o.ofResource[id], key)
	}
}

func (o *Payments) unlink(id resource.ID, key payment.Key) {
	keys := o.ofResource[id]
	i := slices.Index(keys, key)
	switch {
	case i < 0:
	case len(keys) == 1:
		delete(o.ofResource, id)
	default:
		o.ofResource[id] = slices.Delete(keys, i, i+1)
	}
}

// sort keeps the list of what is unallocated.
func (o *Payments) sort(key payment.Key, was, is bool) {
	if was == is {
		return
	}
	i, _ := slices.BinarySearch(o.unallocated, key)
	if is {
		o.unallocated = slices.Insert(o.unallocated, i, key)
	} else {
		o.unallocated = slices.Delete(o.unallocated, i, i+1)
	}
}

// Get returns a payment, or nil if it is not kept. It is not the caller's to change.
func (o *Payments) Get(key payment.Key) *Payment { return o.byKey[key] }

// Waiting returns those that somebody waits for, in any order.
func (o *Payments) Waiting() (list []*Payment) {
	for _, p := range o.byKey {
		if p.State.Waits() {
			list = append(list, p)
		}
	}
	return list
}

// Of returns those that are meant for a resource, in any order.
func (o *Payments) Of(id resource.ID) []*Payment {
	keys := o.ofResource[id]
	list := make([]*Payment, len(keys))
	for i, key := range keys {
		list[i] = o.byKey[key]
	}
	return list
}

// Ordered returns the resources of a plan on a host that orders are being paid for, some twice: for what
// of them is not opened the money is there, held, or in a block.
func (o *Payments) Ordered(plan, host string) (ids []resource.ID) {
	for _, p := range o.byKey {
		if s := &p.State; s.Order != nil && s.Order.Plan == plan && s.Order.Host == host && onItsWay(s) {
			ids = append(ids, s.Resource)
		}
	}
	return ids
}

func onItsWay(s *payment.State) bool {
	return s.Coming() || s.Status == payment.StatusSettled || s.Status == payment.StatusAccepted
}

// Invoices returns how many are requested, accepted or settled.
func (o *Payments) Invoices() int { return o.invoices }

// Deposits returns how many on the chain are waited for.
func (o *Payments) Deposits() int { return o.deposits }

// Unallocated returns up to limit payments without home whose keys come after the given one,
// in the order of their keys.
func (o *Payments) Unallocated(after payment.Key, limit int) []payment.State {
	keys := o.unallocated
	keys = keys[sort.Search(len(keys), func(i int) bool { return keys[i] > after }):]
	states := make([]payment.State, max(0, min(limit, len(keys))))
	for i := range states {
		states[i] = o.byKey[keys[i]].State
	}
	return states
}

// OldestFirst returns the states of payments, oldest first. It changes the order of the list.
func OldestFirst(list []*Payment) []payment.State {
	slices.SortFunc(list, func(p, q *Payment) int {
		return cmp.Or(cmp.Compare(p.Since, q.Since), cmp.Compare(p.State.Key, q.State.Key))
	})
	states := make([]payment.State, len(list))
	for i, p := range list {
		states[i] = p.State
	}
	return states
}

// Before returns the payment of which rec is an event as it stood before: of a first event,
// without any.
func Before(rec *stream.Record) *Payment {
	key := payment.Key(strings.Clone(rec.Stream[len(payment.Prefix):]))
	return &Payment{payment.New(key), stream.NoStream, rec.Position}
}

// Recall reads a payment that is not kept any more as it stood before rec.
func Recall(ctx context.Context, store stream.EventStore, rec *stream.Record) (*Payment, error) {
	p := Before(rec)
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
		p.State, p.Revision, p.Since = payment.Evolve(p.State, e), r.Revision, min(p.Since, r.Position)
	}
	return p, ctx.Err()
}
