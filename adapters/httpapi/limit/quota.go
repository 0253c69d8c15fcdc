package limit

import (
	"errors"
	"net/netip"
	"sync"
)

// Errors of a quota.
var (
	ErrFull        = errors.New("limit: the quota is used up")
	ErrAddressFull = errors.New("limit: the quota of the address or its network is used up")
)

// InNetwork is how many addresses' quotas one network has, by [NetworkOf]: whoever has a whole one
// leaves room to others.
const InNetwork = 4

// Quota counts what is open at the same time: in all, by network and by address.
type Quota struct {
	max, maxPer int

	mu       sync.Mutex // guards what follows
	n        int
	per      map[netip.Addr]int
	networks map[netip.Addr]int
}

// NewQuota returns a quota of so many in all, and so many of one address; of one network it is
// [InNetwork] times that. What has no address, such as a socket, is a network of its own.
func NewQuota(all, per int) *Quota {
	return &Quota{max: all, maxPer: per, per: map[netip.Addr]int{}, networks: map[netip.Addr]int{}}
}

// Enter counts one more of an address, until leave, which may be called twice.
func (q *Quota) Enter(addr netip.Addr) (leave func(), err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.per[addr] >= q.maxPer, q.networks[NetworkOf(addr)] >= InNetwork*q.maxPer:
		return nil, ErrAddressFull
	case q.n >= q.max:
		return nil, ErrFull
	}
	q.n++
	q.per[addr]++
	q.networks[NetworkOf(addr)]++
	return sync.OnceFunc(func() { q.leave(addr) }), nil
}

func (q *Quota) leave(addr netip.Addr) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.n--
	if q.per[addr]--; q.per[addr] == 0 {
		delete(q.per, addr)
	}
	network := NetworkOf(addr)
	if q.networks[network]--; q.networks[network] == 0 {
		delete(q.networks, network)
	}
}

// Count returns how many are open.
func (q *Quota) Count() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.n
}
