// Package terms is what a plan promises for a resource, and what was promised when it was opened:
// its price, its warning, its grace, and the bounds of its uptime. Whose terms they are, and what
// follows from them, is left to the packages plan and resource.
package terms

import (
	"cmp"
	"errors"
	"fmt"

	"sandglass/domain/codec"
	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/resource/uptime"
)

// Terms are what a plan promised when the resource was opened.
type Terms struct {
	Price money.Price
	Warn  Warn
	Grace instant.Millis // how long a resource without time is kept

	// Uptime bills only the time for which the keeper says that the resource is up. Else all
	// time is billed from its credit on, by the clock on the wall.
	Uptime bool
	// Hold has the wallet hold the first payment over Lightning until the resource is up, and give it
	// back if that is not so within StartWithin, or [StartWithin] where that is 0. It is of Uptime alone.
	Hold bool
	// StartWithin is how long a resource that should be up may take to be so before that is an
	// alarm. MaxOutage is for how long in each [uptime.Period] its clock stands while it is down; when
	// that is used up the clock runs, so that who crashes it keeps no place for nothing. 0 is no
	// bound. Both are of Uptime alone.
	StartWithin, MaxOutage instant.Millis
	// MaxPause is for how long in each [uptime.Period] the clock stands while the holder pauses. 0 is
	// no bound.
	MaxPause instant.Millis
}

// StartWithin is how long what holds its first payment may take to be up where no bound is set, and
// MaxHeld is the longest bound: the channels of payers and of all on the way wait for it.
const (
	StartWithin = 15 * instant.Minute
	MaxHeld     = 6 * instant.Hour
)

// HeldFor returns for how long a first payment is held at most.
func (t *Terms) HeldFor() instant.Millis { return cmp.Or(t.StartWithin, StartWithin) }

// Warn says when little is left: one of a time, an amount of money, or a share in
// millionths of what was left after the last credit. All zero: never.
type Warn struct {
	Time   instant.Millis
	Amount money.Msat
	Share  int64
}

// Check returns an error unless terms are within their bounds.
func (t Terms) Check() error {
	w := t.Warn
	kinds := 0
	for _, set := range []bool{w.Time != 0, w.Amount != 0, w.Share != 0} {
		if set {
			kinds++
		}
	}
	switch {
	case w.Time < 0 || w.Time > money.MaxTime || w.Amount < 0 || w.Amount > money.MaxMsat || w.Share < 0 || w.Share > 1_000_000:
		return errors.New("a warning is at up to 250 years, 21 million bitcoin or 1000000 ppm")
	case kinds > 1:
		return errors.New("a warning is at a time, an amount or a share: one of them")
	case t.Grace < 0 || t.Grace > instant.Century:
		return errors.New("grace is 0 ms to 100 years")
	case outside(t.StartWithin) || outside(t.MaxOutage) || outside(t.MaxPause):
		return errors.New("a start, outages and pauses have bounds of 0 ms to 30 days")
	case !t.Uptime && (t.StartWithin > 0 || t.MaxOutage > 0):
		return errors.New("a start and outages have bounds only where uptime is billed")
	case !t.Uptime && t.Hold:
		return errors.New("a payment is held until the resource is up only where uptime is billed: else nobody says when it is")
	case t.Hold && t.StartWithin > MaxHeld:
		return fmt.Errorf("a payment is held for %s at most: want a start within that", MaxHeld.InUnits())
	}
	return t.Price.Check()
}

func outside(bound instant.Millis) bool { return bound < 0 || bound > uptime.Period }

// LaterFields passes what terms have had since a version of the events that hold them: it is
// left out where it is zero, and stands at the end of each.
func (t *Terms) LaterFields(f *codec.Fields) {
	codec.Bool(f, "by_uptime", &t.Uptime)
	codec.OptInt(f, "start_within_ms", &t.StartWithin)
	codec.OptInt(f, "max_outage_ms", &t.MaxOutage)
	codec.OptInt(f, "max_pause_ms", &t.MaxPause)
	codec.Bool(f, "hold", &t.Hold)
}
