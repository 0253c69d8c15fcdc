// Package projections holds the read models: what the API, the meter, the watchers and
// the auditor ask for, folded in memory from the log.
//
// [Views] are all of them, folded together in the order of commits, so that what one of
// them says at a position fits what the others say. [Run] feeds them, or [Replay], and nothing
// else does. They decide nothing: each figure follows from the events alone, and a snapshot
// file ([Views.Save], [Views.Load]) only makes a restart short. How resources are packed,
// when they are due, what a snapshot's file and an auditor's dump look like, is left to the
// packages below; deciding, to those of the domain; acting, to the enforcers.
package projections

import (
	"context"
	"sync"

	"sandglass/domain/instant"
	"sandglass/domain/resource"
	"sandglass/domain/stream"
	"sandglass/domain/watch"
	"sandglass/projections/open"
	"sandglass/projections/table"
	"sandglass/projections/wallets"
)

// Views are all read models of one daemon, folded together in commit order. Their
// methods may be called from anywhere at any time.
type Views struct {
	every instant.Millis
	host  string // whose deadlines are kept; empty is all
	file  string // of the snapshot that was loaded, or empty

	mu        sync.RWMutex // guards what follows; held for writing once per run of events
	at        position
	resources *table.Table
	payments  open.Payments
	plans     map[string]planRow
	addresses addresses
	wallets   map[string]wallets.Wallet
	ledger    Ledger
	deadlines deadlines
	live      bool // deadlines are kept: from CaughtUp on
	listeners watch.Listeners[resource.ID]
	waiting   []waiter
	touched   map[resource.ID]struct{} // nil until somebody asks

	caughtUp chan struct{}
	moved    chan struct{}
	touch    chan struct{}
	swept    chan struct{}
}

// position is a place in a log, with the record that stands there, to know it again.
type position struct {
	pos      stream.Position
	stream   string
	revision stream.Revision
	id       stream.EventID
	recorded instant.Time // the same event may have been written once more, later
}

// waiter is a call of WaitFor.
type waiter struct {
	pos  stream.Position
	done chan struct{}
}

// New returns views of an empty log for the one machine that owns all resources. A
// running resource is due for a debit every so often; every is at least 1 ms.
func New(every instant.Millis) *Views { return NewFor("", every) }

// NewFor returns views of an empty log for one of several hosts. They show all there is,
// but know the deadlines of its own resources alone.
func NewFor(host string, every instant.Millis) *Views {
	v := &Views{
		every:     max(every, 1),
		host:      host,
		listeners: watch.Listeners[resource.ID]{},
		caughtUp:  make(chan struct{}),
		moved:     make(chan struct{}, 1),
		touch:     make(chan struct{}, 1),
		swept:     make(chan struct{}, 1),
	}
	v.reset()
	return v
}

// reset forgets what was folded.
func (v *Views) reset() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.at, v.ledger, v.live = position{}, Ledger{}, false
	v.resources = table.New()
	v.payments = open.New()
	v.plans = map[string]planRow{}
	v.addresses = newAddresses()
	v.wallets = map[string]wallets.Wallet{}
	v.deadlines = deadlines{}
}

// Position returns the position of the last event that is in the views, 0 for none.
func (v *Views) Position() stream.Position {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return v.at.pos
}

// Last returns where the last event that is in the views stands, or false if there is none.
func (v *Views) Last() (name string, rev stream.Revision, ok bool) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return v.at.stream, v.at.revision, v.at.pos != 0
}

// CaughtUp is closed when the head that the log had at the start of [Run] is in the
// views. Before that they show the past, and no deadlines.
func (v *Views) CaughtUp() <-chan struct{} { return v.caughtUp }

// WaitFor returns when the event at pos is in the views: whoever has written reads what
// they wrote. It returns the error of ctx if that ends first.
func (v *Views) WaitFor(ctx context.Context, pos stream.Position) error {
	v.mu.Lock()
	if v.at.pos >= pos {
		v.mu.Unlock()
		return nil
	}
	w := waiter{pos, make(chan struct{})}
	v.waiting = append(v.waiting, w)
	v.mu.Unlock()
	select {
	case <-w.done:
		return nil
	case <-ctx.Done():
		v.forget(w)
		return ctx.Err()
	}
}

// forget removes a waiter that has given up.
func (v *Views) forget(w waiter) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for i := range v.waiting {
		if v.waiting[i].done == w.done {
			v.waiting[i] = v.waiting[len(v.waiting)-1]
			v.waiting = v.waiting[:len(v.waiting)-1]
			return
		}
	}
}

// wake ends the waiting for positions that are reached.
func (v *Views) wake() {
	rest := v.waiting[:0]
	for _, w := range v.waiting {
		if w.pos <= v.at.pos {
			close(w.done)
		} else {
			rest = append(rest, w)
		}
	}
	clear(v.waiting[len(rest):])
	v.waiting = rest
}

// catchUp marks the views as caught up once pos reaches head.
func (v *Views) catchUp(head stream.Position) {
	if v.live || v.at.pos < head {
		return
	}
	v.knowDeadlines()
	watch.Signal(v.moved)
	select {
	case <-v.caughtUp:
	default:
		close(v.caughtUp)
	}
}

// reached is catchUp for a caller that does not hold the lock.
func (v *Views) reached(head stream.Position) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.catchUp(head)
}
