package cashu

import (
	"context"
	"sync"
)

// locks hold each token for one request at a time. What nobody holds or waits for takes no room.
type locks struct {
	mu   sync.Mutex
	held map[[32]byte]*lock
}

type lock struct {
	free  chan struct{} // has a value while nobody holds it
	users int           // who hold it or wait for it
}

// take takes the lock of a token, or returns the error of ctx.
func (l *locks) take(ctx context.Context, hash [32]byte) (unlock func(), err error) {
	l.mu.Lock()
	k := l.held[hash]
	if k == nil {
		k = &lock{free: make(chan struct{}, 1)}
		k.free <- struct{}{}
		l.held[hash] = k
	}
	k.users++
	l.mu.Unlock()
	leave := func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if k.users--; k.users == 0 {
			delete(l.held, hash)
		}
	}
	select {
	case <-k.free:
		return func() { k.free <- struct{}{}; leave() }, nil
	case <-ctx.Done():
		leave()
		return nil, context.Cause(ctx)
	}
}
