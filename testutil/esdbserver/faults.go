package esdbserver

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/status"

	"sandglass/testutil/esdbserver/eventlog"
)

// Fault is what becomes of a write.
type Fault int

// The ways in which a write fails. Of those that have "answer" in their name all is
// written, of the others nothing.
const (
	None        Fault = iota
	Lost              // the call fails with Unavailable
	AnswerLost        // the same
	Cut               // the client's connection breaks
	AnswerCut         // the same
	Hangs             // the call doesn't end before its deadline
	AnswerHangs       // the same
	NotLeader         // the node says that it isn't the leader
)

func (f Fault) writes() bool {
	return f == None || f == AnswerLost || f == AnswerCut || f == AnswerHangs
}

// faults are how the cluster misbehaves.
type faults struct {
	leader atomic.Int32
	refuse atomic.Bool                   // followers don't forward writes
	vote   atomic.Bool                   // a leader is being elected: there is none
	gate   atomic.Pointer[chan struct{}] // what calls wait for while they are stalled
	cuts   eventlog.Signal               // told when a test cuts the reads
	slow   eventlog.Signal               // told when a test calls the consumers too slow

	mu      sync.Mutex
	writes  []Fault // of the next writes
	reads   []int   // after how many events the next reads are cut
	onWrite func(stream string) Fault
	onRead  func(Reading) int
}

// Reading is a read or a subscription that begins.
type Reading struct {
	Stream       string // "$all" for the log
	Subscription bool
}

// FailAppends has the next appends fail, one for each fault: deletions count as appends.
func (c *Cluster) FailAppends(fs ...Fault) {
	c.faults.mu.Lock()
	defer c.faults.mu.Unlock()
	c.faults.writes = append(c.faults.writes, fs...)
}

// LoseRequests has the next n appends written nowhere.
func (c *Cluster) LoseRequests(n int) { c.FailAppends(slices.Repeat([]Fault{Lost}, n)...) }

// LoseAnswers has the next n appends written, and nobody told.
func (c *Cluster) LoseAnswers(n int) { c.FailAppends(slices.Repeat([]Fault{AnswerLost}, n)...) }

// AnswerNotLeader has the next n appends refused as by a follower.
func (c *Cluster) AnswerNotLeader(n int) { c.FailAppends(slices.Repeat([]Fault{NotLeader}, n)...) }

// OnAppend has f say what becomes of each append that no other fault was set for. It may
// be called from many goroutines at once; nil ends it.
func (c *Cluster) OnAppend(f func(stream string) Fault) {
	c.faults.mu.Lock()
	defer c.faults.mu.Unlock()
	c.faults.onWrite = f
}

// CutReadsAfter has the next reads and subscriptions fail with Unavailable, one for each
// number, after that many events: 0 is before anything is answered.
func (c *Cluster) CutReadsAfter(events ...int) {
	c.faults.mu.Lock()
	defer c.faults.mu.Unlock()
	c.faults.reads = append(c.faults.reads, events...)
}

// OnRead has f say after how many events a read or subscription is cut, of those that
// CutReadsAfter leaves: below 0 is never. nil ends it.
func (c *Cluster) OnRead(f func(Reading) int) {
	c.faults.mu.Lock()
	defer c.faults.mu.Unlock()
	c.faults.onRead = f
}

// CutReads ends the reads and subscriptions that are there with Unavailable.
func (c *Cluster) CutReads() { c.faults.cuts.Broadcast() }

// CutConnections breaks all connections. New ones are eventlog.Accepted.
func (c *Cluster) CutConnections() {
	for _, n := range c.nodes {
		n.cut("")
	}
}

// CallConsumersSlow ends the subscriptions that wait for new events with Aborted, as the
// server does with a consumer that doesn't keep up.
func (c *Cluster) CallConsumersSlow() { c.faults.slow.Broadcast() }

// Stall has all calls hang, and subscriptions fall silent, until it is released.
func (c *Cluster) Stall() (release func()) {
	gate := make(chan struct{})
	c.faults.gate.Store(&gate)
	return sync.OnceFunc(func() {
		c.faults.gate.CompareAndSwap(&gate, nil)
		close(gate)
	})
}

// GoAway closes the listeners and breaks the connections. The log stays.
func (c *Cluster) GoAway() {
	for _, n := range c.nodes {
		n.stop()
	}
}

// ComeBack lets the nodes that went away answer again, at their addresses.
func (c *Cluster) ComeBack() error {
	var err error
	for _, n := range c.nodes {
		err = errors.Join(err, n.start())
	}
	return err
}

// StopNode has one node go away. If it was the leader, another one becomes it.
func (c *Cluster) StopNode(i int) {
	c.nodes[i].stop()
	if c.Leader() == i {
		c.MoveLeader()
	}
}

// StartNode has it come back.
func (c *Cluster) StartNode(i int) error { return c.nodes[i].start() }

// MoveLeader makes the next node that is alive the leader, and returns which it is.
func (c *Cluster) MoveLeader() int {
	leader := c.Leader()
	for i := 1; i < len(c.nodes); i++ {
		if next := (leader + i) % len(c.nodes); c.nodes[next].alive() {
			leader = next
			break
		}
	}
	c.faults.leader.Store(int32(leader))
	return leader
}

// Resign has the leader give up, as one does that is asked to. Until another one is elected,
// which takes so long, there is none: what is appended meanwhile is never answered, as what was
// under way, and what asks for the leader is Unavailable. All connections stay.
func (c *Cluster) Resign(election time.Duration) {
	c.faults.vote.Store(true)
	end := c.calls.begin()
	time.AfterFunc(election, func() {
		defer end()
		c.MoveLeader()
		c.faults.vote.Store(false)
	})
}

// RefuseOnFollowers has followers answer that they are not the leader instead of
// forwarding appends to it.
func (c *Cluster) RefuseOnFollowers(on bool) { c.faults.refuse.Store(on) }

// Freeze has a node see nothing of what is written from now on, as a follower that lags.
func (c *Cluster) Freeze(i int) {
	v, unlock := c.log.View()
	defer unlock()
	c.nodes[i].frozen.Store(int64(v.Limit()))
}

// Thaw lets it see everything again.
func (c *Cluster) Thaw(i int) {
	c.nodes[i].frozen.Store(notFrozen)
	c.log.Wake()
}

// quorum reports whether enough nodes are alive to write.
func (c *Cluster) quorum() bool {
	if len(c.nodes) == 1 {
		return true
	}
	alive := 0
	for _, n := range c.nodes {
		if n.alive() {
			alive++
		}
	}
	return 2*alive > len(c.nodes)
}

func (f *faults) nextWrite(stream string) Fault {
	f.mu.Lock()
	if len(f.writes) > 0 {
		next := f.writes[0]
		f.writes = f.writes[1:]
		f.mu.Unlock()
		return next
	}
	hook := f.onWrite
	f.mu.Unlock()
	if hook == nil {
		return None
	}
	return hook(stream)
}

// BeginRead implements [service.Faults].
func (f *faults) BeginRead(stream string, subscription bool) (cut <-chan struct{}, limit int) {
	cut = f.cuts.Next()
	f.mu.Lock()
	limit, hook := -1, f.onRead
	if len(f.reads) > 0 {
		limit, hook, f.reads = f.reads[0], nil, f.reads[1:]
	}
	f.mu.Unlock()
	if hook != nil {
		limit = hook(Reading{Stream: stream, Subscription: subscription})
	}
	return cut, limit
}

// Slow implements [service.Faults].
func (f *faults) Slow() <-chan struct{} { return f.slow.Next() }

// PassStall implements [service.Faults].
func (f *faults) PassStall(ctx context.Context) error {
	gate := f.gate.Load()
	if gate == nil {
		return nil
	}
	select {
	case <-*gate:
	case <-ctx.Done():
	}
	return status.FromContextError(ctx.Err()).Err() // a caller that gave up meanwhile gets nothing done
}

// RandomFaults returns a function for OnAppend that has so many of a hundred appends fail,
// in the ways given: without any, in all that leave the client an error at once. A seed
// gives the same faults each time.
func RandomFaults(seed uint64, percent int, ways ...Fault) func(stream string) Fault {
	if len(ways) == 0 {
		ways = []Fault{Lost, AnswerLost, Cut, AnswerCut}
	}
	draw := drawing(seed)
	return func(string) Fault {
		if draw(100) >= percent {
			return None
		}
		return ways[draw(len(ways))]
	}
}

// RandomCuts returns a function for OnRead that cuts so many of a hundred reads and
// subscriptions, each after fewer than so many events.
func RandomCuts(seed uint64, percent, events int) func(Reading) int {
	draw := drawing(seed)
	return func(Reading) int {
		if draw(100) >= percent {
			return -1
		}
		return draw(events)
	}
}

func drawing(seed uint64) func(n int) int {
	var mu sync.Mutex
	random := rand.New(rand.NewPCG(seed, 0))
	return func(n int) int {
		mu.Lock()
		defer mu.Unlock()
		return random.IntN(n)
	}
}
