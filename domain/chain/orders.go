package chain

import (
	"context"

	"sandglass/domain/address"
	"sandglass/domain/payment"
	"sandglass/domain/request"
	"sandglass/domain/resource"
	"sandglass/domain/stream"
	"sandglass/domain/watch"
)

// An address of an order that nobody has paid is not in the log: it is a request. What pays it
// is shown at once, until something else spends what it spends, and is in the log, with its
// order, once a block holds it: so that nobody fills the log with what is never mined.

// resourceAt is Issued, for what was given out to orders too.
func (w *Watcher) resourceAt(addr string) (id resource.ID, height int64, ok bool) {
	if id, height, ok = w.Issued(addr); ok {
		return id, height, true
	}
	r, ok := w.Requests.FindAddress(addr)
	if !ok {
		return "", 0, false
	}
	return r.Resource, r.Height, true
}

// lowest is Lowest, for what was given out to orders too.
func (w *Watcher) lowest() (height int64, ok bool) {
	height, ok = w.Lowest()
	if asked, found := w.Requests.LowestAddress(); found && (!ok || asked < height) {
		return asked, true
	}
	return height, ok
}

// ofOrder adds to c the order that an output pays, if it pays one. It reports whether the log is
// to know the output.
func (s *sweep) ofOrder(ctx context.Context, c *payment.See, o *Output) (logged bool, err error) {
	r, ok := s.w.Requests.FindAddress(o.Address)
	if ok {
		opened, err := s.logIfOpened(ctx, r)
		if err != nil {
			return false, err
		}
		if !opened {
			c.Request = &r.Request
		}
	}
	var order *resource.Order
	if c.Request != nil {
		order = c.Request.Order
	}
	little, err := s.w.Opening.TooLittle(ctx, c.Resource, order, c.Amount)
	if little { // it is a suggestion to the operator
		c.Meant, c.Resource = c.Resource, ""
	}
	if err != nil || c.Request == nil || o.Height > 0 {
		return err == nil, err
	}
	p := r.State()
	p.Meant, p.Key, p.Status, p.Amount, p.Requested, p.Last = c.Meant, o.Key(), payment.StatusSeen, o.Amount, s.beganAt, s.beganAt
	if before, ok := s.w.UnloggedPayment(p.Key); ok {
		p.Requested, p.Last = before.Requested, before.Last
	}
	if s.verdict(&p) != "" {
		s.w.conflicts.setGivenUp(p.Key)
		return false, nil
	}
	if s.w.AddUnlogged(p) { // what else pays the id is held against it in this sweep
		s.w.Requests.Touch(p.Resource)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unlogged = append(s.unlogged, p)
	return false, nil
}

// logAddresses puts the addresses of orders into the log that were paid in other ways.
func (s *sweep) logAddresses(ctx context.Context) error {
	for _, r := range s.w.Requests.Addresses() {
		if _, err := s.logIfOpened(ctx, r); err != nil {
			return err
		}
	}
	return nil
}

// logIfOpened puts the address of an order that opened its resource into the log, and reports whether it did.
func (s *sweep) logIfOpened(ctx context.Context, r *request.Record) (opened bool, err error) {
	out, err := s.w.Booker.Resources.Load(ctx, r.Resource)
	if err != nil || out.State.Status == resource.StatusNone || !out.State.OpenedBy(r.Order) {
		return false, err
	}
	written, err := s.logAddress(ctx, r)
	if err != nil {
		return false, err
	}
	s.w.Requests.Done(ctx, r.Name(), written)
	return true, nil
}

// logPaidAddress puts the address of an order into the log once a payment that has the order is
// in it, and not before: another daemon, which may not have heard of the order yet, would take
// the money for that of a resource which is not there. One of an order whose id another order
// opened is never that resource's.
func (s *sweep) logPaidAddress(ctx context.Context, addr string) error {
	r, ok := s.w.Requests.FindAddress(addr)
	if _, _, logged := s.w.Issued(addr); logged || !ok {
		return nil
	}
	out, err := s.w.Booker.Resources.Load(ctx, r.Resource)
	if err != nil || out.State.Status != resource.StatusNone && !out.State.OpenedBy(r.Order) {
		return err
	}
	_, err = s.logAddress(ctx, r)
	return err
}

func (s *sweep) logAddress(ctx context.Context, r *request.Record) (written stream.Position, err error) {
	out, err := s.w.Addresses.Execute(ctx, r.Address, watch.Meta, address.Issue{
		At: s.w.Now(), Resource: r.Resource, Node: r.Node, Height: r.Height,
	})
	return out.Position, err
}
