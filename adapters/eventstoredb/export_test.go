package eventstoredb

import "time"

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
