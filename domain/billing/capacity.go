package billing

import (
	"context"
	"errors"
	"fmt"
	"net/netip"

	"sandglass/domain/billing/room"
	"sandglass/domain/plan"
	"sandglass/domain/resource"
)

// A plan's capacity is how many of it fit on each host. A place is taken by a resource that is not
// released, by an order that may still be paid, and while an order is being taken. Nothing is given out
// for an order that has none, and has not made another one give way, as [room.Rooms] has it; what is paid
// all the same, as an address that was given out long ago, is opened: money comes first. Operators open
// what they like.

// orders is what is known of them.
func (b *Service) orders() *room.Orders {
	return &room.Orders{Requests: b.Requests, Views: b.Views, Opening: b.Opening, Node: b.node()}
}

// take takes a place for an order whose lock the caller holds, and reports whether there is one: where
// overtake, also that of an order that gives way.
func (b *Service) take(p *plan.State, host string, id resource.ID, from netip.Addr, overtake bool) bool {
	at := room.Place{Plan: p.Name, Host: host}
	return p.Capacity == 0 || b.rooms.Take(b.orders(), at, p.Capacity, id, room.Asker{Network: from, At: b.Now()}, overtake)
}

// takeOrdered is take for an order that is there already, and gets another invoice, or an address, which
// no other gives way to.
func (b *Service) takeOrdered(ctx context.Context, s *subject, invoice bool) error {
	if s.order == nil {
		return nil
	}
	p, ok := b.Views.Plan(s.Plan)
	if ok && !b.take(&p, s.Host, s.ID, b.network(ctx), invoice) {
		return noCapacity(&p, s.Host)
	}
	return nil
}

// network returns the network that ctx is the request of.
func (b *Service) network(ctx context.Context) (a netip.Addr) {
	if b.Network != nil {
		a = b.Network(ctx)
	}
	return a
}

// clear makes sure that nobody can pay the order any more whose place an order takes: only then it gets
// an invoice. What is just being paid stays, and another one gives way.
func (b *Service) clear(ctx context.Context, s *subject) error {
	for other, ok := b.rooms.Yields(s.ID); ok; other, ok = b.rooms.Yields(s.ID) {
		err := b.cancelOrder(ctx, other)
		switch {
		case err == nil:
			return nil
		case !errors.Is(err, ErrPaid):
			return fmt.Errorf("%w: %w", ErrWallet, err)
		case !b.rooms.Next(b.orders(), s.ID):
			p, _ := b.Views.Plan(s.Plan)
			return noCapacity(&p, s.Host)
		}
	}
	return nil
}

// cancelOrder cancels the invoices by which an order may be paid.
func (b *Service) cancelOrder(ctx context.Context, id resource.ID) error {
	for _, r := range b.Requests.OrderedBy(id) {
		if err := b.cancel(ctx, r); err != nil {
			return err
		}
	}
	return nil
}

func noCapacity(p *plan.State, host string) error {
	on := ""
	if host != "" {
		on = " on " + host
	}
	return fmt.Errorf("%w: all %d of plan %q%s are taken: try again later, or choose another one",
		ErrCapacity, p.Capacity, p.Name, on)
}

// Usage is how much of a plan is taken on a host.
type Usage struct {
	Host  string // empty where there is one machine
	Taken int64  // by what is open, and by orders that may still be paid; it may be more than the capacity
}

// Usage returns how much of a plan that has a capacity is taken on each host that it can be had on.
func (b *Service) Usage(p *plan.State) []Usage {
	hosts := b.hosts().Candidates(p)
	all := make([]Usage, len(hosts))
	for i, host := range hosts {
		ordered := b.rooms.Ordered(b.orders(), room.Place{Plan: p.Name, Host: host})
		all[i] = Usage{host, int64(b.Views.Taken(p.Name, host, ordered))}
	}
	return all
}

// Available returns how many more of a plan can be had, on all its hosts. Without a capacity that is not
// known.
func (b *Service) Available(p *plan.State) (n int64, known bool) {
	if p.Capacity == 0 {
		return 0, false
	}
	for _, u := range b.Usage(p) {
		n += max(0, p.Capacity-u.Taken)
	}
	return n, true
}
