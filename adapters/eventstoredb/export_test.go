package eventstoredb

import (
	"context"
	"runtime"
	"time"
)

// Impatient returns o with calls that end after d instead of [callTimeout].
func Impatient(o Options, d time.Duration) Options {
	o.timeout = d
	return o
}

// OneAtATime returns o with one call under way at once.
func OneAtATime(o Options) Options {
	o.inFlight = 1
	return o
}

// LooksTimes returns o with clients that look for a node n times, and then are dead.
func LooksTimes(o Options, n int) Options {
	o.discover = n
	return o
}

// Occupy takes all slots of the session, for good, and returns what retires it once
// another call waits.
func Occupy(ctx context.Context, s *Store) (retire func(), err error) {
	u, err := s.current(ctx)
	if err != nil {
		return nil, err
	}
	for range cap(u.slots) {
		u.slots <- struct{}{}
	}
	return func() {
		for waits := false; !waits; runtime.Gosched() {
			u.mu.Lock()
			waits = u.users > 1
			u.mu.Unlock()
		}
		s.replace(u)
		u.release()
	}, nil
}

// Forget has s know of no failure.
func Forget(s *Store) { s.down.Store(nil) }
