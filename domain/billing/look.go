package billing

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"sandglass/domain/billing/params"
	"sandglass/domain/payment"
	"sandglass/domain/request"
	"sandglass/domain/resource"
)

// What there is of a resource stands in the log, and for what nobody has paid yet in the
// requests. Whoever looks is shown both as one.

// subject is a resource as it stands: in the log, or as an order of it has it.
type subject struct {
	resource.State
	order *resource.Order // of one that is not in the log, else nil
	kept  *params.Kept    // what the order says, before its next invoice is given out; or nil
}

// find returns a resource of the log, or else what the order of that id would open, or
// [resource.ErrNotOpened].
func (b *Service) find(ctx context.Context, id resource.ID) (subject, error) {
	r, opens, ordered := b.Requests.Order(id)
	out, err := b.Resources.Load(ctx, id) // last: an order is there until the log has what it opened
	switch {
	case err != nil || out.State.Status != resource.StatusNone:
		return subject{State: out.State}, err
	case ordered:
		return subject{opens, r.Order, nil}, nil
	}
	return subject{}, resource.ErrNotOpened
}

// Resource returns a resource as the views have it, or, where nobody has paid yet, as it is
// ordered: awaiting.
func (b *Service) Resource(id resource.ID) (resource.State, bool) {
	if s, _, ok := b.Views.Resource(id); ok {
		return s, true
	}
	if _, opens, ok := b.Requests.Order(id); ok {
		return opens, true
	}
	s, _, ok := b.Views.Resource(id) // an order is there until they have what it opened
	return s, ok
}

// Payments returns the payments that a resource waits for: those that the log has and that are not at their
// end, and the invoices that can still be paid, but for those that are somebody's own. What is for another
// order of its id, or for one that was released, is none of them.
func (b *Service) Payments(id resource.ID) []payment.State {
	asked := b.open(id)
	logged := b.Opening.Payments(id) // last: what is asked for no more is there by now
	var list []payment.State
	for _, r := range asked {
		if !r.Own && !slices.ContainsFunc(logged, func(p payment.State) bool { return p.Key == r.Key }) {
			list = append(list, r.State())
		}
	}
	list = append(list, logged...)
	s, _ := b.Resource(id)
	list = slices.DeleteFunc(list, func(p payment.State) bool {
		return p.Order != nil && (!s.OpenedBy(p.Order) || s.Status == resource.StatusAwaiting && b.Opening.IsReleased(&p))
	})
	slices.SortStableFunc(list, func(p, q payment.State) int { return cmp.Compare(p.Requested, q.Requested) })
	return list
}

// open returns the invoices of a resource that can be paid, oldest first: those that the log
// does not know, that have not expired, and that the present wallet made.
func (b *Service) open(id resource.ID) (list []*request.Record) {
	now, node := b.Now(), b.node()
	r, _, _ := b.Views.Resource(id)
	for _, q := range b.Requests.Of(id) {
		if q.Key == "" || q.Expiry <= now || q.Node != node || r.Has(string(q.Key)) {
			continue
		}
		if _, _, logged := b.Views.Payment(q.Key); !logged {
			list = append(list, q)
		}
	}
	return list
}

// Payment returns a payment as the log has it, or else an invoice, or a payment of an order that no
// block holds. Its status is [payment.StatusNone] where there is none.
func (b *Service) Payment(ctx context.Context, key payment.Key) (payment.State, error) {
	if p, _, ok := b.Views.Payment(key); ok || !key.Valid() {
		return p, nil
	}
	asked := b.Unlogged(key)
	out, err := b.Booker.Payments.Load(ctx, key) // last: what is asked for no more was written before
	if err != nil || out.State.Status != payment.StatusNone {
		return out.State, err
	}
	return asked, nil
}

// Unlogged returns a payment as it is asked for, or is to be seen on the chain.
func (b *Service) Unlogged(key payment.Key) (p payment.State) {
	r, ok := b.Requests.Find(key)
	switch {
	case !ok && b.Deposits != nil:
		p, _ = b.Deposits.UnloggedPayment(key)
		return p
	case !ok:
		return p
	}
	p = r.State()
	if r.Expiry <= b.Now() || r.Released > 0 {
		p.Status, p.Last = payment.StatusExpired, r.Expiry
	}
	return p
}

// OtherOrder returns the order that a payment is for, and when it was asked for, if that is not the
// one which its id is of now; else nil.
func (b *Service) OtherOrder(p *payment.State) *request.Record {
	if s, ok := b.Resource(p.Resource); p.Order == nil || ok && s.OpenedBy(p.Order) {
		return nil
	}
	return b.Opening.OrderOf(p)
}

// AddressOf returns the address of a resource, or of an order, that the present wallet holds the
// key of: one whose money goes there, and to no other order of the same id.
func (b *Service) AddressOf(id resource.ID) (string, bool) {
	s, ok := b.Resource(id)
	if !ok {
		return "", false
	}
	return b.addressOf(&s)
}

// addressOf is AddressOf for a resource, or what an order would open.
func (b *Service) addressOf(s *resource.State) (string, bool) {
	node := b.node()
	_, _, logged := b.Views.Resource(s.ID)
	if a, of, ok := b.Views.AddressOf(s.ID); ok && of == node && logged {
		if r, ordered := b.Requests.FindAddress(a); !ordered || s.OpenedBy(r.Order) {
			return a, true
		}
	}
	for _, r := range b.Requests.Of(s.ID) {
		if r.Address == "" || r.Node != node || !s.OpenedBy(r.Order) {
			continue
		}
		if owner, _, issued := b.Views.Issued(r.Address); !issued || owner == s.ID { // else an operator gave it away
			return r.Address, true
		}
	}
	return "", false
}

// Watch returns a channel that gets a token after what is shown of a resource has changed. stop
// ends the watch.
func (b *Service) Watch(id resource.ID) (changed <-chan struct{}, stop func()) {
	c := make(chan struct{}, 1)
	stopViews, stopRequests := b.Views.Watch(id, c), b.Requests.Watch(id, c)
	return c, func() { stopViews(); stopRequests() }
}

// refuse returns why a command is refused that the log has no resource for: what is only
// ordered awaits its payment.
func (b *Service) refuse(id resource.ID, c resource.Command, err error) error {
	if !errors.Is(err, resource.ErrNotOpened) {
		return err
	}
	if _, opens, ok := b.Requests.Order(id); ok {
		if _, refused := resource.Decide(opens, c); refused != nil {
			return refused
		}
	}
	return err
}
