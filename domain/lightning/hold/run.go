package hold

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"sandglass/domain/instant"
	"sandglass/domain/watch"
)

// Run carries payments on until ctx ends, and then returns nil.
func (l *Loop) Run(ctx context.Context) error {
	for _, ready := range l.Ready {
		select {
		case <-ctx.Done():
			return nil
		case <-ready:
		}
	}
	ctx, cancel := context.WithCancel(ctx)
	var listeners sync.WaitGroup
	defer listeners.Wait()
	defer cancel()
	defer func() {
		for _, stop := range l.watched {
			stop()
		}
	}()
	for failures := 0; ctx.Err() == nil; {
		wait, err := l.look(ctx, &listeners)
		if err != nil && ctx.Err() == nil {
			l.Observer.Notice(watch.Notice{Sign: watch.SignRetry, Text: "payments that are held", Err: err})
			wait = watch.Backoff(failures, l.RetryMin, l.LookEvery)
			failures++
		} else {
			failures = 0
		}
		l.rest(ctx, wait, err == nil)
	}
	return nil
}

// rest waits for so long, or until something may have changed.
func (l *Loop) rest(ctx context.Context, d time.Duration, mayWake bool) {
	woken := l.woken
	if !mayWake {
		woken = nil
	}
	timer := time.NewTimer(max(d, 0))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-woken:
	case <-ctx.Done():
	}
}

// look looks at the invoices that are held, as was told, and at all payments that the log has as
// held. It returns how long the next look may wait.
func (l *Loop) look(ctx context.Context, listeners *sync.WaitGroup) (wait time.Duration, err error) {
	node := l.Node()
	if node == "" {
		return l.LookEvery, nil
	}
	l.count(node)
	held, broken := l.takeTold()
	for _, hash := range broken {
		l.stopListening(hash)
	}
	l.listen(ctx, listeners, node)
	for _, hash := range held {
		if failed := l.accept(ctx, node, hash); failed != nil {
			err = errors.Join(err, failed)
			l.tell(hash, true)
		}
	}
	keys := slices.Collect(maps.Keys(l.watched)) // the log may have them before the views do
	for _, p := range l.Accepted() {
		if p.Node == node && l.watched[p.Key] == nil {
			keys = append(keys, p.Key)
		}
	}
	wait = l.LookEvery
	for _, key := range keys {
		left, failed := l.carryOn(ctx, key)
		wait, err = min(wait, left), errors.Join(err, failed)
	}
	return wait, err
}

// count takes from the log, once, when payments came to be held in the last hour.
func (l *Loop) count(node string) {
	if !l.counted {
		l.began = slices.Sorted(slices.Values(l.HeldSince(node, l.Now().Add(-instant.Hour))))
		l.counted = true
	}
}

// takeTold returns the invoices of which is told that they are held, and those whose streams broke.
func (l *Loop) takeTold() (held, broken []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for hash, is := range l.told {
		if is {
			held = append(held, hash)
		} else {
			broken = append(broken, hash)
		}
	}
	clear(l.told)
	return held, broken
}

// listen has the wallet tell when an invoice that can be held is not open any more.
func (l *Loop) listen(ctx context.Context, listeners *sync.WaitGroup, node string) {
	ended := maps.Clone(l.listening)
	for _, r := range l.Requests.Payable() {
		hash, _ := r.Key.Hash()
		if r.Node != node || r.Order == nil || !r.Order.Terms.Hold {
			continue
		}
		delete(ended, hash)
		if l.listening[hash] != nil || len(l.listening) >= streams {
			continue
		}
		ctx, cancel := context.WithCancel(ctx)
		l.listening[hash] = cancel
		listeners.Go(func() { l.tell(hash, l.Wallet.Await(ctx, hash) == nil) })
	}
	for hash := range ended {
		l.stopListening(hash)
	}
}

func (l *Loop) stopListening(hash string) {
	if cancel := l.listening[hash]; cancel != nil {
		cancel()
		delete(l.listening, hash)
	}
}
