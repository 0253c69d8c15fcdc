package storetest

import (
	"fmt"
	"sync/atomic"

	"sandglass/domain/instant"
	"sandglass/domain/stream"
)

// began is when the tests begin.
const began instant.Time = 1_767_323_045_678 // 2026-01-02T03:04:05.678Z

// Clock is a clock that stands until it is set.
type Clock struct{ at atomic.Int64 }

// NewClock returns a clock that stands at 2026-01-02T03:04:05.678Z.
func NewClock() *Clock {
	c := &Clock{}
	c.Set(began)
	return c
}

// Now returns the time.
func (c *Clock) Now() instant.Time { return instant.Time(c.at.Load()) }

// Set sets the time, also back.
func (c *Clock) Set(at instant.Time) { c.at.Store(int64(at)) }

// Advance moves the time by d, also back.
func (c *Clock) Advance(d instant.Millis) { c.at.Add(int64(d)) }

// Events returns n events for a stream that ends at a revision, with the ids that
// [stream.NewID] gives them. Different texts make different events.
func Events(name string, expected stream.Revision, text string, n int) []stream.Event {
	events := make([]stream.Event, n)
	for i := range events {
		rev := expected + 1 + stream.Revision(i)
		events[i] = stream.Event{
			Type: fmt.Sprintf("toy.told%d.v1", rev%3),
			At:   began + instant.Time(rev),
			Data: fmt.Appendf(nil, `{"text":%q,"at":%d}`, text, rev),
			Meta: []byte(`{"actor":"storetest"}`),
		}
		events[i].ID = stream.NewID(name, rev, events[i])
	}
	return events
}
