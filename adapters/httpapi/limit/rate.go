// Package limit bounds what clients can make grow: how often they ask, and how much they
// hold open at the same time.
//
// Clients are told apart by their address, as [AddressOf] has it. [Rates] are the token
// buckets of the addresses that came last; a [Quota] counts what is open, in all and by
// address; a [Listener] holds connections to a quota.
//
// Where the bounds lie, and what a client that meets one is told, is left to the caller.
package limit

import (
	"container/list"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Rate is so many requests a second, and a burst of so many at once.
type Rate struct {
	PerSecond float64
	Burst     int
}

func (r Rate) bucket() *rate.Limiter { return rate.NewLimiter(rate.Limit(r.PerSecond), r.Burst) }

// Rates holds clients to a rate of reads and one of writes, by their addresses.
type Rates struct {
	reads, writes Rate
	addresses     int

	mu    sync.Mutex // guards what follows
	known map[netip.Addr]*list.Element
	order *list.List // of *buckets, the latest first
}

// buckets are the tokens of one address.
type buckets struct {
	addr          netip.Addr
	reads, writes *rate.Limiter
}

// NewRates returns rates that remember so many addresses.
func NewRates(reads, writes Rate, addresses int) *Rates {
	return &Rates{
		reads:     reads,
		writes:    writes,
		addresses: addresses,
		known:     map[netip.Addr]*list.Element{},
		order:     list.New(),
	}
}

// Take takes a token of an address, or returns how long to wait for one.
func (r *Rates) Take(addr netip.Addr, write bool, now time.Time) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	b := r.bucketsOf(addr)
	bucket := b.reads
	if write {
		bucket = b.writes
	}
	token := bucket.ReserveN(now, 1)
	if !token.OK() {
		return time.Minute // a burst of none
	}
	wait := token.DelayFrom(now)
	if wait > 0 {
		token.CancelAt(now)
	}
	return wait
}

// Of returns the rate that writes or reads are held to.
func (r *Rates) Of(write bool) Rate {
	if write {
		return r.writes
	}
	return r.reads
}

// bucketsOf returns the buckets of an address, for which the one that has not come for longest
// may be forgotten.
func (r *Rates) bucketsOf(addr netip.Addr) *buckets {
	if e, ok := r.known[addr]; ok {
		r.order.MoveToFront(e)
		return e.Value.(*buckets)
	}
	if r.order.Len() >= r.addresses {
		oldest := r.order.Back()
		delete(r.known, r.order.Remove(oldest).(*buckets).addr)
	}
	b := &buckets{addr, r.reads.bucket(), r.writes.bucket()}
	r.known[addr] = r.order.PushFront(b)
	return b
}
