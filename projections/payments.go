package projections

import (
	"cmp"
	"slices"
	"sort"
	"strings"

	"sandglass/domain/payment"
	"sandglass/domain/stream"
)

// pay is a payment that has not come to its end. It is never changed, only replaced.
type pay struct {
	state    payment.State
	revision stream.Revision
	since    stream.Position // of its first event
}

// book holds the payments that have not come to their end. What was credited or has
// expired is left out, or the memory would grow with every invoice that was ever asked
// for: its stream tells it.
type book struct {
	open        map[string]*pay
	ofResource  map[string][]string // keys, by the resource for which they are meant
	unallocated []string            // keys, sorted
	invoices    int                 // how many are requested or settled
}

func newBook() book {
	return book{open: map[string]*pay{}, ofResource: map[string][]string{}}
}

// put replaces was, which is nil for a new payment, by p.
func (b *book) put(was, p *pay) {
	key := p.state.Key
	ended := p.state.Ended()
	switch {
	case ended && was != nil:
		delete(b.open, key)
		b.unlink(was.state.Resource, key)
	case !ended:
		if was == nil {
			b.link(p.state.Resource, key)
		} else if was.state.Resource != p.state.Resource {
			b.unlink(was.state.Resource, key)
			b.link(p.state.Resource, key)
		}
		b.open[key] = p
	}
	b.invoices += invoice(p) - invoice(was)
	b.sort(key, was != nil && was.state.Status == payment.StatusUnallocated, p.state.Status == payment.StatusUnallocated)
}

// invoice is 1 for a payment that counts as open, else 0.
func invoice(p *pay) int {
	if p != nil && (p.state.Status == payment.StatusRequested || p.state.Status == payment.StatusSettled) {
		return 1
	}
	return 0
}

func (b *book) link(resource, key string) {
	if resource != "" {
		b.ofResource[resource] = append(b.ofResource[resource], key)
	}
}

func (b *book) unlink(resource, key string) {
	keys := b.ofResource[resource]
	i := slices.Index(keys, key)
	switch {
	case i < 0:
	case len(keys) == 1:
		delete(b.ofResource, resource)
	default:
		b.ofResource[resource] = slices.Delete(keys, i, i+1)
	}
}

// sort keeps the list of what is unallocated.
func (b *book) sort(key string, was, is bool) {
	if was == is {
		return
	}
	i, _ := slices.BinarySearch(b.unallocated, key)
	if is {
		b.unallocated = slices.Insert(b.unallocated, i, key)
	} else {
		b.unallocated = slices.Delete(b.unallocated, i, i+1)
	}
}

// Payment returns a payment that is requested, settled or unallocated, and the revision
// that it stands at. One that was credited or has expired is not here: read its stream.
func (v *Views) Payment(key string) (payment.State, stream.Revision, bool) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	p, ok := v.payments.open[key]
	if !ok {
		return payment.State{}, stream.NoStream, false
	}
	return p.state, p.revision, true
}

// OpenPayments returns the payments that the watchers still wait for, must finish, or
// must look after until they are final, oldest first.
func (v *Views) OpenPayments() []payment.State {
	v.mu.RLock()
	open := make([]*pay, 0, len(v.payments.open))
	for _, p := range v.payments.open {
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
func (v *Views) PaymentsOf(resource string) []payment.State {
	v.mu.RLock()
	keys := v.payments.ofResource[resource]
	open := make([]*pay, len(keys))
	for i, key := range keys {
		open[i] = v.payments.open[key]
	}
	v.mu.RUnlock()
	return oldestFirst(open)
}

func oldestFirst(open []*pay) []payment.State {
	slices.SortFunc(open, func(p, q *pay) int {
		return cmp.Or(cmp.Compare(p.since, q.since), strings.Compare(p.state.Key, q.state.Key))
	})
	states := make([]payment.State, len(open))
	for i, p := range open {
		states[i] = p.state
	}
	return states
}

// Unallocated returns up to limit payments without home whose keys come after the given
// one, in the order of their keys.
func (v *Views) Unallocated(after string, limit int) []payment.State {
	v.mu.RLock()
	defer v.mu.RUnlock()
	keys := v.payments.unallocated
	keys = keys[sort.Search(len(keys), func(i int) bool { return keys[i] > after }):]
	states := make([]payment.State, max(0, min(limit, len(keys))))
	for i := range states {
		states[i] = v.payments.open[keys[i]].state
	}
	return states
}
