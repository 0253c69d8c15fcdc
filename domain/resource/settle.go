package resource

import "sandglass/domain/instant"

// MinWait is how long an order waits for its first payment at least, where the grace
// of its plan is shorter: without it a plan without grace could never be paid.
const MinWait = instant.Hour

// PaidUntil returns the instant at which a running resource runs out. For one that
// does not run it is meaningless.
func (s *State) PaidUntil() instant.Time { return s.DebitedTo.Add(s.Left()) }

// Remaining returns how long the balance lasts from now: what the lots have left, less
// the time that passed since the last debit, and never below zero. A now before the
// last debit is a clock that jumped back: nothing comes back with it.
func (s *State) Remaining(now instant.Time) instant.Millis {
	left := s.Left()
	if c, ok := s.clock(); ok {
		ran, _ := c.Ran(now)
		left -= min(left, ran)
	}
	return left
}

// wanted reports whether the resource should be up.
func (s *State) wanted() bool { return s.Status == StatusRunning || s.Status == StatusStarting }

// warnLeft returns how much time is left at the threshold, −1 if there is none.
func (s *State) warnLeft() instant.Millis {
	switch w := s.Terms.Warn; {
	case w.Time > 0:
		return w.Time
	case w.Amount > 0:
		return s.LeftAtBalance(w.Amount)
	case w.Share > 0:
		return s.Full * instant.Millis(w.Share) / 1_000_000 // MaxTime × 1,000,000 is less than 2⁶³
	}
	return -1
}

// WarnsAt returns when a resource whose clock runs, and that was not warned, comes to its
// threshold.
func (s *State) WarnsAt() (instant.Time, bool) {
	c, ok := s.clock()
	if !ok || s.Warned {
		return 0, false
	}
	at := s.warnLeft()
	if at < 0 {
		return 0, false
	}
	return c.At(max(0, s.Left()-at)), true
}

// Deadline returns when time alone next changes the resource, or makes a debit due:
// its exhaustion, its warning, the end of its grace, or that its clock ran for every
// since the last debit, which is above 0. It returns false for a resource that only a
// command can change.
func (s *State) Deadline(every instant.Millis) (instant.Time, bool) {
	c, ok := s.clock()
	if !ok {
		return s.ReleaseAt()
	}
	due := c.At(min(s.Left(), every))
	if at, ok := s.WarnsAt(); ok {
		due = min(due, at)
	}
	return due, true
}

// MaxHold is how long after its grace a deposit that was seen on the chain can keep a
// resource from being released.
const MaxHold = 3 * instant.Day

// HeldUntil returns until when a deposit that was seen keeps a resource without time
// from being released, 0 if none does.
func (s *State) HeldUntil() instant.Time {
	if (s.Status == StatusAwaiting || s.Status == StatusSuspended) && s.HoldUntil > s.Since {
		return s.HoldUntil
	}
	return 0
}

// ReleaseAt returns when a resource that has no time is released, unless it is paid, and false
// for one that is not to be.
func (s *State) ReleaseAt() (instant.Time, bool) {
	end, ok := s.graceEnd()
	return max(end, s.HeldUntil()), ok
}

// graceEnd returns when the grace of a resource that has no time ends.
func (s *State) graceEnd() (instant.Time, bool) {
	grace, ok := s.grace()
	if !ok {
		return 0, false
	}
	return s.Since.Add(grace), true
}

// grace returns how long a resource that has no time is kept.
func (s *State) grace() (instant.Millis, bool) {
	switch s.Status {
	case StatusAwaiting:
		return max(s.Terms.Grace, MinWait), true
	case StatusSuspended:
		return s.Terms.Grace, true
	}
	return 0, false
}

// KeptBy reports whether a gap still holds off the release of a resource at now.
func (s *State) KeptBy(g instant.Gap, now instant.Time) bool {
	grace, ok := s.grace()
	return ok && g.Holds(now, grace)
}

// settle brings a resource whose clock runs up to d.t: a warning and an exhaustion bear
// the instants that they are computed for, so that a late timer charges nothing.
func (d *deciding) settle() {
	if d.s.Status != StatusRunning {
		d.settleBeyond()
		return
	}
	charge, forgiven := d.t.Sub(d.s.DebitedTo), instant.Millis(0)
	if gap := d.when.MaxGap; d.when.Forgive && gap > 0 && charge > gap && !d.s.Terms.Uptime {
		charge, forgiven = gap, charge-gap
	}
	if left := d.s.Left(); charge < left {
		d.warn(d.s.DebitedTo.Add(charge))
		d.debit(d.t, charge, forgiven)
		return
	}
	end := At{At: d.s.PaidUntil()}
	d.warn(end.At)
	d.debit(end.At, d.s.Left(), 0)
	d.emit(&Exhausted{At: end})
}

// settleBeyond is settle of a resource that is down or paused, whose clock runs once it has stood
// still for as long as it may. What is debited comes first, and ends with the last millisecond
// that is billed: with each event, the time before it has passed.
func (d *deciding) settleBeyond() {
	c, ok := d.s.clock()
	if !ok {
		return
	}
	end := c.At(d.s.Left())
	if at, ok := d.s.WarnsAt(); ok && at <= d.t {
		d.debitBeyond(at)
		d.emit(&Warned{At: At{At: at}})
	}
	d.debitBeyond(min(d.t, end))
	if end <= d.t {
		d.emit(&Exhausted{At: At{At: end}})
	}
}

func (d *deciding) debitBeyond(t instant.Time) {
	if c, ok := d.s.clock(); ok {
		charge, to := c.Ran(t)
		d.debit(to, charge, to.Sub(d.s.DebitedTo)-charge)
	}
}

func (d *deciding) debit(to instant.Time, charge, forgiven instant.Millis) {
	if charge == 0 {
		return
	}
	before := d.s.Debited
	e := &Debited{At: At{At: to}, From: d.s.DebitedTo, Time: charge, Forgiven: forgiven}
	d.emit(e)
	e.Amount = d.s.Debited - before // what the draw moved
}

// warn emits a warning that falls due by t, once for each crossing.
func (d *deciding) warn(t instant.Time) {
	if at, ok := d.s.WarnsAt(); ok && at <= t {
		d.emit(&Warned{At: At{At: at}}) // at or after d.s.DebitedTo, the latest event
	}
}

// releaseAfterGrace releases a resource whose grace is over, if nobody can have paid in it.
func (d *deciding) releaseAfterGrace(c Settle) {
	end, ok := d.s.ReleaseAt()
	if !ok || end > min(d.t, c.Swept) || d.s.KeptBy(c.Gap, d.t) {
		return
	}
	reason := ReasonGraceOver
	if d.s.Status == StatusAwaiting {
		reason = ReasonNeverPaid
	}
	d.emit(&Released{At: At{At: max(end, d.s.Last)}, Reason: reason})
}
