// Package clock decides which time it is, where the clock of the wall can be wrong.
//
// A daemon has a time of its own: it stood somewhere once, and goes on with the time since
// boot, which nobody sets and which counts while the machine sleeps. A sleep is a gap. Small
// steps of the wall clock are followed. A larger one is doubted: [Clock.At] goes on with its
// own time until there is reason to believe the other. Reading clocks, and keeping a [Mark]
// across restarts, is left to an adapter: all here is pure.
package clock

import (
	"sandglass/domain/instant"
)

const (
	// Slack is how far the wall clock may be behind the log at the start.
	Slack = 2 * instant.Minute
	// HeaderSlack is how far the header of a block may be from the time: consensus lets it be
	// two hours ahead.
	HeaderSlack = 2 * instant.Hour
	// Proven is how long evidence has to speak for the wall clock until it is believed.
	Proven = 10 * instant.Minute
	// Patience is how long it has to go steadily until it is believed without evidence.
	Patience = instant.Hour
	// Asleep is how long nobody can have asked for the time while the daemon ran: after longer
	// the machine slept, or the process was stopped, and that is a gap.
	Asleep = instant.Minute
	// regain is in which time as much can be followed again as was.
	regain = instant.Hour
)

// Reading is what the clocks of a machine show at once.
type Reading struct {
	Up   instant.Millis // since boot, with the time that it slept
	Wall instant.Time
}

// Mark is where a clock stood: what is kept of it for the next start.
type Mark struct {
	Boot string         `json:"boot"` // id of the boot that Up is of; empty if it is not known
	Up   instant.Millis `json:"up_ms"`
	Own  instant.Time   `json:"own"`
	// Overruled is up to which time of the log the wall clock was believed in its stead.
	Overruled instant.Time `json:"overruled"`
	Gap       instant.Gap  `json:"gap"`   // the last one
	Doubt     Doubt        `json:"doubt"` // that is not at its end
	// Off is our own time when the boot before was last seen to run; 0 if that is not known.
	Off     instant.Time   `json:"off,omitempty"`
	OffBoot string         `json:"off_boot,omitempty"`  // the id of that boot
	OffUp   instant.Millis `json:"off_up_ms,omitempty"` // the time since it then
	// Seen is the time since boot at which others saw that boot run last, 0 if none did. It is not kept:
	// who starts a clock sets it.
	Seen instant.Millis `json:"-"`
}

// last returns our own time when the mark's boot was last seen to run.
func (m *Mark) last() instant.Time { return m.Own.Add(max(0, m.Seen-m.Up)) }

// Off is when a former boot was last seen to run. The zero Off is not known.
type Off struct {
	Boot string         // its id
	Up   instant.Millis // since that boot
	At   instant.Time   // by our own time
}

// Doubt is of a wall clock that stands too far from our own time.
type Doubt struct {
	Reason Reason         `json:"reason"`  // empty: there is none
	Since  instant.Time   `json:"since"`   // by our own time
	Leap   instant.Millis `json:"leap_ms"` // of the wall clock from our own time
	Steady instant.Millis `json:"steady"`  // time since boot from when on the leap is that
}

// Reason is why the wall clock is doubted.
type Reason string

// The reasons.
const (
	Stepped Reason = "stepped" // it was set, while we ran or since
	Behind  Reason = "behind"  // the log has later times
	Ahead   Reason = "ahead"   // nothing is known of so long a time
)

// Rules are what an operator decides.
type Rules struct {
	MaxStep instant.Millis // of the wall clock, that is followed
	MaxGap  instant.Millis // that a machine may have been away without being asked about it
}

// Clock is the time of a daemon. It begins with [Start].
type Clock struct {
	rules Rules
	boot  string
	base  Reading        // at which Wall was our own time
	seen  instant.Millis // time since boot at which the time was asked for last
	// followed is the sum of the steps that were followed, which shrinks with time: many small
	// ones are a large one.
	followed  instant.Millis
	overruled instant.Time
	log       instant.Time // of its last event, as of the start
	off       Off
	gap       instant.Gap
	doubt     Doubt
	good      instant.Millis // time since boot from when on evidence speaks for the wall clock; -1 if it does not
}

// Start returns the clock of a daemon that starts: where it stood by its mark, which is nil if
// there is none, and what passed since.
func Start(rules Rules, boot string, now Reading, m *Mark) Clock {
	c := Clock{rules: rules, boot: boot, base: now, seen: now.Up, good: -1}
	if m == nil {
		return c
	}
	c.overruled, c.gap = m.Overruled, m.Gap
	if m.Boot == boot {
		c.off = Off{Boot: m.OffBoot, Up: m.OffUp, At: m.Off}
	} else if m.Boot != "" && boot != "" {
		c.off = Off{Boot: m.Boot, Up: max(m.Up, m.Seen), At: m.last()}
	}
	switch {
	case boot != "" && m.Boot == boot && m.Up <= now.Up:
		c.base.Wall = m.Own.Add(now.Up - m.Up)
		c.gap = c.gap.Then(m.Own, c.base.Wall)
		c.doubt = m.Doubt
		c.At(now)
	case now.Wall < m.last().Add(-Slack):
		c.base.Wall, c.gap = m.last(), c.gap.Then(m.Own, m.last())
		c.begin(Behind, now)
	case now.Wall > m.last().Add(rules.MaxGap):
		c.base.Wall, c.gap = m.last(), c.gap.Then(m.Own, m.last())
		c.begin(Ahead, now)
	default:
		c.gap = c.gap.Then(m.Own, now.Wall)
	}
	return c
}

// Log tells the clock, once, when the last event of the log was recorded, and whether a
// mark was there, without which the log is all that is known.
func (c *Clock) Log(now Reading, last instant.Time, marked bool) {
	c.log = last
	own := c.At(now)
	switch {
	case last == 0 || last <= c.overruled:
	case own < last.Add(-Slack):
		if marked { // the log went on by others, and we did not
			c.gap = c.gap.Then(own, last)
		}
		c.base, c.followed = Reading{now.Up, last}, 0
		c.doubt = Doubt{}
		c.begin(Behind, now)
	case !marked && own > last.Add(c.rules.MaxGap):
		c.base = Reading{now.Up, last}
		c.begin(Ahead, now)
	}
}

// At returns our own time. It follows the wall clock, or begins to doubt it, or finds that it
// came back or was doubted for long enough. It has to be called more often than every [Asleep].
func (c *Clock) At(now Reading) instant.Time {
	own := c.own(now)
	if slept := now.Up - c.seen; slept > Asleep {
		c.gap = c.gap.Then(own.Add(-slept), own)
	}
	c.seen = now.Up
	leap := now.Wall.Sub(own)
	passed := max(0, now.Up-c.base.Up)
	lately := c.followed - c.followed*min(passed, regain)/regain
	small := abs(leap) <= c.rules.MaxStep && abs(leap+lately) <= c.rules.MaxStep
	switch {
	case small:
		c.base, c.followed, c.doubt, c.good = now, lately+leap, Doubt{}, -1
		return now.Wall
	case c.doubt.Reason == "":
		c.begin(Stepped, now)
	case abs(leap-c.doubt.Leap) > c.rules.MaxStep: // again
		c.doubt.Leap, c.doubt.Steady, c.good = leap, now.Up, -1
	case now.Up-c.doubt.Steady >= Patience:
		return c.believe(now)
	}
	return own
}

func (c *Clock) own(now Reading) instant.Time { return c.base.Wall.Add(max(0, now.Up-c.base.Up)) }

func (c *Clock) begin(why Reason, now Reading) {
	own := c.own(now)
	c.doubt, c.good = Doubt{Reason: why, Since: own, Leap: now.Wall.Sub(own), Steady: now.Up}, -1
}

// believe ends the doubt: the wall clock is right, and what our own time did not count of it
// is a gap.
func (c *Clock) believe(now Reading) instant.Time {
	own := c.own(now)
	if known := max(own, c.log); now.Wall < known {
		c.overruled = max(c.overruled, known)
	}
	c.gap = c.gap.Then(own, now.Wall)
	c.base, c.followed, c.doubt, c.good = now, 0, Doubt{}, -1
	return now.Wall
}

// Evidence is what others say of the wall clock.
type Evidence struct {
	Synced Verdict      // what the system says of its synchronisation
	Header instant.Time // of the last block that the wallet has; 0 if that is not known
}

// Verdict is yes, no, or that it is not known.
type Verdict int8

// The verdicts.
const (
	Unknown Verdict = iota
	Yes
	No
)

// Weigh takes evidence. What speaks for the wall clock for as long as [Proven] ends a doubt;
// what is not known speaks neither for nor against it.
func (c *Clock) Weigh(now Reading, e Evidence) {
	c.At(now)
	near := e.Header != 0 && abs(now.Wall.Sub(e.Header)) <= HeaderSlack
	switch {
	case c.doubt.Reason == "":
	case e.Synced == No || e.Header != 0 && !near:
		c.good = -1
	case e.Synced == Unknown || e.Header == 0:
	case c.good < 0:
		c.good = now.Up
	case now.Up-c.good >= Proven:
		c.believe(now)
	}
}

// Accept ends a doubt by the operator's word, given at a mark of the wall clock: of this boot
// the clock has to have gone on as it did then; of another one it may be no more than a
// bounded time later. It reports whether the word fits.
func (c *Clock) Accept(now Reading, word Mark) bool {
	c.At(now)
	since := now.Wall.Sub(word.Own)
	fits := since >= -c.rules.MaxStep && since <= c.rules.MaxGap
	if c.boot != "" && word.Boot == c.boot {
		fits = abs(since-(now.Up-word.Up)) <= c.rules.MaxStep
	}
	if fits && c.doubt.Reason != "" {
		c.believe(now)
	}
	return fits
}

// Doubt returns the doubt, whose Reason is empty if there is none.
func (c *Clock) Doubt() Doubt { return c.doubt }

// Gap returns the last gap.
func (c *Clock) Gap() instant.Gap { return c.gap }

// Off returns when the boot before this one was last seen to run, by a mark of it or by others. Since then
// nothing ran on this machine until it was booted. If there were boots in between, nothing was wanted in
// them.
func (c *Clock) Off() Off { return c.off }

// Mark returns what is to be kept for the next start.
func (c *Clock) Mark(now Reading) Mark {
	return Mark{
		Boot: c.boot, Up: now.Up, Own: c.At(now), Overruled: c.overruled, Gap: c.gap, Doubt: c.doubt,
		Off: c.off.At, OffBoot: c.off.Boot, OffUp: c.off.Up,
	}
}

func abs(m instant.Millis) instant.Millis { return max(m, -m) }
