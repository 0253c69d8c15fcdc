// Package reports tells the log what the keeper of a host says of its resources, so that what is
// billed by its uptime is billed for nothing else.
//
// What a keeper said of a resource becomes one [resource.Report] ([Of]): a function of its file,
// of up to when the keeper was well, and of our own time at instants of this boot. A [Reader]
// executes it whenever the file or the resource changes, and all of them every minute. It goes by
// level: the same report again, late, or out of order changes nothing, so nothing is remembered
// of what was reported. "Cannot tell" is never down: it reports nothing.
//
// That a resource went down with its machine no keeper can say: it is told by our own clock, which
// knows when the boot before was last seen to run.
//
// What follows from a report is left to the resource, and what is wanted to package wants.
package reports

import (
	"cmp"
	"unicode/utf8"

	"sandglass/domain/enforce"
	"sandglass/domain/instant"
	"sandglass/domain/resource"
	"sandglass/domain/resource/uptime"
)

// Of returns the report of what a keeper said of a resource of a host, in our own time, and false
// where that is nothing. known is up to when the keeper was well: what is so by its file was so
// until then, and later nobody can tell. off, if it is not 0, is when the resource went down with
// the boot before: it was not up again before it is first known what it was.
func Of(
	is *enforce.Is, host string, known, off instant.Time, own func(enforce.Boottime) instant.Time,
) (r resource.Report, ok bool) {
	r = resource.Report{Host: host, Why: cut(is.Why)}
	end := instant.Time(0) // of the outage before
	add := func(o uptime.Span) {
		if o.From = max(o.From, end); o.From < o.To { // else our own time went back meanwhile
			r.Outages = append(r.Outages, o)
			end = o.To
		}
	}
	if off > 0 && is.First > 0 {
		add(uptime.Span{From: off, To: own(is.First)})
	}
	for _, o := range is.Outages {
		if o.To != 0 {
			add(uptime.Span{From: own(o.From), To: own(o.To)})
		}
	}
	r.Outages = joined(r.Outages)
	open, down := is.Open()
	r.Up, r.Since = !down, cmp.Or(end, own(is.First))
	latest := r.Since // instant of which anything is known
	if down {
		r.Since, latest = max(own(open), end), own(is.Since)
		if n := len(r.Outages); n > 0 && r.Outages[n-1].To == r.Since {
			r.Since, r.Outages = r.Outages[n-1].From, r.Outages[:n-1]
		}
	}
	switch {
	case is.State == enforce.Up:
		latest = max(known, own(is.Since))
	case down && is.State != enforce.Stopping && is.State != enforce.Unknown:
		latest = max(known, latest)
	}
	r.At = max(latest, r.Since)
	return r, is.First > 0
}

// joined joins outages between which there was no time, and leaves out the oldest of too many.
func joined(all []uptime.Span) []uptime.Span {
	if len(all) > 1 && all[0].To == all[1].From {
		all[1].From = all[0].From
		all = all[1:]
	}
	return all[max(0, len(all)-uptime.MaxOutages):]
}

// cut makes of what was said to people what an event takes.
func cut(s string) string {
	if len(s) <= uptime.MaxWhy {
		return s
	}
	s = s[:uptime.MaxWhy]
	for !utf8.ValidString(s) {
		s = s[:len(s)-1]
	}
	return s
}

// shorten leaves out the latest that a report knows, and returns false if nothing is left.
func shorten(r *resource.Report) bool {
	n := len(r.Outages)
	if n > 0 && r.Up && r.At == r.Outages[n-1].To {
		n--
	}
	if n == 0 {
		return false
	}
	end := r.Outages[n-1].To
	*r = resource.Report{When: resource.When{At: end}, Host: r.Host, Up: true, Since: end, Outages: r.Outages[:n]}
	return true
}
