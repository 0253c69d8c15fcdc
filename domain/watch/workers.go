package watch

import (
	"context"
	"hash/maphash"
	"sync"
)

// perWorker is how much work waits for one worker, at most.
const perWorker = 64

// Workers do work at once, but in order for each key: two payments for one resource are
// credited in the order in which they came.
type Workers struct {
	seed   maphash.Seed
	queues []chan func(context.Context)
}

// NewWorkers returns n workers, which [Workers.Start] starts.
func NewWorkers(n int) *Workers {
	w := &Workers{seed: maphash.MakeSeed(), queues: make([]chan func(context.Context), n)}
	for i := range w.queues {
		w.queues[i] = make(chan func(context.Context), perWorker)
	}
	return w
}

// Start begins to work until ctx ends. What is queued then is never done.
func (w *Workers) Start(ctx context.Context, wg *sync.WaitGroup) {
	for _, queue := range w.queues {
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

// Put queues work behind all else of its key. It waits for room.
func (w *Workers) Put(ctx context.Context, key string, work func(context.Context)) error {
	select {
	case w.queues[maphash.String(w.seed, key)%uint64(len(w.queues))] <- work:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Each calls do for every item, up to n at once, and returns one of the errors. After an
// error it begins no more.
func Each[T any](ctx context.Context, n int, items []T, do func(context.Context, T) error) error {
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
