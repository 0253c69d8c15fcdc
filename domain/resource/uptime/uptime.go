// Package uptime is the arithmetic of a resource whose clock can stand still while it has time: over
// which time it was billed as up, and how much of its bounds outages and pauses have used.
//
// Bounds hold for each [Period]: a [Budget] counts what was used of one, and a [Clock] tells when
// time passes of what is down or paused. Who says that a resource is down, and what follows for its
// lots, is left to the package resource.
package uptime

import (
	"slices"

	"sandglass/domain/instant"
	"sandglass/domain/money"
)

// Span is a stretch of time: [From, To).
type Span struct{ From, To instant.Time }

// Length returns how long the span is.
func (s Span) Length() instant.Millis { return s.To.Sub(s.From) }

// And returns what s and o have in common, which is empty or turned round if that is nothing.
func (s Span) And(o Span) Span { return Span{max(s.From, o.From), min(s.To, o.To)} }

// Period is the time for which bounds hold: outages and pauses are counted anew every 30 days from
// the opening of the resource.
const Period = 30 * instant.Day

const (
	// MinOutage is how long an outage lasts at least: what is shorter counts as up.
	MinOutage = 10 * instant.Second
	// MaxBilled is over how many stretches of time it is known that they were billed as up. When
	// there are more, the oldest is forgotten, and nobody is given back what was billed over it.
	MaxBilled = 64
)

// State is what a resource has besides whose clock can stand still while it has time: one that
// is billed by its uptime, or that bounds its pauses. It is never changed, only replaced, so
// that the copies of a state may share it.
type State struct {
	Opened   instant.Time // from when on periods are counted
	Billed   []Span       // that were debited as up, oldest first: of the present host, and not given back
	Outage   Budget       // of the bound of outages
	Pause    Budget       // of the bound of pauses
	Returned money.Msat   // Σ returned, which what was debited is less of
	Up       bool         // it has been up on its host: until then no clock runs
	Ready    bool         // it has come up, and waits for its first payment to be taken
	Why      string       // why it is down, as the keeper says
}

// Budget is what was used of a bound that holds for each [Period]: in the latest one in which
// any was used, and in the one before.
type Budget struct {
	Period       int64
	Used, Before instant.Millis
}

// In returns what was used in period k.
func (b Budget) In(k int64) instant.Millis {
	switch k {
	case b.Period:
		return b.Used
	case b.Period - 1:
		return b.Before
	}
	return 0
}

// Left returns what is left in period k of a bound, of which 0 is none.
func (b Budget) Left(k int64, bound instant.Millis) instant.Millis {
	if bound == 0 {
		bound = Period
	}
	return max(0, bound-b.In(k))
}

// with returns b after so much more was used in period k.
func (b Budget) with(k int64, used instant.Millis) Budget {
	switch {
	case k == b.Period+1:
		b = Budget{Period: k, Before: b.Used}
	case k > b.Period:
		b = Budget{Period: k}
	}
	switch k {
	case b.Period:
		b.Used += used
	case b.Period - 1:
		b.Before += used
	}
	return b
}

// PeriodAt returns the number of the period in which t lies.
func (u *State) PeriodAt(t instant.Time) int64 { return int64(t.Sub(u.Opened) / Period) }

// PeriodSpan returns when period k is.
func (u *State) PeriodSpan(k int64) Span {
	from := u.Opened.Add(instant.Millis(k) * Period)
	return Span{from, from.Add(Period)}
}

// Spend returns b after the clock stood still over s for as long as a bound lets it.
func (u *State) Spend(b Budget, s Span, bound instant.Millis) Budget {
	last := u.PeriodAt(s.To - 1)
	for k := max(u.PeriodAt(s.From), last-1); k <= last; k++ {
		b = b.with(k, min(s.And(u.PeriodSpan(k)).Length(), b.Left(k, bound)))
	}
	return b
}

// Bill adds a span that was debited as up, which comes after the others.
func (u *State) Bill(s Span) {
	if n := len(u.Billed); n > 0 && u.Billed[n-1].To == s.From {
		u.Billed = slices.Clone(u.Billed)
		u.Billed[n-1].To = s.To
		return
	}
	u.Billed = append(slices.Clone(u.Billed), s)
	if n := len(u.Billed); n > MaxBilled {
		u.Billed = u.Billed[n-MaxBilled:]
	}
}

// Unbill takes a span out of those that were billed.
func (u *State) Unbill(s Span) {
	var left []Span
	for _, b := range u.Billed {
		for _, part := range []Span{{b.From, min(b.To, s.From)}, {max(b.From, s.To), b.To}} {
			if part.From < part.To {
				left = append(left, part)
			}
		}
	}
	u.Billed = left
}

// KeepBilled forgets the oldest of what was billed, so that no more than most is left.
func (u *State) KeepBilled(most instant.Millis) {
	for i := len(u.Billed) - 1; i >= 0; i-- {
		s := u.Billed[i]
		if s.Length() < most {
			most -= s.Length()
			continue
		}
		s.From = s.To - instant.Time(most)
		u.Billed = slices.Clone(u.Billed[i:])
		if u.Billed[0] = s; most == 0 {
			u.Billed = u.Billed[1:]
		}
		return
	}
}
