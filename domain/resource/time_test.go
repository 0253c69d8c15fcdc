package resource_test

import (
	"testing"

	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/resource"
)

const (
	hour = instant.Time(instant.Hour)
	day  = instant.Time(instant.Day)
)

// late is a payment that was final at paid, and is told of at ms.
func late(ms, paid instant.Time, key string, amount money.Msat) resource.Credit {
	return resource.Credit{When: at(ms), Payment: key, Amount: amount, Paid: zero + paid}
}

func gap(ms instant.Time, most instant.Millis, forgive bool) resource.Settle {
	return resource.Settle{When: resource.When{At: zero + ms, MaxGap: most, Forgive: forgive}, Swept: instant.Max}
}

func TestTimersChargeWhatWasUsed(t *testing.T) {
	run(t, []example{
		{"use is debited", running, settle(4_000), events{debited(0, 4_000)}, nil},
		{"the last millisecond is there to be used", running, settle(9_999), events{debited(0, 9_999)}, nil},
		{"a timer on time exhausts", running, settle(10_000), events{debited(0, 10_000), exhausted(10_000)}, nil},
		{"a late timer charges no more", running, settle(day),
			events{debited(0, 10_000), exhausted(10_000), released(10_000+2*hour, "grace_over")}, nil},
		{"a timer of no time debits nothing", running, settle(0), nil, nil},
		{"a second timer of an instant debits nothing", join(running, events{debited(0, 4_000)}), settle(4_000), nil, nil},
		{"a paused resource uses nothing", pausedAt4, settle(day), nil, nil},
		{"a suspended one uses nothing", suspended, settle(hour), nil, nil},
	})
}

func TestClockThatJumpsBack(t *testing.T) {
	used := join(running, events{debited(0, 4_000)})
	run(t, []example{
		{"debits nothing", used, settle(4_000 - hour), nil, nil},
		{"and stands still until it has caught up", used, settle(3_999), nil, nil},
		{"then goes on", used, settle(4_001), events{debited(4_000, 4_001)}, nil},
		{"a pause is at the latest instant", used, resource.Pause{When: at(4_000 - hour)}, events{paused(4_000)}, nil},
		{"so is a resume", pausedAt4, resource.Resume{When: at(4_000 - hour)}, events{started(4_000, "resumed")}, nil},
		{"so is a credit", used, credit(4_000-hour, "p2", 5), events{bought(4_000, "p2", 5)}, nil},
		{"so is a release", used, resource.Release{When: at(4_000 - hour), Reason: "holder"}, events{released(4_000, "holder")}, nil},
		{"so is a start", suspended, credit(-hour, "p2", 5), events{bought(10_000, "p2", 5), started(10_000, "paid")}, nil},
	})
}

func TestClockThatJumpsAhead(t *testing.T) {
	long := join(awaiting, events{bought(0, "p1", money.Msat(2*day)), started(0, "paid")})
	short := join(awaiting, events{bought(0, "p1", money.Msat(hour/2)), started(0, "paid")})
	forgiven := func(charge, all instant.Time) *resource.Debited {
		e := debited(0, charge)
		e.At, e.Forgiven = stamp(all), (all - charge).Sub(0)
		return e
	}
	run(t, []example{
		{"a day is billed", long, gap(day, instant.Hour, false), events{debited(0, day)}, nil},
		{"a day is forgiven beyond an hour", long, gap(day, instant.Hour, true), events{forgiven(hour, day)}, nil},
		{"an hour is no gap", long, gap(hour, instant.Hour, true), events{debited(0, hour)}, nil},
		{"without a bound there is no gap", long, gap(day, 0, true), events{debited(0, day)}, nil},
		{"less than the bound is left: it runs out", short, gap(day, instant.Hour, true),
			events{debited(0, hour/2), exhausted(hour / 2), released(hour/2+2*hour, "grace_over")}, nil},
		{"the bound is just what is left: it runs out", short, gap(day, instant.Hour/2, true),
			events{debited(0, hour/2), exhausted(hour / 2), released(hour/2+2*hour, "grace_over")}, nil},
		{"a millisecond less: it runs on", short, gap(day, instant.Hour/2-1, true), events{forgiven(hour/2-1, day)}, nil},
		{"a pause after a gap", long, resource.Pause{When: resource.When{At: zero + day, MaxGap: instant.Hour, Forgive: true}},
			events{forgiven(hour, day), paused(day)}, nil},
	})
}

func TestPaymentInTimeIsNeverLate(t *testing.T) {
	settled := join(running, events{debited(0, 8_000)})
	forgive := late(day, 5_000, "p2", 7_000)
	forgive.MaxGap, forgive.Forgive = instant.Second, true
	run(t, []example{
		{"told at once", running, credit(5_000, "p2", 7_000), events{debited(0, 5_000), bought(5_000, "p2", 7_000)}, nil},
		{"told a day late", running, late(day, 5_000, "p2", 7_000), events{debited(0, 5_000), bought(5_000, "p2", 7_000)}, nil},
		{"paid at the last millisecond", running, late(day, 9_999, "p2", 7_000),
			events{debited(0, 9_999), bought(9_999, "p2", 7_000)}, nil},
		{"paid when it was over: it runs again from now", running, late(60_000, 10_000, "p2", 7_000),
			events{debited(0, 10_000), exhausted(10_000), bought(60_000, "p2", 7_000), started(60_000, "paid")}, nil},
		{"told after it was suspended: it runs again from now", suspended, late(60_000, 5_000, "p2", 7_000),
			events{bought(60_000, "p2", 7_000), started(60_000, "paid")}, nil},
		{"paid before the last debit", settled, late(day, 5_000, "p2", 7_000), events{bought(8_000, "p2", 7_000)}, nil},
		{"paid later than told, by another clock", running, late(4_000, 5_000, "p2", 7_000),
			events{debited(0, 4_000), bought(4_000, "p2", 7_000)}, nil},
		{"the first payment starts it now", awaiting, late(60_000, 5_000, "p1", 7_000),
			events{bought(60_000, "p1", 7_000), started(60_000, "paid")}, nil},
		{"a paused resource has it now", pausedAt4, late(60_000, 5_000, "p2", 7_000), events{bought(60_000, "p2", 7_000)}, nil},
		{"a gap before it is forgiven", running, forgive, events{
			&resource.Debited{At: stamp(5_000), From: zero, Time: 1_000, Amount: 1_000, Forgiven: 4_000},
			bought(5_000, "p2", 7_000)}, nil},
		{"a resource whose grace is over runs again until it is released", suspended, credit(9*hour, "p2", 5),
			events{bought(9*hour, "p2", 5), started(9*hour, "paid")}, nil},
		{"so does an order", awaiting, credit(9*hour, "p1", 5), events{bought(9*hour, "p1", 5), started(9*hour, "paid")}, nil},
	})
}

func TestRemaining(t *testing.T) {
	for _, x := range []struct {
		name  string
		given events
		now   instant.Time
		want  instant.Millis
	}{
		{"running, at the last debit", running, 0, 10_000},
		{"running, later", running, 4_000, 6_000},
		{"running, at the end", running, 10_000, 0},
		{"running, after the end", running, day, 0},
		{"running, before the last debit", running, -day, 10_000},
		{"paused", pausedAt4, day, 6_000},
		{"suspended", suspended, day, 0},
		{"awaiting", awaiting, day, 0},
		{"never opened", nil, day, 0},
	} {
		s := fold(x.given...)
		if got := s.Remaining(zero + x.now); got != x.want {
			t.Errorf("%s: %d ms, want %d", x.name, got, x.want)
		}
	}
}

func TestDeadline(t *testing.T) {
	warn := join(opened(resource.Warn{Time: 3_000}), events{bought(0, "p1", 10_000), started(0, "paid")})
	for _, x := range []struct {
		name  string
		given events
		every instant.Millis
		want  instant.Time // −1 is none
	}{
		{"never opened", nil, 1, -1},
		{"an order's wait", awaiting, 1, 2 * hour},
		{"exhaustion", running, instant.Hour, 10_000},
		{"a debit", running, 600, 600},
		{"a debit after the last", join(running, events{debited(0, 4_000)}), 600, 4_600},
		{"a warning", warn, instant.Hour, 7_000},
		{"exhaustion after a warning", join(warn, events{warned(7_000)}), instant.Hour, 10_000},
		{"paused", pausedAt4, 1, -1},
		{"grace", suspended, 1, 10_000 + 2*hour},
		{"released", gone, 1, -1},
	} {
		s := fold(x.given...)
		got, ok := s.Deadline(x.every)
		if ok != (x.want >= 0) || ok && got != zero+x.want {
			t.Errorf("%s: %d, %v; want %d", x.name, got-zero, ok, x.want)
		}
	}
}
