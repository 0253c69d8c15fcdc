package request

import (
	"maps"
	"slices"

	"sandglass/domain/instant"
	"sandglass/domain/resource"
)

// place is a plan on a host, of which an order takes one.
type place struct{ plan, host string }

// reserved are the orders by what they take a place of: those that had an invoice, until it is seen that
// none of theirs can be paid.
type reserved map[place]map[resource.ID]struct{}

func (r reserved) put(e *entry) {
	if e.Order == nil || e.Key == "" {
		return
	}
	at := place{e.Order.Plan, e.Order.Host}
	if r[at] == nil {
		r[at] = map[resource.ID]struct{}{}
	}
	r[at][e.Resource] = struct{}{}
}

// Reserved returns the orders of a plan on a host that may still be paid by an invoice, in any order.
func (s *Set) Reserved(plan, host string) []resource.ID {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unreserve(place{plan, host})
	return slices.Collect(maps.Keys(s.reserved[place{plan, host}]))
}

// unreserve lets go of the orders of a place that can't be paid by an invoice any more.
func (s *Set) unreserve(at place) {
	now := s.now()
	maps.DeleteFunc(s.reserved[at], func(id resource.ID, _ struct{}) bool {
		list, _ := s.ofID.get(id)
		return !slices.ContainsFunc(list, func(e *entry) bool {
			return e.reserves(now) && at == place{e.Order.Plan, e.Order.Host}
		})
	})
	if len(s.reserved[at]) == 0 {
		delete(s.reserved, at)
	}
}

// reserves reports whether e is an invoice that may still pay an order.
func (e *entry) reserves(now instant.Time) bool {
	return e.Order != nil && e.Key != "" && e.Expiry.Add(Settling) > now
}

// OrderedBy returns the invoices that may still pay an order of an id, oldest first.
func (s *Set) OrderedBy(id resource.ID) []*Record {
	now := s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	list, _ := s.ofID.get(id)
	return records(slices.DeleteFunc(slices.Clone(list), func(e *entry) bool { return !e.reserves(now) }))
}
