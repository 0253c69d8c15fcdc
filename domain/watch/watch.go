// Package watch is what the watchers of the wallet's invoices and of the chain share: how
// they are, how they work on many payments at once, and how they wait.
//
// A watcher compares in sweeps what a wallet tells with the log. Streams only wake it up:
// what a sweep finds is what counts, and until one is finished nobody may be suspended for
// want of a payment. What is compared, and what is done about it, is left to the packages
// lightning and chain.
package watch

import (
	"sync"
	"time"

	"sandglass/domain/instant"
	"sandglass/domain/stream"
)

// Meta is what the records tell that a watcher writes.
var Meta = stream.Meta{Actor: "watcher"}

// Progress is how a watcher is, for others to see, and to ask it for a sweep. It is made by
// [NewProgress].
type Progress struct {
	now    func() instant.Time
	once   sync.Once // closes swept
	swept  chan struct{}
	nudged chan struct{}

	finished chan struct{}

	mu     sync.Mutex // guards what follows
	health Health
	began  Began  // of the last finished sweep
	node   string // whose wallet that was of
}

// NewProgress returns the progress of a watcher that was not started.
func NewProgress(now func() instant.Time) *Progress {
	return &Progress{
		now: now, swept: make(chan struct{}), nudged: make(chan struct{}, 1), finished: make(chan struct{}, 1),
		health: Health{Condition: Connecting, Advice: NotStarted, Since: now()},
	}
}

// Swept returns a channel that is closed after the first finished sweep: before it,
// nobody may be suspended for want of a payment.
func (p *Progress) Swept() <-chan struct{} { return p.swept }

// MarkSwept closes [Progress.Swept].
func (p *Progress) MarkSwept() { p.once.Do(func() { close(p.swept) }) }

// Began is when a sweep began, by the clock of the log and by that of the process, which is
// never set.
type Began struct {
	At      instant.Time
	Process time.Time
}

// BeginSweep returns when a sweep begins that begins now.
func (p *Progress) BeginSweep() Began { return Began{p.now(), time.Now()} }

// By returns when the sweep began, by a clock that shows now and may have been set since. It
// is the earlier of what is possible.
func (b Began) By(now instant.Time) instant.Time {
	return min(b.At, now.Add(-instant.OfDuration(time.Since(b.Process))))
}

// FinishSweep says that a sweep of a node's wallet has seen, and the log has, all that came
// before it began.
func (p *Progress) FinishSweep(node string, b Began) {
	p.mu.Lock()
	p.began, p.node = b, node
	p.mu.Unlock()
	p.MarkSwept()
	Signal(p.finished)
}

// Finished returns a channel that gets a token after a [Progress.FinishSweep]. It is for one
// reader.
func (p *Progress) Finished() <-chan struct{} { return p.finished }

// SweptTo returns up to when all that came to a node is known: when the last finished sweep
// began, by a clock that may have been set since. 0 if none was finished, or the last was of
// another node.
func (p *Progress) SweptTo(node string, now instant.Time) instant.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.began.Process.IsZero() || p.node != node {
		return 0
	}
	return p.began.By(now)
}

// Nudge asks for a sweep now.
func (p *Progress) Nudge() { Signal(p.nudged) }

// Nudged returns a channel that yields after a [Progress.Nudge].
func (p *Progress) Nudged() <-chan struct{} { return p.nudged }

// Health returns how the watcher is.
func (p *Progress) Health() Health {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.health
}

// UpdateHealth changes how the watcher is. Since follows by itself.
func (p *Progress) UpdateHealth(change func(*Health)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	was := p.health.Condition
	if change(&p.health); p.health.Condition != was {
		p.health.Since = p.now()
	}
}

// Signal leaves one token in a channel that holds one: whoever waits there will look, and
// sees all that was before.
func Signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
