package resource_test

import (
	"errors"
	"strings"
	"testing"

	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/resource"
	"sandglass/domain/resource/uptime"
)

// byUptime is an order that is billed by its uptime, with up to 60 s of outages and 100 s of pauses in
// each period.
func byUptime(w resource.Warn) resource.Terms {
	t := terms(w)
	t.Uptime, t.StartWithin, t.MaxOutage, t.MaxPause = true, instant.Minute, instant.Minute, 100*instant.Second
	return t
}

func starting(ms instant.Time, why resource.Reason) *resource.Starting {
	return &resource.Starting{At: stamp(ms), Reason: why}
}

func stopped(ms instant.Time, why string) *resource.Stopped {
	return &resource.Stopped{At: stamp(ms), Why: why}
}

// returned is time back of lots that cost 1 msat a millisecond.
func returned(ms, from, to instant.Time) *resource.Returned {
	return &resource.Returned{At: stamp(ms), From: zero + from, Time: to.Sub(from), Amount: money.Msat(to - from)}
}

func span(from, to instant.Time) uptime.Span {
	return uptime.Span{From: zero + from, To: zero + to}
}

func up(ms, since instant.Time, outages ...uptime.Span) resource.Report {
	return resource.Report{When: at(ms), Up: true, Since: zero + since, Outages: outages}
}

func down(ms, since instant.Time, outages ...uptime.Span) resource.Report {
	return resource.Report{When: at(ms), Since: zero + since, Outages: outages, Why: "status 1"}
}

// The statuses of a resource that was paid 200 s at 0, and came up at 5 s.
var (
	byUp       = events{&resource.Opened{At: stamp(0), Plan: "small", Terms: byUptime(resource.Warn{}), Request: [16]byte{1}}}
	byUpWarned = events{&resource.Opened{At: stamp(0), Terms: byUptime(resource.Warn{Time: 100_000})}}
	begins     = join(byUp, events{bought(0, "p1", 200_000), starting(0, "paid")})
	runs       = join(begins, events{started(5_000, "up")})
	runsTo50   = join(runs, events{debited(5_000, 50_000)})
	isDown     = join(runsTo50, events{stopped(50_000, "status 1")})
	pauses     = join(runsTo50, events{paused(50_000)})
	ranOut     = join(runs, events{debited(5_000, 205_000), exhausted(205_000)})
)

func TestByUptime(t *testing.T) {
	other := up(9_000, 5_000)
	other.Host = "b"
	run(t, []example{
		{"what is paid is starting", byUp, credit(0, "p1", 200_000), events{bought(0, "p1", 200_000), starting(0, "paid")}, nil},
		{"so is what was granted", byUp, resource.Grant{When: at(3), Key: "g", Time: 9},
			events{&resource.Granted{At: stamp(3), Key: "g", Time: 9}, starting(3, "granted")}, nil},
		{"its clock stands, whatever is set", begins, settle(9 * hour), nil, nil},
		{"more time changes nothing of that", begins, credit(9_000, "p2", 5), events{bought(9_000, "p2", 5)}, nil},
		{"it runs from when on it is up", begins, up(9_000, 5_000), events{started(5_000, "up")}, nil},
		{"which is not before it was to start", begins, up(9_000, -5_000), events{started(0, "up")}, nil},
		{"nor before what has happened since", join(begins, events{bought(7_000, "p2", 5)}), up(9_000, 5_000),
			events{started(7_000, "up")}, nil},
		{"another host's keeper is not heard", begins, other, nil, nil},
		{"what is down needs no event", begins, down(9_000, -5_000), nil, nil},
		{"it runs, and that it is up is known", runs, up(60_000, 5_000), nil, nil},
		{"use is debited while it runs", runs, settle(50_000), events{debited(5_000, 50_000)}, nil},
		{"to its end", runs, settle(hour), events{debited(5_000, 205_000), exhausted(205_000)}, nil},
		{"a gap of the daemon is none: the keeper was there", runs, gap(50_000, instant.Second, true),
			events{debited(5_000, 50_000)}, nil},
		{"it stops when it is down", runs, down(70_000, 50_000), events{debited(5_000, 50_000), stopped(50_000, "status 1")}, nil},
		{"not for less than 10 s", runs, down(59_999, 50_000), nil, nil},
		{"and is starting until it is up", isDown, up(99_000, 90_000, span(50_000, 90_000)), events{started(90_000, "up")}, nil},
		{"an outage that is over was one", runs, up(99_000, 90_000, span(50_000, 90_000)),
			events{debited(5_000, 50_000), stopped(50_000, ""), started(90_000, "up")}, nil},
		{"a short one was none", runs, up(99_000, 59_999, span(50_000, 59_999)), nil, nil},
		{"a short one before it is up does not count as up", begins, up(99_000, 9_000, span(1_000, 9_000)),
			events{started(9_000, "up")}, nil},
		{"what was up between outages is billed", begins, down(99_000, 80_000, span(-9, 10_000), span(30_000, 70_000)),
			events{started(10_000, "up"), debited(10_000, 30_000), stopped(30_000, ""),
				started(70_000, "up"), debited(70_000, 80_000), stopped(80_000, "status 1")}, nil},
		{"it runs out between outages", runs, up(400_000, 390_000, span(300_000, 390_000)),
			events{debited(5_000, 205_000), exhausted(205_000)}, nil},
		{"a report from before what is known starts nothing", isDown, up(49_000, 5_000), nil, nil},
		{"and stops nothing", runsTo50, down(49_000, 48_000), nil, nil},
		{"a reversal of all while it is starting suspends it", begins, reverse("p1"),
			events{reversed("p1", 200_000, 200_000), exhausted(5_000)}, nil},
		{"it moves, and has to start there", runs, resource.Place{When: at(50_000), Host: "b"},
			events{debited(5_000, 50_000), placed(50_000, "b"), starting(50_000, "moved")}, nil},
		{"what was starting has to start there as well", begins, resource.Place{When: at(9_000), Host: "b"},
			events{placed(9_000, "b"), starting(9_000, "moved")}, nil},
		{"what was billed elsewhere is not given back", join(runsTo50, events{placed(50_000, "b"), starting(50_000, "moved")}),
			resource.Report{When: at(70_000), Host: "b", Since: zero, Up: false}, nil, nil},
		{"little may be left when it starts", join(byUpWarned, events{bought(0, "p1", 9_000), starting(0, "paid")}), up(7_000, 5_000),
			events{started(5_000, "up"), warned(5_000)}, nil},
		{"it is paused after it was down, however soon after its resume", join(runsTo50, events{paused(50_000),
			starting(50_000, "resumed"), started(51_000, "up"), debited(51_000, 52_000), stopped(52_000, "")}),
			resource.Pause{When: at(53_000)}, events{paused(53_000)}, nil},
		{"it is released while it is starting", begins, resource.Release{When: at(9_000), Reason: "holder"},
			events{released(9_000, "holder")}, nil},
		{"after the end nothing is said of it", join(ranOut, events{released(300_000, "operator")}),
			up(400_000, 300_000, span(50_000, 90_000)), nil, nil},
		{"nothing is said of what was not paid", byUp, up(9_000, 5_000), nil, nil},
		{"on the wall's clock nothing is asked of a keeper", running, down(60_000, 1_000), nil, nil},
		{"it has to be there", nil, up(9_000, 5_000), nil, resource.ErrNotOpened},
	})
}

func TestReturned(t *testing.T) {
	twoLots := join(runs, events{bought(5_000, "p2", 100_000), debited(5_000, 255_000)})
	half := money.Price{Msat: 1, Per: 2}
	warn := join(byUpWarned, events{bought(0, "p1", 200_000), starting(0, "paid"),
		started(0, "up"), warned(100_000), debited(0, 120_000)})
	run(t, []example{
		{"what was debited over an outage", runsTo50, up(60_000, 40_000, span(20_000, 40_000)),
			events{returned(50_000, 20_000, 40_000)}, nil},
		{"over one that lasts, and the clock stands from the last debit on", runsTo50, down(60_000, 20_000),
			events{returned(50_000, 20_000, 50_000), stopped(50_000, "status 1")}, nil},
		{"once", join(runsTo50, events{returned(50_000, 20_000, 40_000)}), up(70_000, 40_000, span(20_000, 40_000)), nil, nil},
		{"what a longer outage has besides", join(runsTo50, events{returned(50_000, 20_000, 40_000)}),
			up(70_000, 45_000, span(15_000, 45_000)),
			events{returned(50_000, 15_000, 20_000), returned(50_000, 40_000, 45_000)}, nil},
		{"by a report from before", runsTo50, down(49_000, 20_000), events{returned(50_000, 20_000, 49_000)}, nil},
		{"not over less than 10 s", runsTo50, up(60_000, 29_999, span(20_000, 29_999)), nil, nil},
		{"not from before it ran", runsTo50, up(60_000, 20_000, span(-20_000, 20_000)), events{returned(50_000, 5_000, 20_000)}, nil},
		{"while it is paused", pauses, down(90_000, 20_000), events{returned(50_000, 20_000, 50_000)}, nil},
		{"as far as the bound goes", runs, up(105_000, 99_000, span(10_000, 20_000), span(30_000, 99_000)),
			events{debited(5_000, 10_000), stopped(10_000, ""), started(20_000, "up"), debited(20_000, 30_000), stopped(30_000, ""),
				&resource.Debited{At: stamp(99_000), From: zero + 30_000, Time: 19_000, Amount: 19_000, Forgiven: 50_000},
				started(99_000, "up")}, nil},
		{"no more where it is used", join(runs, events{debited(5_000, 105_000)}), up(105_000, 99_000, span(10_000, 99_000)),
			events{returned(105_000, 10_000, 70_000)}, nil},
		{"what ran out has time again, from now on", ranOut, up(250_000, 90_000, span(50_000, 90_000)),
			events{returned(205_000, 50_000, 90_000), starting(250_000, "returned"), started(250_000, "up")}, nil},
		{"and is starting where it is not up", ranOut, down(250_000, 206_000, span(50_000, 90_000)),
			events{returned(205_000, 50_000, 90_000), starting(250_000, "returned")}, nil},
		{"newest lot first", twoLots, up(256_000, 240_000, span(190_000, 240_000)),
			events{&resource.Returned{At: stamp(255_000), From: zero + 190_000, Time: 50_000, Amount: 50_000}}, nil},
		{"at the price of each lot", join(begins, events{
			&resource.Credited{At: stamp(0), Payment: "p2", Amount: 50_000, Time: 100_000, Price: half},
			started(0, "up"), &resource.Debited{At: stamp(250_000), From: zero, Time: 250_000, Amount: 225_000}}),
			up(256_000, 240_000, span(185_000, 240_000)),
			events{&resource.Returned{At: stamp(250_000), From: zero + 185_000, Time: 55_000, Amount: 30_000}}, nil},
		{"a warning ends with it", warn, up(130_000, 119_000, span(50_000, 100_000)),
			events{returned(120_000, 50_000, 100_000), recovered(120_000)}, nil},
		{"of what was taken back nothing is", join(runsTo50, events{bought(50_000, "p2", 9_000),
			&resource.Reversed{At: stamp(50_000), Payment: "p1", Amount: 200_000, Balance: 155_000, Time: 155_000, Debt: 45_000}}),
			up(60_000, 40_000, span(20_000, 40_000)), nil, nil},
	})
	s := fold(join(runsTo50, events{returned(50_000, 20_000, 40_000)})...)
	if s.Debited != 25_000 || s.Uptime.Returned != 20_000 || s.Remaining(zero) != 175_000 {
		t.Errorf("debited %s, returned %s, %d ms left", s.Debited, s.Uptime.Returned, s.Remaining(zero))
	}
}

// forgiven is a debit that ends with so much time, before which the clock stood still.
func forgiven(from, to instant.Time, charge instant.Millis) *resource.Debited {
	return &resource.Debited{
		At: stamp(to), From: zero + from, Time: charge, Amount: money.Msat(charge), Forgiven: to.Sub(from) - charge,
	}
}

func TestBounds(t *testing.T) {
	const period = instant.Time(uptime.Period)
	long := join(byUp, events{bought(0, "p1", money.Msat(9*period)), starting(0, "paid"), started(0, "up"), stopped(0, "")})
	paidLong := join(long[:4:4], events{paused(0)})
	warn := join(byUpWarned, events{bought(0, "p1", 110_000), starting(0, "paid"), started(0, "up"), stopped(0, "")})
	const late50, late150 = period - 50_000, period - 150_000
	low := join(byUpWarned, events{bought(0, "p1", 50_000), starting(0, "paid"), paused(late50)})
	enough := join(byUp, events{bought(0, "p1", 50_000), starting(0, "paid"), paused(late150)})
	run(t, []example{
		{"an outage is free for as long as it may be", isDown, settle(110_000), nil, nil},
		{"and no longer", isDown, settle(110_001), events{forgiven(50_000, 110_001, 1)}, nil},
		{"until it is up", isDown, up(130_000, 120_000, span(50_000, 120_000)),
			events{forgiven(50_000, 120_000, 10_000), started(120_000, "up")}, nil},
		{"to the end of its time", isDown, settle(hour), events{forgiven(50_000, 265_000, 155_000), exhausted(265_000)}, nil},
		{"a payment in its time is never late", isDown, late(hour, 264_999, "p2", 9),
			events{forgiven(50_000, 264_999, 154_999), bought(264_999, "p2", 9)}, nil},
		{"anew in each period", long, settle(period + 60_000), events{forgiven(0, period, period.Sub(60_000))}, nil},
		{"after which it is billed on", long, settle(2*period + 60_001),
			events{forgiven(0, 2*period+60_001, 2*period.Sub(60_000)+1)}, nil},
		{"a pause is free for as long as it may be", pauses, settle(150_000), nil, nil},
		{"and no longer, though it is paused", pauses, settle(150_001), events{forgiven(50_000, 150_001, 1)}, nil},
		{"to the end of its time", pauses, settle(9 * hour / 8), events{forgiven(50_000, 305_000, 155_000), exhausted(305_000)}, nil},
		{"a resume bills it", pauses, resource.Resume{When: at(160_000)},
			events{forgiven(50_000, 160_000, 10_000), starting(160_000, "resumed")}, nil},
		{"a resume when it has run out", pauses, resource.Resume{When: at(305_000)}, nil, resource.ErrNoTime},
		{"pauses are counted anew too", paidLong, settle(period + 100_000), events{forgiven(0, period, period.Sub(100_000))}, nil},
		{"a warning comes when the clock runs", warn, settle(80_000),
			events{forgiven(0, 70_000, 10_000), warned(70_000), debited(70_000, 80_000)}, nil},
		{"a warning waits for that, if a period ends before", low, settle(period + 100_000),
			events{warned(period + 100_000)}, nil},
		{"what has just enough ends with its period", enough, settle(period),
			events{forgiven(late150, period, 50_000), exhausted(period)}, nil},
		{"before it ever was up no clock runs", begins, settle(period), nil, nil},
		{"nor after a move", join(runsTo50, events{placed(50_000, "b"), starting(50_000, "moved")}), settle(period), nil, nil},
		{"a pause of what is starting", begins, resource.Pause{When: at(9_000)}, events{paused(9_000)}, nil},
		{"a resume starts it again", join(begins, events{paused(9_000)}), resource.Resume{When: at(10_000)},
			events{starting(10_000, "resumed")}, nil},
		{"and not too soon a pause again", join(begins, events{paused(9_000), starting(10_000, "resumed"), started(11_000, "up")}),
			resource.Pause{When: at(69_000)}, nil, uptime.ErrTooSoon},
		{"a resume of what is starting", begins, resource.Resume{When: at(9_000)}, nil, nil},
		{"a wall's pause has a bound too", events{
			&resource.Opened{At: stamp(0), Terms: resource.Terms{Price: perMilli, MaxPause: 1_000}},
			bought(0, "p1", 9_000), started(0, "paid"), paused(0)}, settle(2_000), events{forgiven(0, 2_000, 1_000)}, nil},
	})
}

// What was used of a bound in the period before is known as well.
func TestBoundOfThePeriodBefore(t *testing.T) {
	const end = instant.Time(uptime.Period)
	lasts := join(byUp, events{bought(0, "p1", money.Msat(9*end)), starting(0, "paid"), started(0, "up"),
		debited(0, end-30_000), stopped(end-30_000, ""), started(end+20_000, "up")})
	thirty := returned(end+20_000, end-100_000, end-70_000)
	run(t, []example{
		{"of 60 s are left 30", lasts, up(end+21_000, end+20_000, span(end-100_000, end-40_000)), events{thirty}, nil},
		{"and no more after that", join(lasts, events{thirty}), up(end+21_000, end+20_000, span(end-200_000, end-40_000)), nil, nil},
	})
	s := fold(lasts...)
	if outage, _ := s.Stood(zero + end + 30_000); outage != 20_000 {
		t.Errorf("in the present period it was down for %d ms", outage)
	}
}

func TestBilledOfWhatWasTakenBack(t *testing.T) {
	run(t, []example{{"is owed; what was billed after it is given back", join(byUp, events{
		bought(0, "p1", 20_000), bought(0, "p2", 90_000), starting(0, "paid"), started(5_000, "up"), debited(5_000, 50_000),
		&resource.Reversed{At: stamp(50_000), Payment: "p1", Amount: 20_000, Debt: 20_000},
	}), up(60_000, 45_000, span(5_000, 45_000)), events{returned(50_000, 25_000, 45_000)}, nil}})
}

func TestStartingEndsAHold(t *testing.T) {
	held := join(ranOut, events{&resource.Held{At: stamp(206_000), Payment: "p2", Until: zero + hour}})
	s := decided(t, fold(held...), credit(207_000, "p2", 5_000))
	if s.Status != resource.StatusStarting || s.HoldUntil != 0 || s.DebitedTo != zero+207_000 {
		t.Errorf("%s, held until %d, debited to %d", s.Status, s.HoldUntil, s.DebitedTo-zero)
	}
}

func TestABoundOfAPeriodIsNone(t *testing.T) {
	terms := byUptime(resource.Warn{})
	terms.MaxOutage = uptime.Period
	s := fold(join(events{&resource.Opened{At: stamp(0), Terms: terms}}, events{
		bought(0, "p1", 9_000), starting(0, "paid"), started(0, "up"), stopped(0, "")})...)
	if due, ok := s.Deadline(instant.Minute); ok {
		t.Errorf("it is due at %s", due)
	}
}

func TestDeadlinesByUptime(t *testing.T) {
	for _, x := range []struct {
		name  string
		given events
		want  instant.Time // −1 is none
	}{
		{"starting", begins, -1},
		{"running", runs, 65_000},
		{"down: when its bound is used, and a minute more", isDown, 170_000},
		{"paused", pauses, 210_000},
	} {
		s := fold(x.given...)
		if got, ok := s.Deadline(instant.Minute); ok != (x.want >= 0) || ok && got != zero+x.want {
			t.Errorf("%s: %d, %v; want %d", x.name, got-zero, ok, x.want)
		}
	}
	s := fold(begins...)
	if by, ok := s.StartBy(); !ok || by != zero+60_000 {
		t.Errorf("it should be up by %d, %v", by-zero, ok)
	}
	for name, given := range map[string]events{"running": runs, "paused": pauses, "by the wall": running} {
		s := fold(given...)
		if by, ok := s.StartBy(); ok {
			t.Errorf("%s: it should be up by %d", name, by-zero)
		}
	}
}

func TestStood(t *testing.T) {
	both := join(isDown, events{started(70_000, "up"), debited(70_000, 80_000), paused(80_000)})
	for _, x := range []struct {
		name          string
		given         events
		at            instant.Time
		outage, pause instant.Millis
	}{
		{"running", runs, 60_000, 0, 0},
		{"before it is first up", begins, 60_000, 0, 0},
		{"down", isDown, 59_000, 9_000, 0},
		{"down for longer than is free", isDown, 900_000, 60_000, 0},
		{"down, and then paused", both, 99_000, 20_000, 19_000},
		{"in the next period", both, 99_000 + instant.Time(uptime.Period), 0, 99_000},
		{"given back", join(runsTo50, events{returned(50_000, 20_000, 40_000)}), 60_000, 20_000, 0},
		{"by the wall", running, 60_000, 0, 0},
		{"before it was opened", isDown, -1, 0, 0},
	} {
		s := fold(x.given...)
		if outage, pause := s.Stood(zero + x.at); outage != x.outage || pause != x.pause {
			t.Errorf("%s: %d and %d ms, want %d and %d", x.name, outage, pause, x.outage, x.pause)
		}
	}
}

func TestReportsAreChecked(t *testing.T) {
	many := make([]uptime.Span, uptime.MaxOutages+1)
	for i := range many {
		many[i] = span(instant.Time(2*i), instant.Time(2*i+1))
	}
	long, lines, broken := down(900, 800), down(900, 800), down(900, 800)
	long.Why, lines.Why, broken.Why = strings.Repeat("x", uptime.MaxWhy+1), "a\nb", "\xff"
	for name, c := range map[string]resource.Report{
		"too many outages":        up(900, 800, many...),
		"an empty one":            up(900, 800, span(5, 5)),
		"one turned round":        up(900, 800, span(6, 5)),
		"two that overlap":        up(900, 800, span(1, 5), span(4, 6)),
		"one that ends too late":  up(900, 800, span(1, 801)),
		"what is so later":        up(900, 901),
		"too much of why":         long,
		"why on two lines":        lines,
		"why in broken UTF-8":     broken,
		"one from before 1970":    up(900, 800, uptime.Span{From: -1, To: 5}),
		"a time that can't stand": {When: resource.When{At: instant.Max + 1}},
	} {
		if es, err := resource.Decide(fold(runs...), c); !errors.Is(err, resource.ErrInvalid) || len(es) > 0 {
			t.Errorf("%s: %v, %v", name, es, err)
		}
	}
	if _, err := resource.Decide(fold(runs...), up(900, 800, many[1:]...)); err != nil {
		t.Errorf("as many outages as there may be: %v", err)
	}
}

// What was billed is known over a bounded number of stretches: what is forgotten is not given
// back, and what is known is.
func TestBilledIsBounded(t *testing.T) {
	s := fold(runs...)
	now := instant.Time(5_000)
	for range uptime.MaxBilled + 5 {
		for _, c := range []resource.Command{resource.Pause{When: at(now + 500)}, resource.Resume{When: at(now + 600)}} {
			s.Resumed = false // or it would be too soon
			s = decided(t, s, c)
		}
		s = decided(t, s, up(now+700, 5_000))
		now += 700
	}
	if n := len(s.Uptime.Billed); n != uptime.MaxBilled {
		t.Fatalf("%d stretches are known", n)
	}
	first := s.Uptime.Billed[0].From
	es, err := resource.Decide(s, down(now, 5_000))
	if err != nil || len(es) == 0 || es[0].(*resource.Returned).From != first {
		t.Errorf("%v, %v: want the first from %s on", es, err, first)
	}
}
