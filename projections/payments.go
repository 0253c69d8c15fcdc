package projections

import (
	"cmp"
	"slices"
	"sort"

	"sandglass/domain/payment"
	"sandglass/domain/resource"
	"sandglass/domain/stream"
	"sandglass/projections/snapshot"
)

// openPayment is a payment that has not come to its end. It is never changed, only replaced.
type openPayment struct {
	state    payment.State
	revision stream.Revision
	since    stream.Position // of its first event
}

// fields passes a payment through a snapshot.
func (p *openPayment) fields(f *snapshot.Fields) {
	s := &p.state
	snapshot.Int(f, &p.revision)
	snapshot.Int(f, &p.since)
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
	if s.Status > payment.StatusReplaced {
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
	snapshot.String(f, &o.Enforcer)
	snapshot.String(f, &o.Host)
	snapshot.Bytes(f, o.Holder[:])
	snapshot.Bytes(f, o.Request[:])
	if *order == nil { // it is being read; what is written is shared with readers
		*order = o
	}
}

// openPayments holds the payments that have not come to their end. What was credited or has
// expired is left out, or the memory would grow with every invoice that was ever asked
// for: its stream tells it.
type openPayments struct {
	byKey       map[payment.Key]*openPayment
	ofResource  map[resource.ID][]payment.Key // by the resource for which they are meant
	unallocated []payment.Key                 // sorted
	invoices    int                           // how many are requested or settled
}

func newOpenPayments() openPayments {
	return openPayments{byKey: map[payment.Key]*openPayment{}, ofResource: map[resource.ID][]payment.Key{}}
}

// put replaces was, which is nil for a new payment, by p.
func (o *openPayments) put(was, p *openPayment) {
	key := p.state.Key
	ended := p.state.Ended()
	switch {
	case ended && was != nil:
		delete(o.byKey, key)
		o.unlink(was.state.Resource, key)
	case !ended:
		if was == nil {
			o.link(p.state.Resource, key)
		} else if was.state.Resource != p.state.Resource {
			o.unlink(was.state.Resource, key)
			o.link(p.state.Resource, key)
		}
		o.byKey[key] = p
	}
	o.invoices += invoice(p) - invoice(was)
	o.sort(key, was != nil && was.state.Status == payment.StatusUnallocated, p.state.Status == payment.StatusUnallocated)
}

// invoice is 1 for a payment that counts as open, else 0.
func invoice(p *openPayment) int {
	if p != nil && (p.state.Status == payment.StatusRequested || p.state.Status == payment.StatusSettled) {
		return 1
	}
	return 0
}

func (o *openPayments) link(id resource.ID, key payment.Key) {
	if id != "" {
		o.ofResource[id] = append(o.ofResource[id], key)
	}
}

func (o *openPayments) unlink(id resource.ID, key payment.Key) {
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
func (o *openPayments) sort(key payment.Key, was, is bool) {
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

// Payment returns a payment that is requested, settled or unallocated, and the revision
// that it stands at. One that was credited or has expired is not here: read its stream.
func (v *Views) Payment(key payment.Key) (payment.State, stream.Revision, bool) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	p, ok := v.payments.byKey[key]
	if !ok {
		return payment.State{}, stream.NoStream, false
	}
	return p.state, p.revision, true
}

// OpenPayments returns the payments that the watchers still wait for, must finish, or
// must look after until they are final, oldest first.
func (v *Views) OpenPayments() []payment.State {
	v.mu.RLock()
	open := make([]*openPayment, 0, len(v.payments.byKey))
	for _, p := range v.payments.byKey {
		if p.state.Waits() {
			open = append(open, p)
		}
	}
	v.mu.RUnlock()
	return oldestFirst(open)
}

// OpenCount returns how many payments are requested or settled.
func (v *Views) OpenCount() int {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return v.payments.invoices
}

// PaymentsOf returns the payments meant for a resource that are not at their end, oldest
// first: one on the chain stays until it is final, also when it was credited.
func (v *Views) PaymentsOf(id resource.ID) []payment.State {
	v.mu.RLock()
	keys := v.payments.ofResource[id]
	open := make([]*openPayment, len(keys))
	for i, key := range keys {
		open[i] = v.payments.byKey[key]
	}
	v.mu.RUnlock()
	return oldestFirst(open)
}

func oldestFirst(open []*openPayment) []payment.State {
	slices.SortFunc(open, func(p, q *openPayment) int {
		return cmp.Or(cmp.Compare(p.since, q.since), cmp.Compare(p.state.Key, q.state.Key))
	})
	states := make([]payment.State, len(open))
	for i, p := range open {
		states[i] = p.state
	}
	return states
}

// Unallocated returns up to limit payments without home whose keys come after the given
// one, in the order of their keys.
func (v *Views) Unallocated(after payment.Key, limit int) []payment.State {
	v.mu.RLock()
	defer v.mu.RUnlock()
	keys := v.payments.unallocated
	keys = keys[sort.Search(len(keys), func(i int) bool { return keys[i] > after }):]
	states := make([]payment.State, max(0, min(limit, len(keys))))
	for i := range states {
		states[i] = v.payments.byKey[keys[i]].state
	}
	return states
}
