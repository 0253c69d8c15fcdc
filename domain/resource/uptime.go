package resource

import (
	"slices"

	"sandglass/domain/instant"
	"sandglass/domain/money"
)

// Span is a stretch of time: [From, To).
type Span struct{ From, To instant.Time }

// Length returns how long the span is.
func (s Span) Length() instant.Millis { return s.To.Sub(s.From) }

// and returns what s and o have in common, which is empty or turned round if that is nothing.
func (s Span) and(o Span) Span { return Span{max(s.From, o.From), min(s.To, o.To)} }

const (
	// MinOutage is how long an outage lasts at least: what is shorter counts as up.
	MinOutage = 10 * instant.Second
	// MaxBilled is over how many stretches of time it is known that they were billed as up. When
	// there are more, the oldest is forgotten, and nobody is given back what was billed over it.
	MaxBilled = 64
)

// Uptime is what a resource has besides whose clock can stand still while it has time: one that
// is billed by its uptime, or that bounds its pauses. It is never changed, only replaced, so
// that the copies of a state may share it.
type Uptime struct {
	Opened   instant.Time // from when on periods are counted
	Billed   []Span       // that were debited as up, oldest first: of the present host, and not given back
	Outage   Budget       // of Terms.MaxOutage
	Pause    Budget       // of Terms.MaxPause
	Returned money.Msat   // Σ returned, which State.Debited is less of
	Up       bool         // it has been up on its host: until then no clock runs
	Why      string       // why it is down, as the keeper says
}

// Budget is what was used of a bound that holds for each [Period]: in the latest one in which
// any was used, and in the one before.
type Budget struct {
	Period       int64
	Used, Before instant.Millis
}

// in returns what was used in period k.
func (b Budget) in(k int64) instant.Millis {
	switch k {
	case b.Period:
		return b.Used
	case b.Period - 1:
		return b.Before
	}
	return 0
}

// left returns what is left in period k of a bound, of which 0 is none.
func (b Budget) left(k int64, bound instant.Millis) instant.Millis {
	if bound == 0 {
		bound = Period
	}
	return max(0, bound-b.in(k))
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

// period returns the number of the period in which t lies.
func (u *Uptime) period(t instant.Time) int64 { return int64(t.Sub(u.Opened) / Period) }

// span returns when period k is.
func (u *Uptime) span(k int64) Span {
	from := u.Opened.Add(instant.Millis(k) * Period)
	return Span{from, from.Add(Period)}
}

// spend returns b after the clock stood still over s for as long as a bound lets it.
func (u *Uptime) spend(b Budget, s Span, bound instant.Millis) Budget {
	last := u.period(s.To - 1)
	for k := max(u.period(s.From), last-1); k <= last; k++ {
		b = b.with(k, min(s.and(u.span(k)).Length(), b.left(k, bound)))
	}
	return b
}

// bill adds a span that was debited as up, which comes after the others.
func (u *Uptime) bill(s Span) {
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

// unbill takes a span out of those that were billed.
func (u *Uptime) unbill(s Span) {
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

// keepBilled forgets the oldest of what was billed, so that no more than most is left.
func (u *Uptime) keepBilled(most instant.Millis) {
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

// uptime lets change alter what a state has besides, if it has it.
func (s *State) uptime(change func(*Uptime)) {
	if s.Uptime == nil {
		return
	}
	u := *s.Uptime
	change(&u)
	s.Uptime = &u
}

// pass lets time pass up to at over a clock that stands still, as far as its bound lets it:
// what of it is billed has an event of its own, which ends with it.
func (s *State) pass(at instant.Time) {
	if s.Uptime == nil || s.Status != StatusPaused && s.Status != StatusStarting || at <= s.DebitedTo {
		return
	}
	stood := Span{s.DebitedTo, at}
	s.DebitedTo = at
	s.uptime(func(u *Uptime) {
		switch {
		case s.Status == StatusPaused:
			u.Pause = u.spend(u.Pause, stood, s.Terms.MaxPause)
		case u.Up:
			u.Outage = u.spend(u.Outage, stood, s.Terms.MaxOutage)
		}
	})
}

// StartBy returns until when a resource that is starting should be up, and false where it is
// not, or where no bound is set. That it is not up by then is an alarm, and ends nothing.
func (s *State) StartBy() (instant.Time, bool) {
	return s.Since.Add(s.Terms.StartWithin), s.Status == StatusStarting && s.Terms.StartWithin > 0
}

// Stood returns for how long in the present [Period], up to now, the clock stood still since the
// resource was down, and since it was paused.
func (s *State) Stood(now instant.Time) (outage, pause instant.Millis) {
	if s.Uptime == nil || now < s.Uptime.Opened {
		return 0, 0
	}
	then := *s
	then.pass(now)
	k := then.Uptime.period(now)
	return then.Uptime.Outage.in(k), then.Uptime.Pause.in(k)
}
