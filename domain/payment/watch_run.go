package payment

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"sandglass/domain/wallet"
)

// Run watches until ctx ends, and then returns nil. It connects again for as long as
// that may help; it returns an error only where it can't: the node is on another network
// than when it was adopted.
func (w *Watcher) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	w.work.start(ctx, &wg)
	w.fullAt = time.Now().Add(w.SweepEvery) // the second sweep lists everything
	for failures := 0; ctx.Err() == nil; failures++ {
		swept, err := w.connected(ctx)
		var hopeless *fatal
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.As(err, &hopeless):
			return hopeless.error
		case errors.Is(err, errRebuilt):
			failures = -1 // go on at once: the wallet is there
			continue
		case swept:
			failures = 0
		}
		w.Observer.Notice(Notice{Sign: SignReconnect, Err: err})
		w.tell(func(h *Health) { h.Condition, h.Advice = condition(err) })
		pause(ctx, pauseAfter(err, failures, w.RetryMin, w.RetryMax, w.DenyEvery))
	}
	return nil
}

// fatal is an error that trying again can't mend.
type fatal struct{ error }

var (
	errRebuilt = errors.New("payment: the wallet's indices began again")
	errEnded   = &Trouble{Condition: Connecting, Advice: "the wallet ended the connection"}
)

func condition(err error) (Condition, string) {
	var t *Trouble
	switch {
	case errors.As(err, &t) && t.Err != nil:
		return t.Condition, t.Advice + " (" + t.Err.Error() + ")"
	case errors.As(err, &t):
		return t.Condition, t.Advice
	}
	return Connecting, err.Error()
}

// pauseAfter is long where a person has to do something first, and short where lnd is
// about to be ready.
func pauseAfter(err error, failures int, shortest, longest, denied time.Duration) time.Duration {
	switch c, _ := condition(err); c {
	case Denied:
		return backoff(0, denied, denied)
	case Locked, Starting:
		return backoff(failures, shortest, min(longest, 5*time.Second))
	}
	return backoff(failures, shortest, longest)
}

// session is one connection to the wallet, within one epoch.
type session struct {
	*Watcher
	id    Identity
	state wallet.State // as of the connection
	row   *row
	soon  chan struct{} // asks for a sweep after GapDelay
	end   context.CancelCauseFunc

	first sync.Once     // closes begun
	begun chan struct{} // closed after the first sweep, however it ended

	synced, through atomic.Bool // the wallet with the chain; a sweep
}

// connected is one connection from its begin to its end. It says whether a sweep was
// through.
func (w *Watcher) connected(ctx context.Context) (swept bool, err error) {
	w.tell(func(h *Health) {
		if h.Condition == Ready || h.Advice == "not started" {
			h.Condition, h.Advice = Connecting, "connecting"
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
	w.tell(func(h *Health) {
		h.Condition, h.Advice = Syncing, "reading the wallet's records"
		h.Node, h.Network, h.Epoch, h.Cursor = id.Node, id.Network, state.Epoch, state.Settle
	})
	swept, err = w.watch(ctx, id, state)
	if errors.Is(err, errRebuilt) {
		if err := w.rebuilt(ctx, id, state.Epoch); err != nil {
			return swept, err
		}
	}
	return swept, err
}

// watch listens, checks and sweeps until one of them ends the session.
func (w *Watcher) watch(ctx context.Context, id Identity, state wallet.State) (swept bool, err error) {
	ctx, end := context.WithCancelCause(ctx)
	s := &session{
		Watcher: w, id: id, state: state, row: newRow(state.Settle),
		soon: make(chan struct{}, 1), begun: make(chan struct{}), end: end,
	}
	s.synced.Store(id.Synced)
	var wg sync.WaitGroup
	wg.Go(func() { end(s.listen(ctx)) })
	wg.Go(func() { end(s.check(ctx)) })
	swept = s.sweeps(ctx)
	wg.Wait()
	return swept, context.Cause(ctx)
}

// listen books what the wallet tells of as it settles. It begins to when the first sweep
// has booked what came before.
func (s *session) listen(ctx context.Context) error {
	for e, err := range s.Wallet.Settlements(ctx, s.state.Settle) {
		if err != nil {
			return err
		}
		heard := time.Now()
		s.tell(func(h *Health) { h.LastEvent = s.Now() })
		select {
		case <-s.begun:
		case <-ctx.Done():
			return ctx.Err()
		}
		found, err := s.take(ctx, e)
		if err != nil {
			s.Observer.Notice(Notice{Sign: SignRetry, Text: "reading the log", Err: err})
			s.ask() // the sweep will find it
			continue
		}
		for _, f := range found {
			if err := s.put(ctx, f, heard, false, func(bool, error) {}); err != nil {
				return err
			}
		}
		if s.row.gap(s.row.last()) {
			s.ask()
		}
	}
	return errEnded
}

// ask asks for a sweep soon.
func (s *session) ask() {
	select {
	case s.soon <- struct{}{}:
	default:
	}
}

// check ends the session when the wallet does not answer, or is another one.
func (s *session) check(ctx context.Context) error {
	for pause(ctx, s.CheckEvery) {
		id, err := s.Wallet.Check(ctx)
		if err != nil {
			return err
		}
		if id.Node != s.id.Node || id.Network != s.id.Network {
			return fmt.Errorf("the wallet was %s on %s, and is now %s on %s", s.id.Node, s.id.Network, id.Node, id.Network)
		}
		s.synced.Store(id.Synced)
		s.tell(func(h *Health) {
			if s.through.Load() && (h.Condition == Ready || h.Condition == Syncing) {
				h.Condition, h.Advice = ready(id.Synced)
			}
		})
	}
	return ctx.Err()
}

const adviceChain = "the wallet has not seen the whole chain: it catches up, or waits for its bitcoind or btcd"

func ready(synced bool) (Condition, string) {
	if !synced {
		return Syncing, adviceChain
	}
	return Ready, ""
}
