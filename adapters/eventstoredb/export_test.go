package eventstoredb

import "time"

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
