package payment

import (
	"context"
	"errors"
	"sync"
	"time"

	"sandglass/domain/instant"
	"sandglass/domain/stream"
	"sandglass/domain/wallet"
)

// Wallets executes commands on what is known of wallets.
type Wallets = stream.Handler[wallet.State, wallet.Command, wallet.Event]

// Watcher is the loop from the wallet to the log.
//
// A stream is a wake-up; the wallet's own records are the truth, and the log is the
// memory. At start, at every reconnect, on every gap and on a timer a sweep asks the
// wallet about each payment that is still waited for, lists its invoices, and books what
// the log lacks; the live stream only makes it fast.
type Watcher struct {
	WatcherConfig

	once   sync.Once // closes swept
	swept  chan struct{}
	nudge  chan struct{}
	work   *lanes
	booked amounts

	// What follows is of the goroutine that runs.
	node   string    // identity_pubkey of the last connection
	full   time.Time // when every invoice was last listed
	fullAt time.Time // when every invoice is to be listed
	again  ring      // invoices that can be paid again

	mu     sync.Mutex // guards health
	health Health
}

// WatcherConfig is what a watcher works with.
type WatcherConfig struct {
	Wallet  Wallet
	Wallets *Wallets
	Booker  *Booker
	// Waiting returns the payments that are requested or settled, oldest first. It may be
	// late, as a projection is.
	Waiting  func(context.Context) ([]Waiting, error)
	Observer Observer // may be nil
	Now      func() instant.Time

	// What follows has a default where it is zero.
	SweepEvery time.Duration // between sweeps: 2 minutes
	FullEvery  time.Duration // between sweeps that list every invoice: 24 hours
	CheckEvery time.Duration // between questions whether the wallet answers: 20 s
	GapDelay   time.Duration // before a gap brings a sweep: 1 s
	RetryMin   time.Duration // the first pause after an error: 100 ms
	RetryMax   time.Duration // the longest one: 30 s
	DenyEvery  time.Duration // the pause when the wallet denies us: 1 minute
	// LostAfter is how long after its expiry a request that the wallet does not know is
	// given up: 1 hour.
	LostAfter instant.Millis
	Parallel  int // bookings at once: 32
}

// NewWatcher returns a watcher, which [Watcher.Run] starts.
func NewWatcher(c WatcherConfig) (*Watcher, error) {
	if c.Wallet == nil || c.Wallets == nil || c.Booker == nil || c.Waiting == nil || c.Now == nil {
		return nil, errors.New("payment: a watcher needs a wallet, its log, a booker, the waiting payments and a clock")
	}
	c.defaults()
	w := &Watcher{WatcherConfig: c, swept: make(chan struct{}), nudge: make(chan struct{}, 1), work: newLanes(c.Parallel)}
	w.health = Health{Condition: Connecting, Advice: "not started", Since: c.Now()}
	return w, nil
}

func (c *WatcherConfig) defaults() {
	setDefaults([]setting{
		{&c.SweepEvery, 2 * time.Minute}, {&c.FullEvery, 24 * time.Hour}, {&c.CheckEvery, 20 * time.Second},
		{&c.GapDelay, time.Second}, {&c.RetryMin, 100 * time.Millisecond}, {&c.RetryMax, 30 * time.Second},
		{&c.DenyEvery, time.Minute},
	})
	if c.LostAfter <= 0 {
		c.LostAfter = instant.Hour
	}
	if c.Parallel <= 0 {
		c.Parallel = 32
	}
	if c.Observer == nil {
		c.Observer = silent{}
	}
}

// setting is a time that has a default.
type setting struct {
	field *time.Duration
	value time.Duration
}

func setDefaults(settings []setting) {
	for _, s := range settings {
		if *s.field <= 0 {
			*s.field = s.value
		}
	}
}

// Swept returns a channel that is closed after the first finished sweep: before it,
// nobody may be suspended for want of a payment.
func (w *Watcher) Swept() <-chan struct{} { return w.swept }

// Nudge asks for a sweep now.
func (w *Watcher) Nudge() {
	select {
	case w.nudge <- struct{}{}:
	default: // one is asked for already
	}
}
