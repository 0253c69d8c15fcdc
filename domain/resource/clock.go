package resource

import "sandglass/domain/instant"

// clock tells when the time of a resource passes after its last debit. That of one that runs
// does at once. That of one that is down or paused stands still for what is left of its bound in
// this period, then runs, and stands still again for the bound at the begin of each later one.
type clock struct {
	from  instant.Time   // of the last debit
	free  instant.Millis // for which it stands still first
	end   instant.Time   // of the period that from lies in
	bound instant.Millis // for which it stands still in each later period
}

// clock returns that of a resource, and false of one whose time will not pass.
func (s *State) clock() (clock, bool) {
	switch u := s.Uptime; {
	case s.Status == StatusRunning:
		return clock{from: s.DebitedTo, end: instant.Max, bound: Period}, true
	case u == nil:
		return clock{}, false
	case s.Status == StatusPaused:
		return s.standing(u.Pause, s.Terms.MaxPause)
	case s.Status == StatusStarting && u.Up:
		return s.standing(u.Outage, s.Terms.MaxOutage)
	}
	return clock{}, false
}

// standing returns the clock that stands still by a bound.
func (s *State) standing(b Budget, bound instant.Millis) (clock, bool) {
	k := s.Uptime.period(s.DebitedTo)
	return clock{s.DebitedTo, b.left(k, bound), s.Uptime.span(k).To, bound}, bound > 0 && bound < Period
}

// ran returns for how long the clock has run by t, and up to when: 0 if it has not.
func (c clock) ran(t instant.Time) (sum instant.Millis, to instant.Time) {
	first := c.from.Add(c.free)
	if stop := min(t, c.end); stop > first {
		sum, to = stop.Sub(first), stop
	}
	if t <= c.end {
		return sum, to
	}
	n, rest := t.Sub(c.end)/Period, t.Sub(c.end)%Period
	if n > 0 && c.bound < Period {
		sum, to = sum+n*(Period-c.bound), c.end.Add(n*Period)
	}
	if rest > c.bound {
		sum, to = sum+rest-c.bound, t
	}
	return sum, to
}

// at returns the first instant by which the clock has run for so long, or for 0 the one at which
// it begins to run.
func (c clock) at(sum instant.Millis) instant.Time {
	first := c.from.Add(c.free)
	room := max(0, c.end.Sub(first))
	if room > 0 && sum <= room {
		return first.Add(sum)
	}
	sum -= room
	each := Period - c.bound
	if each <= 0 || sum/each > instant.Millis(instant.Max)/Period {
		return instant.Max
	}
	n := max(0, sum-1) / each
	return c.end.Add(n*Period + c.bound + sum - n*each)
}
