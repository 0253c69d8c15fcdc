package resource

import (
	"sandglass/domain/instant"
	"sandglass/domain/resource/uptime"
)

// Report is what the keeper of a host says of a resource, as of its When: all that it knows of
// the time since the first of the outages. It may come late, twice, out of order, and from before
// what is known: each of them says what was so, and no time is given back twice.
type Report struct {
	When
	Host    string        // whose keeper says so: what another one says than that of the resource's host is passed over
	Up      bool          // whether it is up
	Since   instant.Time  // from when on it is so
	Outages []uptime.Span // before, when it was not up, oldest first; between them it was. Up to [uptime.MaxOutages]
	Why     string        // why it is down, up to [uptime.MaxWhy] bytes on one line
}

// since returns the time for which what the report says at its end is so: empty if it just began.
func (c *Report) since() uptime.Span { return uptime.Span{From: c.Since, To: c.At} }

// report gives back what was debited over an outage, and then follows what the keeper says of
// the time since the latest event. So what is given back is there before more is debited.
func (d *deciding) report(c Report) error {
	if err := uptime.Check(c.Outages, c.Since, c.At, c.Why); err != nil {
		return invalid(err)
	}
	if u := d.s.Uptime; u == nil || !d.s.Terms.Uptime || d.s.Status == StatusReleased || d.s.Host != c.Host {
		return nil
	}
	events := len(d.out)
	for _, o := range c.Outages {
		d.giveBack(o)
	}
	if !c.Up {
		d.giveBack(c.since())
	}
	if len(d.out) > events {
		d.lift()
	}
	d.follow(&c)
	return nil
}

// giveBack returns what was billed over an outage, as far as its bound lets it: in this period
// and in the one before, since of what was used earlier nothing is known.
func (d *deciding) giveBack(o uptime.Span) {
	if o.Length() < uptime.MinOutage {
		return
	}
	now := d.s.Uptime.PeriodAt(d.t)
	for _, b := range d.s.Uptime.Billed { // which a return replaces
		for k := now - 1; k <= now; k++ {
			part := b.And(o).And(d.s.Uptime.PeriodSpan(k))
			if time := min(part.Length(), d.s.Uptime.Outage.Left(k, d.s.Terms.MaxOutage)); time > 0 {
				before := d.s.Debited
				e := &Returned{At: At{At: d.s.Last}, From: part.From, Time: time}
				d.emit(e)
				e.Amount = before - d.s.Debited // what moved back
			}
		}
	}
}

// lift does what time that was given back brings: the end of a suspension, from now on and never
// before, and the end of a warning.
func (d *deciding) lift() {
	if d.s.Status == StatusSuspended {
		d.begin(ReasonReturned)
	}
	if d.s.Warned && d.s.Left() > d.s.warnLeft() {
		d.emit(&Recovered{At: At{At: d.s.Last}})
	}
}

// follow starts and stops the clock as the keeper says that it went since the latest event.
func (d *deciding) follow(c *Report) {
	last, known := instant.Time(0), false // the end of the outage before
	for _, o := range c.Outages {
		if known {
			d.up(last, o.From-1)
		}
		d.down(o, o.To-1, "")
		last, known = o.To, true
	}
	if c.Up {
		d.up(c.Since, c.At)
		return
	}
	if known {
		d.up(last, c.Since-1)
	}
	d.down(c.since(), c.At, c.Why)
}

// up starts what is starting and was up from then until an instant: at the first that comes after
// what has happened.
func (d *deciding) up(from, until instant.Time) {
	d.t = max(from, d.s.Last)
	if d.s.Status != StatusStarting || d.t > until || d.s.Uptime.Ready {
		return
	}
	if d.s.Unpaid() {
		d.emit(&Starting{At: d.now(), Reason: ReasonUp})
		return
	}
	if d.settle(); d.s.Status == StatusStarting {
		d.emit(&Started{At: d.now(), Reason: ReasonUp})
		d.warn(d.t)
	}
}

// down stops what runs and was down over an outage, until an instant: at the first that comes
// after what has happened.
func (d *deciding) down(o uptime.Span, until instant.Time, why string) {
	d.t = max(o.From, d.s.Last)
	if d.s.Status != StatusRunning || d.t > until || o.Length() < uptime.MinOutage {
		return
	}
	if d.settle(); d.s.Status == StatusRunning {
		d.emit(&Stopped{At: d.now(), Why: why})
	}
}
