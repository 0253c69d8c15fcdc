package resource

import (
	"sandglass/domain/instant"
	"sandglass/domain/resource/uptime"
)

// clock returns that of a resource, and false of one whose time will not pass.
func (s *State) clock() (uptime.Clock, bool) {
	switch u := s.Uptime; {
	case s.Status == StatusRunning:
		return uptime.Running(s.DebitedTo), true
	case u == nil:
		return uptime.Clock{}, false
	case s.Status == StatusPaused:
		return u.Standing(s.DebitedTo, u.Pause, s.Terms.MaxPause)
	case s.Status == StatusStarting && u.Up:
		return u.Standing(s.DebitedTo, u.Outage, s.Terms.MaxOutage)
	}
	return uptime.Clock{}, false
}

// alter lets change alter what a state has besides, if it has it.
func (s *State) alter(change func(*uptime.State)) {
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
	stood := uptime.Span{From: s.DebitedTo, To: at}
	s.DebitedTo = at
	s.alter(func(u *uptime.State) {
		switch {
		case s.Status == StatusPaused:
			u.Pause = u.Spend(u.Pause, stood, s.Terms.MaxPause)
		case u.Up:
			u.Outage = u.Spend(u.Outage, stood, s.Terms.MaxOutage)
		}
	})
}

// Unpaid reports whether the resource is to come up before its first payment is taken.
func (s *State) Unpaid() bool { return s.Status == StatusStarting && s.Left() == 0 }

// StartBy returns until when a resource that is starting should be up, and false where it is
// not, or where no bound is set. That it is not up by then is an alarm, and ends nothing.
func (s *State) StartBy() (instant.Time, bool) {
	return s.Since.Add(s.Terms.StartWithin), s.Status == StatusStarting && s.Terms.StartWithin > 0
}

// Stood returns for how long in the present [uptime.Period], up to now, the clock stood still since the
// resource was down, and since it was paused.
func (s *State) Stood(now instant.Time) (outage, pause instant.Millis) {
	if s.Uptime == nil || now < s.Uptime.Opened {
		return 0, 0
	}
	then := *s
	then.pass(now)
	k := then.Uptime.PeriodAt(now)
	return then.Uptime.Outage.In(k), then.Uptime.Pause.In(k)
}
