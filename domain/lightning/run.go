package lightning

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"sandglass/domain/wallet"
	"sandglass/domain/watch"
)

// Run watches until ctx ends, and then returns nil. It connects again for as long as
// that may help; it returns an error only where it can't: the node is on another network
// than when it was adopted.
func (w *Watcher) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	w.workers.Start(ctx, &wg)
	w.listNext = time.Now().Add(w.SweepEvery) // the first sweep by the timer lists everything
	for failures := 0; ctx.Err() == nil; failures++ {
		swept, err := w.connect(ctx)
		fatal, isFatal := errors.AsType[*hopeless](err)
		switch {
		case ctx.Err() != nil:
			return nil
		case isFatal:
			return fatal.error
		case errors.Is(err, errRebuilt):
			failures = -1 // go on at once: the wallet is there
			continue
		case swept:
			failures = 0
		}
		w.Observer.Notice(watch.Notice{Sign: watch.SignReconnect, Err: err})
		w.UpdateHealth(func(h *watch.Health) { h.SetTrouble(err) })
		w.Retry.Wait(ctx, failures, err)
	}
	return nil
}

// hopeless is an error that trying again can't mend.
type hopeless struct{ error }

var errRebuilt = errors.New("lightning: the wallet's indices began again")

// connect is one connection from its begin to its end. It reports whether a sweep was
// finished.
func (w *Watcher) connect(ctx context.Context) (swept bool, err error) {
	w.UpdateHealth(func(h *watch.Health) {
		if h.Condition == watch.Ready || h.Advice == watch.NotStarted {
			h.Condition, h.Advice = watch.Connecting, "connecting"
		}
	})
	id, err := w.Wallet.Connect(ctx)
	if err != nil {
		return false, err
	}
	state, err := w.adopt(ctx, id)
	if err != nil {
		return false, err
	}
	w.UpdateHealth(func(h *watch.Health) {
		h.Condition, h.Advice = watch.Syncing, "reading the wallet's records"
		h.Node, h.Network, h.Epoch, h.Cursor = id.Node, id.Network, state.Epoch, state.Settle
	})
	s := w.newSession(id, state)
	swept, err = s.run(ctx)
	if errors.Is(err, errRebuilt) {
		if err := w.beginEpoch(ctx, id, state.Epoch+1); err != nil {
			return swept, err
		}
	}
	return swept, err
}

// session is one connection to the wallet, within one epoch.
type session struct {
	w      *Watcher
	id     watch.Identity
	known  wallet.State // of the wallet, as of the connection
	cursor *cursor
	soon   chan struct{} // asks for a sweep after GapDelay
	end    context.CancelCauseFunc

	firstSweep     sync.Once     // closes firstSweepDone
	firstSweepDone chan struct{} // closed after the first sweep, however it ended

	chainSynced, sweepFinished atomic.Bool
}

func (w *Watcher) newSession(id watch.Identity, state wallet.State) *session {
	s := &session{
		w: w, id: id, known: state, cursor: newCursor(state.Settle),
		soon: make(chan struct{}, 1), firstSweepDone: make(chan struct{}),
	}
	s.chainSynced.Store(id.Synced)
	return s
}

// run listens, checks and sweeps until one of them ends the session. It reports whether a
// sweep was finished.
func (s *session) run(ctx context.Context) (swept bool, err error) {
	ctx, s.end = context.WithCancelCause(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { s.end(s.listen(ctx)) })
	wg.Go(func() { s.end(s.check(ctx)) })
	swept = s.sweepAgain(ctx)
	wg.Wait()
	return swept, context.Cause(ctx)
}

// listen books what the wallet tells of as it settles. It begins to when the first sweep
// has booked what came before.
func (s *session) listen(ctx context.Context) error {
	for e, err := range s.w.Wallet.Settlements(ctx, s.known.Settle) {
		if err != nil {
			return err
		}
		heard := time.Now()
		s.w.UpdateHealth(func(h *watch.Health) { h.LastEvent = s.w.Now() })
		select {
		case <-s.firstSweepDone:
		case <-ctx.Done():
			return ctx.Err()
		}
		if err := s.bookEntry(ctx, e, heard); err != nil {
			return err
		}
		if s.cursor.hasGap(s.cursor.highest()) {
			watch.Signal(s.soon)
		}
	}
	return watch.ErrEnded
}

// bookEntry queues the booking of what the log lacks of an entry that the wallet told of.
func (s *session) bookEntry(ctx context.Context, e Entry, heard time.Time) error {
	lacking, _, err := s.missingFromLog(ctx, e)
	if err != nil {
		s.w.Observer.Notice(watch.Notice{Sign: watch.SignRetry, Text: "reading the log", Err: err})
		watch.Signal(s.soon) // the sweep will find it
		return nil
	}
	for _, a := range lacking {
		if err := s.enqueue(ctx, a, heard, false, func(bool, error) {}); err != nil {
			return err
		}
	}
	return nil
}

// check ends the session when the wallet does not answer, or is another one.
func (s *session) check(ctx context.Context) error {
	for watch.Pause(ctx, s.w.CheckEvery) {
		id, err := s.w.Wallet.Check(ctx)
		if err != nil {
			return err
		}
		if id.Node != s.id.Node || id.Network != s.id.Network {
			return fmt.Errorf("the wallet was %s on %s, and is now %s on %s", s.id.Node, s.id.Network, id.Node, id.Network)
		}
		s.chainSynced.Store(id.Synced)
		s.w.UpdateHealth(func(h *watch.Health) {
			if s.sweepFinished.Load() && (h.Condition == watch.Ready || h.Condition == watch.Syncing) {
				h.SetSwept(id.Synced)
			}
		})
	}
	return ctx.Err()
}
