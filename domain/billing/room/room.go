// Package room says which orders have the places of a plan that has a capacity, and, once all are
// taken, which of those that nobody has paid gives way to one that comes.
//
// A place costs a stranger nothing until he pays. So networks are told apart by how many invoices of
// orders they had within [Memory] and did not pay: those with more give way to those with fewer, the
// network with the most first, and of its orders the oldest. The first order of a network has its place
// for [Least] at any rate, each further one for at most half as long as the one before: what strangers can keep
// from those who come is the sum, twice that of each network. Within a network, where nobody can be told
// from another, an order gives way after Least.
//
// [Rooms] only chooses. Whoever asks it has what gives way canceled at the wallet before its place is
// another's. Networks are remembered in memory, and forgotten by a restart: then each order that nobody
// has paid stands for itself.
package room

import (
	"cmp"
	"net/netip"
	"slices"
	"sync"

	"sandglass/domain/instant"
	"sandglass/domain/opening"
	"sandglass/domain/request"
	"sandglass/domain/resource"
	"sandglass/domain/stream"
)

const (
	// Memory is for how long an order that nobody paid counts against its network.
	Memory = instant.Hour
	// Least is how long the first order of a network has its place, whoever comes.
	Least = 2 * instant.Minute

	most     = 4096 // orders that are remembered
	tries    = 3    // of orders that are asked to give way to one
	lookEach = instant.Second
)

// Place is a plan on a host, of which an order takes one.
type Place struct{ Plan, Host string }

// Orders is what there is to know of orders.
type Orders struct {
	Requests *request.Set
	Views    Views
	Opening  *opening.Rule
	Node     string // of the wallet that can cancel what it made
}

// Views are the read models of what is there.
type Views interface {
	// Taken returns how many of a plan are taken on a host, by what is there and by the given orders.
	Taken(plan, host string, ordered []resource.ID) int
	Resource(id resource.ID) (resource.State, stream.Revision, bool)
}

func (o *Orders) taken(at Place, ids []resource.ID) int64 {
	return int64(o.Views.Taken(at.Plan, at.Host, ids))
}

// opened reports whether an order was paid, or its payment is held.
func (o *Orders) opened(id resource.ID) bool {
	_, _, ok := o.Views.Resource(id)
	return ok
}

// since returns when the oldest invoice was made that may still pay an order; ok is false unless all of
// those can be canceled, and nothing is known to be on its way to it.
func (o *Orders) since(id resource.ID) (t instant.Time, ok bool) {
	payable := o.Requests.OrderedBy(id)
	if len(payable) == 0 || slices.ContainsFunc(payable, func(r *request.Record) bool { return r.Node != o.Node }) {
		return 0, false
	}
	return payable[0].At, len(o.Opening.Coming(id)) == 0
}

// Asker is who asks for a place, and when.
type Asker struct {
	Network netip.Addr // the zero value is a network too
	At      instant.Time
}

// Rooms are the places that orders take which are under way: each until it is kept, or came to nothing.
// The zero value has none. Its methods may be called from anywhere, with one order of an id at a time.
type Rooms struct {
	mu     sync.Mutex // from counting to taking
	taken  map[resource.ID]*taking
	giving map[resource.ID]struct{} // those that are giving way
	asks   []ask                    // oldest first
	looked instant.Time             // when it was last looked which of asks were paid
}

// taking is an order under way.
type taking struct {
	at       Place
	capacity int64
	from     Asker
	anew     bool          // it had no place
	unpaid   int           // of its network, when it came
	yields   resource.ID   // what gives way to it, or empty
	tried    []resource.ID // what did not
}

// ask is an invoice that was asked for.
type ask struct {
	id resource.ID
	Asker
	anew bool
}

// Take takes a place for an order, and reports whether there is one. Where overtake, it may be that of an
// order that gives way, which Yields returns then.
func (r *Rooms) Take(o *Orders, at Place, capacity int64, id resource.ID, from Asker, overtake bool) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if t, ok := r.taken[id]; ok && t.at == at {
		return true
	}
	if _, ok := r.giving[id]; ok {
		return false
	}
	t := &taking{at: at, capacity: capacity, from: from, anew: len(o.Requests.OrderedBy(id)) == 0}
	if o.taken(at, r.others(o, at, id)) >= capacity && !(overtake && r.overtake(o, id, t)) {
		return false
	}
	if r.taken == nil {
		r.taken = map[resource.ID]*taking{}
	}
	r.taken[id] = t
	return true
}

// Free lets go of the place of an order that is not under way any more: it is kept, or will not be.
func (r *Rooms) Free(id resource.ID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if t, ok := r.taken[id]; ok {
		delete(r.giving, t.yields)
		delete(r.taken, id)
	}
}

// Asked counts an invoice that is about to be made for an order under way.
func (r *Rooms) Asked(id resource.ID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	t, ok := r.taken[id]
	if !ok {
		return
	}
	if len(r.asks) >= most {
		r.asks = slices.Delete(r.asks, 0, len(r.asks)-most+1)
	}
	r.asks = append(r.asks, ask{id, t.from, t.anew})
}

// Failed undoes Asked, where it was not the asker's doing that no invoice was made.
func (r *Rooms) Failed(id resource.ID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, a := range slices.Backward(r.asks) {
		if t, ok := r.taken[id]; ok && a.id == id && a.Asker == t.from {
			r.asks = slices.Delete(r.asks, i, i+1)
			return
		}
	}
}

// Yields returns the order whose place an order under way takes: it is to be canceled, or Next to be
// called. ok is false where the place was free.
func (r *Rooms) Yields(id resource.ID) (other resource.ID, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	t, ok := r.taken[id]
	if !ok || t.yields == "" {
		return "", false
	}
	return t.yields, true
}

// Next has another order give way than Yields told, which is being paid, and reports whether there is one:
// else the order under way is to be given nothing.
func (r *Rooms) Next(o *Orders, id resource.ID) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	t := r.taken[id]
	delete(r.giving, t.yields)
	t.tried = append(t.tried, t.yields)
	t.yields = ""
	return len(t.tried) < tries && r.overtake(o, id, t)
}

// Ordered returns the orders that take a place: those under way, and those that may still be paid.
func (r *Rooms) Ordered(o *Orders, at Place) []resource.ID {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.others(o, at, "")
}

// others is Ordered without one.
func (r *Rooms) others(o *Orders, at Place, id resource.ID) []resource.ID {
	ids := slices.DeleteFunc(o.Requests.Reserved(at.Plan, at.Host), func(other resource.ID) bool {
		_, gives := r.giving[other]
		return gives || other == id
	})
	for other, t := range r.taken {
		if t.at == at && other != id {
			ids = append(ids, other)
		}
	}
	return ids
}

// candidate is an order that may have to give way.
type candidate struct {
	id     resource.ID
	unpaid int // of its network
	since  instant.Time
}

// overtake has the first order give way that makes room for t, and reports whether there is one.
func (r *Rooms) overtake(o *Orders, id resource.ID, t *taking) bool {
	standings, unpaid := r.standings(o, t.from.At)
	if len(t.tried) == 0 {
		t.unpaid = unpaid[t.from.Network]
	}
	var all []candidate
	for _, other := range r.others(o, t.at, id) {
		if _, busy := r.taken[other]; busy || slices.Contains(t.tried, other) {
			continue
		}
		c, same, least := candidate{other, 1, 0}, false, Least
		if s, known := standings[other]; known {
			c.unpaid, c.since, same = unpaid[s.Network], s.At, s.Network == t.from.Network
		} else if c.since, known = o.since(other); !known {
			continue
		}
		if !same {
			least >>= min(c.unpaid-1, 30)
		}
		if (same || c.unpaid > t.unpaid) && c.since.Add(least) <= t.from.At {
			all = append(all, c)
		}
	}
	slices.SortFunc(all, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(b.unpaid, a.unpaid), cmp.Compare(a.since, b.since), cmp.Compare(a.id, b.id))
	})
	for _, c := range all {
		if _, ok := o.since(c.id); ok && !o.opened(c.id) {
			return r.yield(o, id, c.id, t)
		}
	}
	return false
}

// yield has other give way, if that is enough: there may be more than fit.
func (r *Rooms) yield(o *Orders, id, other resource.ID, t *taking) bool {
	if r.giving == nil {
		r.giving = map[resource.ID]struct{}{}
	}
	r.giving[other] = struct{}{}
	if o.taken(t.at, r.others(o, t.at, id)) >= t.capacity {
		delete(r.giving, other)
		return false
	}
	t.yields = other
	return true
}

// standings returns of whom each order is that is remembered, the one who had its place first, with when
// that one asked last: others may ask for it too. And it returns how many asks of each network nobody has paid.
func (r *Rooms) standings(o *Orders, now instant.Time) (of map[resource.ID]Asker, unpaid map[netip.Addr]int) {
	look := now.Sub(r.looked) >= lookEach
	if look {
		r.looked = now
	}
	paid := map[resource.ID]bool{}
	r.asks = slices.DeleteFunc(r.asks, func(a ask) bool {
		if _, ok := paid[a.id]; look && !ok {
			paid[a.id] = o.opened(a.id)
		}
		return paid[a.id] || a.At.Add(Memory) <= now
	})
	of, unpaid = map[resource.ID]Asker{}, map[netip.Addr]int{}
	for _, a := range r.asks {
		unpaid[a.Network]++
		if first, ok := of[a.id]; !ok || a.anew || first.Network == a.Network {
			of[a.id] = a.Asker
		}
	}
	return of, unpaid
}
