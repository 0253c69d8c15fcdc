// Package wants says what each resource of a host should be, from the log, and leaves it for
// the keeper.
//
// A want is a function of a resource's state, the time, and whether the wallet can be read
// ([Of]); a [Writer] leaves it whenever events touch the resource, and all of them every minute,
// so that a file that was lost or damaged comes back. What it wrote last it reads again at the
// start: nothing is remembered but the files.
//
// What becomes of a want is left to the keeper, and which resources there are to the read models.
package wants

import (
	"sandglass/domain/enforce"
	"sandglass/domain/instant"
	"sandglass/domain/resource"
)

// Slack is how long after the end of its time a resource is stopped: what was paid in the last
// second is credited by then, and stops nothing.
const Slack = 2 * instant.Second

// keepGone is how long after its release a resource is wanted gone where nothing is left of
// wants before, as after a reboot: what the keeper had not removed by then is removed.
const keepGone = instant.Day

// Reading is one instant by two clocks: the daemon's own, and that of this boot.
type Reading struct {
	Own instant.Time
	Up  enforce.Boottime
}

// after returns the time of this boot at an instant, 1 at least.
func (r Reading) after(at instant.Time) enforce.Boottime {
	return max(1, r.Up+enforce.Boottime(at.Sub(r.Own)))
}

// Blind is a time over which the wallet can't be read: whoever pays in it is credited after it.
type Blind struct {
	Since instant.Time   // 0: the wallet is read
	Grace instant.Millis // for how long nobody whose time ends is stopped
}

// Host is whose resources are wanted.
type Host struct {
	Name string // empty where there is one machine, which has all
	Boot string // the id of its present boot
}

// Of returns what a resource should be, without a generation, and false if nothing is wanted of
// it: it never had time, nothing enforces it, or it was never of this host. kept reports whether
// a want of it is there, so that one that moved away or was released long ago is wanted down or
// gone all the same.
func Of(s *resource.State, h Host, r Reading, b Blind, kept bool) (w enforce.Want, ok bool) {
	name, unit := enforce.SplitSpec(s.Enforcer)
	w = enforce.Want{ID: string(s.ID), Enforcer: name, Unit: unit, Boot: h.Boot, Plan: s.Plan, Host: h.Name}
	if name == "" {
		return w, false
	}
	if h.Name != "" && s.Host != h.Name {
		w.State = enforce.Down
		return w, kept
	}
	switch s.Status {
	case resource.StatusStarting:
		end := startingEnd(s, r.Own)
		w.State, w.Until, w.PaidUntil = enforce.Up, r.after(end.Add(Slack+b.grace())), end.String()
		w.Lasts, w.From = enforce.Boottime(s.Remaining(r.Own)+Slack+b.grace()), r.Up
	case resource.StatusRunning:
		w.State, w.PaidUntil = enforce.Up, s.PaidUntil().String()
		w.Until = r.after(s.PaidUntil().Add(Slack + b.grace()))
	case resource.StatusSuspended:
		end := s.Since.Add(Slack)
		if b.covers(s.Since) {
			end = end.Add(b.Grace)
		}
		if w.State = enforce.Down; r.Own < end {
			w.State, w.Until, w.PaidUntil = enforce.Up, r.after(end), s.Since.String()
		}
	case resource.StatusPaused:
		w.State = enforce.Down
	case resource.StatusReleased:
		w.State = enforce.Gone
		return w, kept || r.Own.Sub(s.Since) < keepGone
	default:
		return w, false
	}
	return w, true
}

// startRound is what the end of a want of what is starting is rounded up to.
const startRound = 5 * instant.Minute

// startingEnd is when what is starting runs out if it is up about now. Its clock stands, so that
// its end moves on all the time: it is rounded up, or each minute would bring another want, with
// which the keeper begins anew. Once it is up, the end is exact: the keeper goes by how long it lasts, so
// that a daemon which dies before it has heard of that lets nobody run on.
func startingEnd(s *resource.State, now instant.Time) instant.Time {
	if s.Unpaid() { // what is paid once it is up is given up if it does not come up in time
		return s.Since.Add(s.Terms.HeldFor())
	}
	end := now.Add(s.Remaining(now) + startRound - 1)
	return end - end%instant.Time(startRound)
}

// grace is how much longer what runs is kept, so that a daemon that dies while it is blind cuts
// nobody off.
func (b Blind) grace() instant.Millis {
	if b.Since == 0 {
		return 0
	}
	return b.Grace
}

// covers reports whether whose time ended at an instant may have paid unseen.
func (b Blind) covers(end instant.Time) bool { return b.Since != 0 && end.Add(Slack) >= b.Since }
