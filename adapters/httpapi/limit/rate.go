// Package limit bounds what clients can make grow: how often they ask, and how much they
// hold open at the same time.
//
// Clients are told apart by their address, as [AddressOf] has it. [Rates] are the token
// buckets of those that came last; [Shares] are those of addresses, of their networks and of
// all; a [Quota] counts what is open, in all, by network and by address; a [Listener] holds
// connections to a quota.
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

// Rates holds each of many keys to a rate. It remembers those that came last.
type Rates[K comparable] struct {
	rate Rate
	keys int

	mu    sync.Mutex // guards what follows
	known map[K]*list.Element
	order *list.List // of *bucket[K], the latest first
}

// bucket is the tokens of one key.
type bucket[K comparable] struct {
	key    K
	tokens *rate.Limiter
}

// NewRates returns rates that remember so many keys.
func NewRates[K comparable](r Rate, keys int) *Rates[K] {
	return &Rates[K]{rate: r, keys: keys, known: map[K]*list.Element{}, order: list.New()}
}

// Take takes a token of a key, or returns how long to wait for one.
func (r *Rates[K]) Take(key K, now time.Time) time.Duration {
	_, wait := r.reserve(key, now)
	return wait
}

// reserve is Take; undo gives the token back, where there was one.
func (r *Rates[K]) reserve(key K, now time.Time) (undo func(), wait time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	token := r.tokensOf(key).ReserveN(now, 1)
	if !token.OK() {
		return nil, time.Minute // a burst of none
	}
	if wait = token.DelayFrom(now); wait > 0 {
		token.CancelAt(now)
	}
	return func() { token.CancelAt(now) }, wait
}

// Rate returns the rate that each key is held to.
func (r *Rates[K]) Rate() Rate { return r.rate }

// Len returns how many keys are remembered.
func (r *Rates[K]) Len() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.order.Len()
}

// tokensOf returns the tokens of a key, for which the one that has not come for longest may be
// forgotten.
func (r *Rates[K]) tokensOf(key K) *rate.Limiter {
	if e, ok := r.known[key]; ok {
		r.order.MoveToFront(e)
		return e.Value.(*bucket[K]).tokens
	}
	if r.order.Len() >= r.keys {
		oldest := r.order.Back()
		delete(r.known, r.order.Remove(oldest).(*bucket[K]).key)
	}
	b := &bucket[K]{key, rate.NewLimiter(rate.Limit(r.rate.PerSecond), r.rate.Burst)}
	r.known[key] = r.order.PushFront(b)
	return b.tokens
}

// Share is the rate of one address, of one network, and of all together.
type Share struct{ Address, Network, All Rate }

// Shares holds clients to a share.
type Shares struct {
	mu        sync.Mutex // of one taking
	addresses *Rates[netip.Addr]
	networks  *Rates[netip.Addr] // by [NetworkOf]
	all       *Rates[struct{}]
}

// NewShares returns shares that remember so many addresses, and as many networks.
func NewShares(s Share, addresses int) *Shares {
	return &Shares{
		addresses: NewRates[netip.Addr](s.Address, addresses),
		networks:  NewRates[netip.Addr](s.Network, addresses),
		all:       NewRates[struct{}](s.All, 1),
	}
}

// Take takes a token of an address, one of its network and one of all; or none of them, and
// returns how long to wait.
func (s *Shares) Take(addr netip.Addr, now time.Time) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	undoAddress, wait := s.addresses.reserve(addr, now)
	if wait > 0 {
		return wait
	}
	undoNetwork, wait := s.networks.reserve(NetworkOf(addr), now)
	if wait > 0 {
		undoAddress()
		return wait
	}
	if _, wait = s.all.reserve(struct{}{}, now); wait > 0 {
		undoNetwork()
		undoAddress()
	}
	return wait
}

// Len returns how many addresses and networks are remembered.
func (s *Shares) Len() int { return s.addresses.Len() + s.networks.Len() }
