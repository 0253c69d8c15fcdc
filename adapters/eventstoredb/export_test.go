package eventstoredb

import (
	"context"
	"time"

	"sandglass/domain/stream"
)

// Impatient returns o with calls that end after d.
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

// Forget has s know of no failure.
func Forget(s *Store) { s.cluster.Forget() }

// MissedFor asks whether a subscription can go on that has not found its last record for so long.
func MissedFor(ctx context.Context, s *Store, last stream.Record, d time.Duration) error {
	f := &feed{Store: s, after: last.Position, last: last.ID, missed: time.Now().Add(-d)}
	return f.goesOn(ctx)
}
