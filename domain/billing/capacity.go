package billing

import (
	"cmp"
	"fmt"
	"slices"
	"sync"

	"sandglass/domain/plan"
	"sandglass/domain/resource"
)

// A plan's capacity is how many of it fit on each host. A place is taken by a resource that is not
// released, by an order that may still be paid, and while an order is being taken. Nothing is given out
// for an order that has none; what is paid all the same, as an address that was given out long ago, is
// opened: money comes first. Operators open what they like.

// rooms are the places that orders take which are under way: each has the lock of its id.
type rooms struct {
	mu    sync.Mutex // from counting to taking
	taken map[resource.ID]room
}

type room struct{ plan, host string }

// free lets go of the place of an order that is not under way any more: it is kept, or will not be.
func (r *rooms) free(id resource.ID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.taken, id)
}

// take takes a place for an order whose lock the caller holds, and reports whether there is one.
func (b *Service) take(p *plan.State, host string, id resource.ID) bool {
	if p.Capacity == 0 {
		return true
	}
	b.rooms.mu.Lock()
	defer b.rooms.mu.Unlock()
	others := slices.DeleteFunc(b.ordered(p.Name, host), func(other resource.ID) bool { return other == id })
	if int64(b.Views.Taken(p.Name, host, others)) >= p.Capacity {
		return false
	}
	if b.rooms.taken == nil {
		b.rooms.taken = map[resource.ID]room{}
	}
	b.rooms.taken[id] = room{p.Name, host}
	return true
}

// ordered returns the orders of a plan on a host that are under way, or may still be paid by an invoice.
// The caller holds the lock of rooms.
func (b *Service) ordered(name, host string) []resource.ID {
	ids := b.Requests.Reserved(name, host)
	for id, at := range b.rooms.taken {
		if at == (room{name, host}) {
			ids = append(ids, id)
		}
	}
	return ids
}

// takeOrdered is take for an order that is there already, and gets another invoice, or an address.
func (b *Service) takeOrdered(s *subject) error {
	if s.order == nil {
		return nil
	}
	p, ok := b.Views.Plan(s.Plan)
	if ok && !b.take(&p, s.Host, s.ID) {
		return noCapacity(&p, s.Host)
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
	hosts := b.candidates(p)
	all := make([]Usage, len(hosts))
	for i, host := range hosts {
		b.rooms.mu.Lock()
		ordered := b.ordered(p.Name, host)
		b.rooms.mu.Unlock()
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

// byLoad sorts hosts by how many resources they have, fewest first.
func (b *Service) byLoad(hosts []string) []string {
	loads := b.hosts()
	slices.SortStableFunc(hosts, func(a, b string) int { return cmp.Compare(loads[a], loads[b]) })
	return hosts
}
