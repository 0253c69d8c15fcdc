package httpapi

import (
	"container/list"
	"errors"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// limiter holds the rates of client addresses, those that came last.
type limiter struct {
	limits Limits

	mu    sync.Mutex // guards what follows
	known map[netip.Addr]*list.Element
	order *list.List // of *buckets, the latest first
}

// buckets are the tokens of one address.
type buckets struct {
	addr          netip.Addr
	reads, writes *rate.Limiter
}

func newLimiter(l Limits) *limiter {
	return &limiter{limits: l, known: map[netip.Addr]*list.Element{}, order: list.New()}
}

// take takes a token of an address, or returns how long to wait for one.
func (l *limiter) take(addr netip.Addr, write bool, now time.Time) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.of(addr)
	bucket := b.reads
	if write {
		bucket = b.writes
	}
	r := bucket.ReserveN(now, 1)
	if !r.OK() {
		return time.Minute // a burst of none
	}
	wait := r.DelayFrom(now)
	if wait > 0 {
		r.CancelAt(now)
	}
	return wait
}

// of returns the buckets of an address, for which the one that has not come for longest
// may be forgotten.
func (l *limiter) of(addr netip.Addr) *buckets {
	if e, ok := l.known[addr]; ok {
		l.order.MoveToFront(e)
		return e.Value.(*buckets)
	}
	if l.order.Len() >= l.limits.Addresses {
		oldest := l.order.Back()
		delete(l.known, l.order.Remove(oldest).(*buckets).addr)
	}
	b := &buckets{addr, l.limits.Reads.limiter(), l.limits.Writes.limiter()}
	l.known[addr] = l.order.PushFront(b)
	return b
}

func (r Rate) limiter() *rate.Limiter { return rate.NewLimiter(rate.Limit(r.PerSecond), r.Burst) }

// Errors of a quota.
var (
	errFull    = errors.New("httpapi: the quota is used up")
	errFullPer = errors.New("httpapi: the address's quota is used up")
)

// quota counts what is open at the same time, in all and by address.
type quota struct {
	max, maxPer int

	mu  sync.Mutex // guards what follows
	n   int
	per map[netip.Addr]int
}

func newQuota(all, per int) *quota { return &quota{max: all, maxPer: per, per: map[netip.Addr]int{}} }

// enter counts one more of an address, until leave, which may be called twice.
func (q *quota) enter(addr netip.Addr) (leave func(), err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.per[addr] >= q.maxPer:
		return nil, errFullPer
	case q.n >= q.max:
		return nil, errFull
	}
	q.n++
	q.per[addr]++
	return sync.OnceFunc(func() { q.leave(addr) }), nil
}

func (q *quota) leave(addr netip.Addr) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.n--
	if q.per[addr]--; q.per[addr] == 0 {
		delete(q.per, addr)
	}
}

func (q *quota) count() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.n
}
