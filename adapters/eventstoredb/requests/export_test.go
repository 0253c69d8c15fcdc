package requests

import "time"

// Impatient returns o with calls that end after d.
func Impatient(o Options, d time.Duration) Options {
	o.timeout = d
	return o
}
