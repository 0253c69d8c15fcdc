package chain

import (
	"context"
	"sync"
	"time"

	"sandglass/domain/watch"
)

// catchUp is how often a wallet is looked at that has not seen the whole chain, or may not tell all yet.
const catchUp = 5 * time.Second

// cause is why a sweep is made.
type cause uint8

const (
	byTimer cause = iota
	byNews
	byStart
)

// Run watches until ctx ends, and then returns nil. It tries again for as long as it
// takes. Where no address was ever issued nobody can have paid, and [watch.Progress.Swept]
// is closed at once.
func (w *Watcher) Run(ctx context.Context) error {
	issued := func() bool { _, ok := w.lowest(); return ok }
	if !issued() {
		w.MarkSwept()
	}
	for w.OnlyIssued && !issued() {
		if !watch.Pause(ctx, w.SweepEvery) {
			return nil
		}
	}
	for failures := 0; ctx.Err() == nil; failures++ {
		swept, err := w.connect(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if swept {
			failures = 0
		}
		w.Observer.Notice(watch.Notice{Sign: watch.SignReconnect, Text: "the chain", Err: err})
		w.UpdateHealth(func(h *watch.Health) { h.SetTrouble(err) })
		w.Retry.Wait(ctx, failures, err)
	}
	return nil
}

// connect sweeps until the wallet's streams end or a sweep fails. It reports whether a
// sweep was finished.
func (w *Watcher) connect(ctx context.Context) (swept bool, err error) {
	ctx, end := context.WithCancelCause(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer end(nil)
	news := make(chan struct{}, 1)
	w.news, w.connected = news, time.Now()
	wg.Go(func() { end(w.listen(ctx, news)) })
	for why := byStart; ; {
		if err := w.sweep(ctx, why); err != nil {
			if ctx.Err() != nil {
				err = context.Cause(ctx)
			} else {
				w.Observer.Notice(watch.Notice{Sign: watch.SignSweep, Text: "the chain", Err: err})
			}
			return swept, err
		}
		swept = true
		if why, err = w.waitForSweep(ctx); ctx.Err() != nil {
			return swept, context.Cause(ctx)
		} else if err != nil {
			return swept, err
		}
	}
}

// listen turns what the wallet tells into wake-ups.
func (w *Watcher) listen(ctx context.Context, news chan struct{}) error {
	for _, err := range w.Wallet.News(ctx) {
		if err != nil {
			return err
		}
		w.UpdateHealth(func(h *watch.Health) { h.LastEvent = w.Now() })
		watch.Signal(news)
	}
	return watch.ErrEnded
}

// waitForSweep waits for a reason to sweep. It asks for the tip now and then: the wallet
// tells nothing of a chain that became shorter, as invalidateblock makes it.
func (w *Watcher) waitForSweep(ctx context.Context) (cause, error) {
	every := w.SweepEvery
	if w.Health().Condition != watch.Ready || time.Since(w.connected) < catchUp {
		every = min(every, catchUp)
	}
	timer, look := time.NewTimer(every), time.NewTicker(w.CheckEvery)
	defer timer.Stop()
	defer look.Stop()
	for {
		select {
		case <-timer.C:
			return byTimer, nil
		case <-w.Nudged():
		case <-w.news:
		case <-ctx.Done():
		case <-look.C:
			if tip, err := w.Wallet.Tip(ctx); err != nil || tip != w.lastTip {
				return byTimer, err
			}
			continue
		}
		return byNews, nil
	}
}
