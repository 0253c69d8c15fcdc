package payment

import (
	"context"
	"errors"
	"sync"
	"time"

	"sandglass/domain/instant"
	"sandglass/domain/money"
)

// ChainWatcher is the loop from the chain to the log.
//
// An output is credited when enough blocks stand on it, and is watched until so many do
// that it counts as final. The wallet's streams and the blocks are wake-ups. At start, at
// every reconnect, on every block and transaction and on a timer a sweep compares what
// the wallet lists with the log, both ways. What decides is the chain alone: an output
// counts as long as the block that holds it is the active chain's at its height, whatever
// the wallet believes.
type ChainWatcher struct {
	ChainConfig

	once  sync.Once // closes swept
	swept chan struct{}
	nudge chan struct{}
	final amounts // payments that are final

	// What follows is of the goroutine that runs.
	seen   Tip            // of the last sweep
	tip    Tip            // of the last sweep that was through
	blind  map[int64]bool // heights that the wallet can't list, as was told
	fullAt time.Time
	dead   graves
	news   chan struct{}     // the wallet told something
	held   map[string]string // by resource: a payment for which the meter may hold it

	mu      sync.Mutex        // guards what follows
	pending map[string]string // by resource: a payment that is on its way to it
	health  Health
}

// ChainConfig is what a watcher of the chain works with.
type ChainConfig struct {
	Chain  Chain
	Booker *Booker
	// Issued returns for which resource an address was issued, and at which height.
	Issued func(address string) (resource string, height int64, ok bool)
	// Lowest returns the lowest height at which an address was issued.
	Lowest func() (height int64, ok bool)
	// Waiting returns the payments on the chain for which [State.Waits]. This and the two
	// above may be late, as projections are.
	Waiting func() []State
	// Required returns how many confirmations a payment needs, itself counted: 1 or more.
	Required func(resource string, amount money.Msat) int
	Observer Observer // may be nil
	Now      func() instant.Time

	// What follows has a default where it is zero.
	FinalDepth int           // confirmations after which a payment is not watched any more: 100
	SweepEvery time.Duration // between sweeps: 2 minutes
	FullEvery  time.Duration // between sweeps of all heights: 24 hours
	CheckEvery time.Duration // between questions for the tip: 10 s
	RetryMin   time.Duration // the first pause after an error: 100 ms
	RetryMax   time.Duration // the longest one: 30 s
	DenyEvery  time.Duration // the pause when the wallet denies us: 1 minute
}

// NewChainWatcher returns a watcher, which [ChainWatcher.Run] starts.
func NewChainWatcher(c ChainConfig) (*ChainWatcher, error) {
	if c.Chain == nil || c.Booker == nil || c.Issued == nil || c.Lowest == nil || c.Waiting == nil || c.Required == nil || c.Now == nil {
		return nil, errors.New("payment: a watcher of the chain needs a chain, a booker, the addresses, the waiting payments, the confirmations to wait for and a clock")
	}
	if c.FinalDepth <= 0 {
		c.FinalDepth = 100
	}
	setDefaults([]setting{
		{&c.SweepEvery, 2 * time.Minute}, {&c.FullEvery, 24 * time.Hour}, {&c.CheckEvery, 10 * time.Second},
		{&c.RetryMin, 100 * time.Millisecond}, {&c.RetryMax, 30 * time.Second}, {&c.DenyEvery, time.Minute},
	})
	if c.Observer == nil {
		c.Observer = silent{}
	}
	w := &ChainWatcher{ChainConfig: c, swept: make(chan struct{}), nudge: make(chan struct{}, 1), dead: newGraves(), blind: map[int64]bool{}, held: map[string]string{}}
	w.health = Health{Condition: Connecting, Advice: "not started", Since: c.Now()}
	return w, nil
}

// Swept returns a channel that is closed after the first finished sweep, or as soon as it
// is known that no address was ever issued: before it, nobody may be suspended for want
// of a payment.
func (w *ChainWatcher) Swept() <-chan struct{} { return w.swept }

// Nudge asks for a sweep now.
func (w *ChainWatcher) Nudge() {
	select {
	case w.nudge <- struct{}{}:
	default: // one is asked for already
	}
}

// Health returns how the watcher is.
func (w *ChainWatcher) Health() Health {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.health
}

// Tip returns the height of the active chain as of the last sweep, 0 before it.
func (w *ChainWatcher) Tip() int64 { return w.Health().Height }

func (w *ChainWatcher) tell(change func(*Health)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	was := w.health.Condition
	if change(&w.health); w.health.Condition != was {
		w.health.Since = w.Now()
	}
}

// Pending returns a payment that was seen on the chain and is on its way to a resource,
// or false if there is none.
func (w *ChainWatcher) Pending(resource string) (key string, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	key, ok = w.pending[resource]
	return key, ok
}

// Run watches until ctx ends, and then returns nil. It tries again for as long as it
// takes.
func (w *ChainWatcher) Run(ctx context.Context) error {
	if _, ok := w.Lowest(); !ok {
		w.once.Do(func() { close(w.swept) }) // nobody can have paid
	}
	for failures := 0; ctx.Err() == nil; failures++ {
		swept, err := w.connected(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if swept {
			failures = 0
		}
		w.Observer.Notice(Notice{Sign: SignReconnect, Text: "the chain", Err: err})
		w.tell(func(h *Health) { h.Condition, h.Advice = condition(err) })
		pause(ctx, pauseAfter(err, failures, w.RetryMin, w.RetryMax, w.DenyEvery))
	}
	return nil
}

// catchUp is how often a wallet that has not seen the whole chain is looked at.
const catchUp = 5 * time.Second

// cause is why a sweep is made.
type cause uint8

const (
	byTimer cause = iota
	byNews
	byStart
)

// connected sweeps until the wallet's streams end or a sweep fails. It says whether a
// sweep was through.
func (w *ChainWatcher) connected(ctx context.Context) (swept bool, err error) {
	ctx, end := context.WithCancelCause(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer end(nil)
	news := make(chan struct{}, 1)
	w.news = news
	wg.Go(func() { end(w.listen(ctx, news)) })
	for why := byStart; ; {
		if err := w.sweep(ctx, why); err != nil {
			if ctx.Err() != nil {
				err = context.Cause(ctx)
			} else {
				w.Observer.Notice(Notice{Sign: SignSweep, Text: "the chain", Err: err})
			}
			return swept, err
		}
		swept = true
		if why, err = w.wait(ctx); ctx.Err() != nil {
			return swept, context.Cause(ctx)
		} else if err != nil {
			return swept, err
		}
	}
}

// listen turns what the wallet tells into wake-ups.
func (w *ChainWatcher) listen(ctx context.Context, news chan<- struct{}) error {
	for _, err := range w.Chain.News(ctx) {
		if err != nil {
			return err
		}
		w.tell(func(h *Health) { h.LastEvent = w.Now() })
		select {
		case news <- struct{}{}:
		default: // it is about to look
		}
	}
	return errEnded
}

// wait waits for a reason to sweep. It asks for the tip now and then: the wallet tells
// nothing of a chain that became shorter, as invalidateblock makes it.
func (w *ChainWatcher) wait(ctx context.Context) (cause, error) {
	every := w.SweepEvery
	if w.Health().Condition != Ready {
		every = min(every, catchUp)
	}
	timer, look := time.NewTimer(every), time.NewTicker(w.CheckEvery)
	defer timer.Stop()
	defer look.Stop()
	for {
		select {
		case <-timer.C:
			return byTimer, nil
		case <-w.nudge:
		case <-w.news:
		case <-ctx.Done():
		case <-look.C:
			if tip, err := w.Chain.Tip(ctx); err != nil || tip != w.seen {
				return byTimer, err
			}
			continue
		}
		return byNews, nil
	}
}
