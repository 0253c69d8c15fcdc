package watch

import (
	"cmp"
	"context"
	"math/rand/v2"
	"time"
)

// Retry is how long a watcher waits before it tries again. What is zero has a default.
type Retry struct {
	Min    time.Duration // the first pause after an error: 100 ms
	Max    time.Duration // the longest one: 30 s
	Denied time.Duration // the pause when the wallet denies us: 1 minute
}

// OrDefaults returns r with the defaults.
func (r Retry) OrDefaults() Retry {
	return Retry{
		Min:    cmp.Or(r.Min, 100*time.Millisecond),
		Max:    cmp.Or(r.Max, 30*time.Second),
		Denied: cmp.Or(r.Denied, time.Minute),
	}
}

// starting is the longest pause where a wallet is about to be ready.
const starting = 5 * time.Second

// Wait waits after so many failures, the last of which was err, or until ctx ends: long
// where a person has to do something first, and not so long where the wallet is about to
// be ready.
func (r Retry) Wait(ctx context.Context, failures int, err error) {
	switch ConditionOf(err) {
	case Denied:
		Pause(ctx, Backoff(0, r.Denied, r.Denied))
	case Locked, Starting:
		Pause(ctx, Backoff(failures, r.Min, min(r.Max, starting)))
	default:
		Pause(ctx, Backoff(failures, r.Min, r.Max))
	}
}

// Backoff returns the pause after so many failures: twice as long each time, within
// bounds, and cut at random, so that many clients don't come back at once.
func Backoff(failures int, shortest, longest time.Duration) time.Duration {
	d := longest
	if failures < 30 && shortest<<failures < longest && shortest<<failures > 0 {
		d = shortest << failures
	}
	return d/2 + rand.N(d/2+1)
}

// Pause waits, and reports whether it did so to the end.
func Pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
