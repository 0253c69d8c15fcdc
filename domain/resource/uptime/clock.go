package uptime

import "sandglass/domain/instant"

// Clock tells when the time of a resource passes after its last debit. That of one that runs
// does at once. That of one that is down or paused stands still for what is left of its bound in
// this period, then runs, and stands still again for the bound at the begin of each later one.
type Clock struct {
	from  instant.Time   // of the last debit
	free  instant.Millis // for which it stands still first
	end   instant.Time   // of the period that from lies in
	bound instant.Millis // for which it stands still in each later period
}

// Running returns the clock of what runs, and was debited up to from: it never stands still.
func Running(from instant.Time) Clock { return Clock{from: from, end: instant.Max, bound: Period} }

// Standing returns the clock of what is down or paused, and was debited up to from, of whose bound
// so much was used; and false if its time will not pass, since there is no bound.
func (u *State) Standing(from instant.Time, used Budget, bound instant.Millis) (Clock, bool) {
	k := u.PeriodAt(from)
	return Clock{from, used.Left(k, bound), u.PeriodSpan(k).To, bound}, bound > 0 && bound < Period
}

// Ran returns for how long the clock has run by t, and up to when: 0 if it has not.
func (c Clock) Ran(t instant.Time) (sum instant.Millis, to instant.Time) {
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

// At returns the first instant by which the clock has run for so long, or for 0 the one at which
// it begins to run.
func (c Clock) At(sum instant.Millis) instant.Time {
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
