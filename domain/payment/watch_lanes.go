package payment

import (
	"context"
	"hash/maphash"
	"math/rand/v2"
	"sync"
	"time"
)

// lanes do work at once, but in order for each key: two payments for one resource are
// credited in the order in which they came.
type lanes struct {
	seed   maphash.Seed
	queues []chan func(context.Context)
}

func newLanes(n int) *lanes {
	l := &lanes{seed: maphash.MakeSeed(), queues: make([]chan func(context.Context), n)}
	for i := range l.queues {
		l.queues[i] = make(chan func(context.Context), 64)
	}
	return l
}

// start begins to work until ctx ends. What is queued then is never done.
func (l *lanes) start(ctx context.Context, wg *sync.WaitGroup) {
	for _, queue := range l.queues {
		wg.Go(func() {
			for {
				select {
				case work := <-queue:
					work(ctx)
				case <-ctx.Done():
					return
				}
			}
		})
	}
}

// put queues work behind all else of its key. It waits for room.
func (l *lanes) put(ctx context.Context, key string, work func(context.Context)) error {
	select {
	case l.queues[maphash.String(l.seed, key)%uint64(len(l.queues))] <- work:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// each calls do for every item, up to n at once, and returns one of the errors.
func each[T any](ctx context.Context, n int, items []T, do func(context.Context, T) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	free := make(chan struct{}, n)
	for _, item := range items {
		select {
		case free <- struct{}{}:
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			break
		}
		wg.Go(func() {
			defer func() { <-free }()
			if err := do(ctx, item); err != nil {
				cancel(err)
			}
		})
	}
	wg.Wait()
	return context.Cause(ctx)
}

// backoff returns the pause after so many failures: twice as long each time, within
// bounds, and cut at random, so that many clients don't come back at once.
func backoff(failures int, shortest, longest time.Duration) time.Duration {
	d := longest
	if failures < 30 && shortest<<failures < longest && shortest<<failures > 0 {
		d = shortest << failures
	}
	return d/2 + rand.N(d/2+1)
}

// pause waits, and says whether it was let wait to the end.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
