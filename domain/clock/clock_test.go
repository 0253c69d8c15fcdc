package clock_test

import (
	"testing"

	"sandglass/domain/clock"
	"sandglass/domain/instant"

	"pgregory.net/rapid"
)

const noon = instant.Time(1_800_000_000_000)

var rules = clock.Rules{MaxStep: 2 * instant.Minute, MaxGap: 3 * instant.Hour}

// machine is one whose wall clock is off by so much.
type machine struct {
	t    rapid.TB
	c    clock.Clock
	up   instant.Millis
	real instant.Time
	off  instant.Millis
	boot string
}

func start(t *testing.T, m *clock.Mark, off instant.Millis) *machine {
	h := &machine{t: t, up: instant.Hour, real: noon, off: off, boot: "b1"}
	h.c = clock.Start(rules, h.boot, h.now(), m)
	return h
}

func (m *machine) now() clock.Reading { return clock.Reading{Up: m.up, Wall: m.real.Add(m.off)} }

// pass lets time pass, while a daemon asks for it.
func (m *machine) pass(d instant.Millis) {
	for ; d > instant.Minute; d -= instant.Minute {
		m.sleep(instant.Minute)
		m.c.At(m.now())
	}
	m.sleep(d)
}

// sleep lets time pass, while nobody asks for it.
func (m *machine) sleep(d instant.Millis) { m.up, m.real = m.up+d, m.real.Add(d) }

// wants holds how far our own time is from the real one, and whether the wall is doubted.
func (m *machine) wants(off instant.Millis, why clock.Reason) {
	m.t.Helper()
	if got := m.c.At(m.now()).Sub(m.real); got != off {
		m.t.Errorf("our own time is off by %d ms, want %d", got, off)
	}
	if got := m.c.Doubt().Reason; got != why {
		m.t.Errorf("the doubt is %q, want %q", got, why)
	}
}

func TestSmallStepsAreFollowed(t *testing.T) {
	m := start(t, nil, 0)
	for _, off := range []instant.Millis{90 * instant.Second, 0, -instant.Minute, instant.Minute} {
		m.pass(instant.Second)
		m.off = off
		m.wants(off, "")
	}
	// Many small ones are a large one.
	m.off = 2*instant.Minute + 30*instant.Second
	m.wants(instant.Minute, clock.Stepped)
}

func TestASlowDriftIsFollowed(t *testing.T) {
	m := start(t, nil, 0)
	for range 200 {
		m.pass(instant.Hour)
		m.off += instant.Minute
		m.wants(m.off, "")
	}
}

func TestALeapIsDoubtedUntilItIsBack(t *testing.T) {
	for _, leap := range []instant.Millis{30 * instant.Day, -30 * instant.Day, 3 * instant.Minute} {
		m := start(t, nil, 0)
		m.off = leap
		m.wants(0, clock.Stepped)
		m.pass(59 * instant.Minute)
		m.wants(0, clock.Stepped)
		m.off = 0
		m.wants(0, "")
		if m.c.Gap() != (instant.Gap{}) {
			t.Errorf("nothing was missed, and there is a gap of %+v", m.c.Gap())
		}
	}
}

func TestALeapIsBelievedAfterAnHour(t *testing.T) {
	m := start(t, nil, 0)
	m.off = instant.Day
	m.wants(0, clock.Stepped)
	m.pass(50 * instant.Minute)
	m.off = 2 * instant.Day // again: the hour begins anew
	m.wants(0, clock.Stepped)
	m.pass(59 * instant.Minute)
	m.wants(0, clock.Stepped)
	m.pass(instant.Minute)
	m.wants(2*instant.Day, "")
	if g := m.c.Gap(); g.Length != 2*instant.Day || g.End != m.c.At(m.now()) {
		t.Errorf("the gap is %+v", g)
	}
}

func TestEvidenceEndsADoubtAfterTenMinutes(t *testing.T) {
	m := start(t, nil, 0)
	m.off = instant.Day
	m.wants(0, clock.Stepped)
	const none = -instant.Century
	good := func(v clock.Verdict, header instant.Millis) {
		e := clock.Evidence{Synced: v}
		if header != none {
			e.Header = m.now().Wall.Add(-header)
		}
		m.c.Weigh(m.now(), e)
		m.pass(instant.Minute)
	}
	for range 9 {
		good(clock.Yes, instant.Hour)
	}
	good(clock.No, instant.Hour) // breaks it
	for range 5 {
		good(clock.Yes, instant.Hour)
		good(clock.Unknown, none) // does not
	}
	m.wants(0, clock.Stepped)
	good(clock.Yes, 3*instant.Hour) // breaks it too
	for range 10 {
		good(clock.Yes, instant.Hour)
	}
	m.wants(0, clock.Stepped)
	good(clock.Yes, -instant.Hour)
	m.wants(instant.Day, "")
}

func TestNothingIsKnown(t *testing.T) {
	m := start(t, nil, 0)
	m.c.Log(m.now(), 0, false)
	m.wants(0, "")
	m = start(t, nil, 0)
	m.c.Log(m.now(), noon.Add(-2*instant.Hour), false)
	m.wants(0, "")
	m = start(t, nil, 0)
	m.c.Log(m.now(), noon.Add(-4*instant.Hour), false)
	m.wants(-4*instant.Hour, clock.Ahead)
	m = start(t, nil, 0)
	m.c.Log(m.now(), noon.Add(3*instant.Minute), false)
	m.wants(3*instant.Minute, clock.Behind)
}

// A restart within a boot goes on where the clock stood, whatever the wall shows.
func TestARestartAnchorsNothingAnew(t *testing.T) {
	m := start(t, nil, 0)
	mark := m.c.Mark(m.now())
	m.pass(5 * instant.Hour) // longer than MaxGap: the time since boot tells
	m.off = 3 * instant.Minute
	m.c = clock.Start(rules, m.boot, m.now(), &mark)
	m.c.Log(m.now(), noon, true)
	m.wants(0, clock.Stepped)
	if g := m.c.Gap(); g.Length != 5*instant.Hour || g.End != m.real {
		t.Errorf("the gap is %+v", g)
	}
	m.pass(40 * instant.Minute)
	mark = m.c.Mark(m.now())
	m.c = clock.Start(rules, m.boot, m.now(), &mark) // does not begin the hour anew
	m.pass(20 * instant.Minute)
	m.wants(3*instant.Minute, "")
}

// A daemon that runs and is not heard of has slept: what grace there was is given again.
func TestASleepIsAGap(t *testing.T) {
	m := start(t, nil, 0)
	m.pass(5 * instant.Hour)
	m.wants(0, "")
	m.sleep(instant.Minute)
	m.wants(0, "")
	if m.c.Gap() != (instant.Gap{}) {
		t.Errorf("it was awake, and there is a gap of %+v", m.c.Gap())
	}
	m.sleep(3 * instant.Hour)
	m.wants(0, "")
	m.wants(0, "")
	if g := m.c.Gap(); g.Length != 3*instant.Hour || g.End != m.real {
		t.Errorf("the gap is %+v", g)
	}
	m.sleep(instant.Hour) // and the wall clock stood
	m.off = -instant.Hour
	m.wants(0, clock.Stepped)
	if g := m.c.Gap(); g.Length != 4*instant.Hour || g.End != m.real {
		t.Errorf("the gap is %+v", g)
	}
	m.pass(10 * instant.Minute)
	m.off = 0
	m.wants(0, "")
}

func TestABoot(t *testing.T) {
	for _, test := range []struct {
		name      string
		away, off instant.Millis
		own       instant.Millis
		why       clock.Reason
	}{
		{"a short one", 5 * instant.Minute, 0, 0, ""},
		{"RTC of last century", 5 * instant.Minute, -20 * instant.Year, -5 * instant.Minute, clock.Behind},
		{"RTC a month ahead", 5 * instant.Minute, 30 * instant.Day, -5 * instant.Minute, clock.Ahead},
		{"a long weekend", 3 * instant.Day, 0, -3 * instant.Day, clock.Ahead},
	} {
		m := start(t, nil, 0)
		mark := m.c.Mark(m.now())
		m.pass(test.away)
		m.up, m.boot, m.off = instant.Minute, "b2", test.off
		m.c = clock.Start(rules, m.boot, m.now(), &mark)
		m.c.Log(m.now(), noon, true)
		m.wants(test.own, test.why)
	}
}

// A machine boots with a clock that is behind, and others have written to the log meanwhile: the
// time until their last event is a gap too.
func TestALogThatWentOnIsAGap(t *testing.T) {
	m := start(t, nil, 0)
	mark := m.c.Mark(m.now())
	m.sleep(50 * instant.Minute)
	m.up, m.boot, m.off = instant.Minute, "b2", -instant.Year
	m.c = clock.Start(rules, m.boot, m.now(), &mark)
	m.c.Log(m.now(), m.real, true)
	m.wants(0, clock.Behind)
	m.off = 0
	m.wants(0, "")
	if g := m.c.Gap(); g.Length != 50*instant.Minute || g.End != m.real {
		t.Errorf("the gap is %+v", g)
	}
}

func TestTheOperatorsWord(t *testing.T) {
	m := start(t, nil, 0)
	m.off = instant.Day
	m.wants(0, clock.Stepped)
	word := clock.Mark{Boot: m.boot, Up: m.up, Own: m.now().Wall}
	m.pass(10 * instant.Second)
	m.off = 2 * instant.Day // another leap than the one that was accepted
	if m.c.Accept(m.now(), word) {
		t.Error("a word was taken for another leap")
	}
	m.off = instant.Day
	if !m.c.Accept(m.now(), word) {
		t.Error("the word was not taken")
	}
	m.wants(instant.Day, "")
	mark := m.c.Mark(m.now())
	m.c = clock.Start(rules, m.boot, m.now(), &mark)
	m.wants(instant.Day, "") // it is kept
	if m.c.Gap().Length < instant.Day {
		t.Errorf("the gap is %+v", m.c.Gap())
	}
}

// What was believed against the log is not doubted at each start.
func TestABehindThatWasBelievedStaysSo(t *testing.T) {
	m := start(t, nil, 0)
	last := noon.Add(instant.Day)
	m.c.Log(m.now(), last, false)
	m.wants(instant.Day, clock.Behind)
	m.pass(instant.Hour)
	m.wants(0, "")
	mark := m.c.Mark(m.now())
	m.c = clock.Start(rules, m.boot, m.now(), &mark)
	m.c.Log(m.now(), last, true)
	m.wants(0, "")
	m.c = clock.Start(rules, m.boot, m.now(), &mark)
	m.c.Log(m.now(), last.Add(2*instant.Hour), true) // something new that is later
	m.wants(instant.Day+instant.Hour, clock.Behind)
}

// Whatever a wall clock does, our own time never leaps by more than MaxStep but at the end of
// a doubt, which is an hour after the last leap at least.
func TestOwnTimeGoesOn(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &machine{t: t, up: instant.Hour, real: noon, boot: "b"}
		m.c = clock.Start(rules, m.boot, m.now(), nil)
		before, leapt := m.c.At(m.now()), m.up-instant.Day
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			d := instant.Millis(rapid.Int64Range(0, int64(20*instant.Minute)).Draw(t, "pass"))
			m.sleep(d)
			if off := m.off; rapid.IntRange(0, 3).Draw(t, "sets") == 0 {
				m.off = instant.Millis(rapid.Int64Range(-int64(instant.Day), int64(instant.Day)).Draw(t, "off"))
				if step := m.off - off; step > rules.MaxStep || step < -rules.MaxStep {
					leapt = m.up
				}
			}
			own := m.c.At(m.now())
			if leap := own.Sub(before) - d; (leap > 2*rules.MaxStep || leap < -2*rules.MaxStep) && m.up-leapt < instant.Hour {
				t.Fatalf("our own time leaps by %d ms, %d ms after the wall clock did", leap, m.up-leapt)
			}
			before = own
		}
	})
}

// When the boot before was last seen is known for as long as this one lasts, and only of a boot.
func TestOff(t *testing.T) {
	m := start(t, nil, 0)
	if m.c.Off() != (clock.Off{}) {
		t.Error("the first boot knows of one before it")
	}
	m.pass(instant.Hour)
	mark := m.c.Mark(m.now())
	for _, boot := range []string{"b2", "b2", "b2"} {
		m.sleep(instant.Minute)
		m.c = clock.Start(rules, boot, m.now(), &mark)
		if off := m.c.Off(); off != (clock.Off{Boot: "b1", Up: 2 * instant.Hour, At: noon.Add(instant.Hour)}) {
			t.Errorf("off is %+v", off)
		}
		m.pass(instant.Minute)
		mark = m.c.Mark(m.now())
	}
	if c := clock.Start(rules, "", m.now(), &mark); c.Off() != (clock.Off{}) {
		t.Error("without the id of a boot it is not known which one it is")
	}
}

// What others saw of a boot after the daemon's end counts: it is the last that is known of it.
func TestOffAsOthersSawIt(t *testing.T) {
	for _, test := range []struct {
		seen, off, away instant.Millis // from the mark
		last, own       instant.Millis // from the mark
		why             clock.Reason
	}{
		{seen: -instant.Minute, away: instant.Hour, last: 0, own: instant.Hour},
		{seen: instant.Hour, away: 2 * instant.Hour, last: instant.Hour, own: 2 * instant.Hour},
		// Longer than MaxGap since the mark, and not since the machine was last seen to run.
		{seen: 5 * instant.Hour, away: 7 * instant.Hour, last: 5 * instant.Hour, own: 7 * instant.Hour},
		{seen: 5 * instant.Hour, away: 9 * instant.Hour, last: 5 * instant.Hour, own: 5 * instant.Hour, why: clock.Ahead},
		// It is later than the wall clock says.
		{seen: 5 * instant.Hour, off: -4 * instant.Hour, away: 6 * instant.Hour, last: 5 * instant.Hour, own: 5 * instant.Hour,
			why: clock.Behind},
	} {
		m := start(t, nil, 0)
		mark := m.c.Mark(m.now())
		mark.Seen = m.up + test.seen
		m.real, m.off, m.boot, m.up = m.real.Add(test.away), test.off, "b2", instant.Minute
		m.c = clock.Start(rules, m.boot, m.now(), &mark)
		off := m.c.Off()
		if off.At != noon.Add(test.last) || off.Up != instant.Hour+max(0, test.seen) || off.Boot != "b1" {
			t.Errorf("%+v: off is %+v", test, off)
		}
		if own := m.c.At(m.now()); own != noon.Add(test.own) || m.c.Doubt().Reason != test.why {
			t.Errorf("%+v: it is %s, with doubt %+v", test, own, m.c.Doubt())
		}
		if g := m.c.Gap(); g.Length != test.own {
			t.Errorf("%+v: nobody could have been credited for %+v", test, g)
		}
	}
}
