package resource_test

import (
	"testing"

	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/resource"

	"pgregory.net/rapid"
)

// TestWarning has thresholds of 3 s, 3,000 msat and 30 % of 10 s, which at 1 msat a
// millisecond are crossed at the same instants.
func TestWarning(t *testing.T) {
	for _, w := range []resource.Warn{{Time: 3_000}, {Amount: 3_000}, {Share: 300_000}} {
		runs := join(opened(w), events{bought(0, "p1", 10_000), started(0, "paid")})
		low := join(runs, events{warned(7_000), debited(0, 8_000)})
		run(t, []example{
			{"is computed", runs, settle(7_500), events{warned(7_000), debited(0, 7_500)}, nil},
			{"at its very instant", runs, settle(7_000), events{warned(7_000), debited(0, 7_000)}, nil},
			{"not before", runs, settle(6_999), events{debited(0, 6_999)}, nil},
			{"with the exhaustion, if that is when it is noticed", runs, settle(hour),
				events{warned(7_000), debited(0, 10_000), exhausted(10_000)}, nil},
			{"once for each crossing", low, settle(9_000), events{debited(8_000, 9_000)}, nil},
			{"not again with the exhaustion", low, settle(hour), events{debited(8_000, 10_000), exhausted(10_000)}, nil},
			{"before a payment that came too late", runs, late(hour, 10_001, "p2", 10_000), events{
				warned(7_000), debited(0, 10_000), exhausted(10_000),
				bought(hour, "p2", 10_000), started(hour, "paid"), recovered(hour)}, nil},
			{"not, if the payment came in time", runs, late(hour, 6_999, "p2", 10_000),
				events{debited(0, 6_999), bought(6_999, "p2", 10_000)}, nil},
			{"ends with a credit", low, credit(8_000, "p2", 10_000), events{bought(8_000, "p2", 10_000), recovered(8_000)}, nil},
			{"comes again after that", join(low, events{bought(8_000, "p2", 8_000), recovered(8_000)}), settle(15_000),
				events{warned(15_000), debited(8_000, 15_000)}, nil},
			{"waits for a paused resource", join(runs, events{debited(0, 6_000), paused(6_000)}), settle(hour), nil, nil},
			{"at once, where a reversal takes the rest", runs, resource.Reverse{When: at(1_000), Payment: "p1"}, events{
				debited(0, 1_000),
				&resource.Reversed{At: stamp(1_000), Payment: "p1", Amount: 10_000, Balance: 9_000, Time: 9_000, Debt: 1_000},
				warned(1_000), exhausted(1_000)}, nil},
		})
	}
}

func TestWarningOfAFirstCreditBelowTheThreshold(t *testing.T) {
	for _, w := range []resource.Warn{{Time: 3_000}, {Amount: 3_000}, {Share: 1_000_000}} {
		run(t, []example{
			{"at its start", opened(w), credit(0, "p1", 3_000), events{bought(0, "p1", 3_000), started(0, "paid"), warned(0)}, nil},
			{"at a resume", join(opened(w), events{bought(0, "p1", 9_000), started(0, "paid"), debited(0, 9_000), exhausted(9_000),
				bought(9_500, "p2", 500), started(9_500, "paid"), paused(9_500)}), resource.Resume{When: at(9_600)},
				events{started(9_600, "resumed"), warned(9_600)}, nil},
		})
	}
}

func TestThresholdsDiffer(t *testing.T) {
	grant := resource.Grant{When: at(8_000), Key: "g", Time: 60_000}
	granted := &resource.Granted{At: stamp(8_000), Key: "g", Time: 60_000}
	low := func(w resource.Warn) events {
		return join(opened(w), events{bought(0, "p1", 10_000), started(0, "paid"), warned(7_000), debited(0, 8_000)})
	}
	tiny := &resource.Credited{At: stamp(0), Payment: "p0", Amount: 3, Price: money.Price{Msat: 1, Per: 1}}
	run(t, []example{
		{"a grant lifts time", low(resource.Warn{Time: 3_000}), grant, events{granted, recovered(8_000)}, nil},
		{"and the share", low(resource.Warn{Share: 300_000}), grant, events{granted, recovered(8_000)}, nil},
		{"not the amount", low(resource.Warn{Amount: 3_000}), grant, events{granted}, nil},
		{"too little time lifts nothing", low(resource.Warn{Time: 3_000}), credit(8_000, "p2", 1_000),
			events{bought(8_000, "p2", 1_000)}, nil},
		{"too little money lifts nothing", low(resource.Warn{Amount: 3_000}), credit(8_000, "p2", 1_000),
			events{bought(8_000, "p2", 1_000)}, nil},
		{"a share is of what is left then", low(resource.Warn{Share: 300_000}), credit(8_000, "p2", 1_000),
			events{bought(8_000, "p2", 1_000), recovered(8_000)}, nil},
		{"without a threshold nothing warns", running, settle(9_999), events{debited(0, 9_999)}, nil},
		{"money without time at the front is held until the first millisecond",
			join(opened(resource.Warn{Amount: 9}), events{tiny}), credit(0, "p1", 8),
			events{bought(0, "p1", 8), started(0, "paid")}, nil},
		{"and not after it",
			join(opened(resource.Warn{Amount: 9}), events{tiny, bought(0, "p1", 8), started(0, "paid")}), settle(2),
			events{warned(1), &resource.Debited{At: stamp(2), From: zero, Time: 2, Amount: 5}}, nil},
		{"it lifts an amount as well",
			join(opened(resource.Warn{Amount: 9}), events{bought(0, "p1", 8), started(0, "paid"),
				warned(0), debited(0, 8), exhausted(8), tiny}),
			credit(20, "p2", 8), events{bought(20, "p2", 8), started(20, "paid"), recovered(20)}, nil},
	})
}

// TestWarnInstantAgreesWithCounting lets small lots run millisecond by millisecond, and
// compares when little is left with the instant that is computed.
func TestWarnInstantAgreesWithCounting(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		small := rapid.Int64Range(0, 12)
		w := rapid.OneOf(
			rapid.Map(rapid.Int64Range(1, 40), func(n int64) resource.Warn { return resource.Warn{Time: instant.Millis(n)} }),
			rapid.Map(rapid.Int64Range(1, 40), func(n int64) resource.Warn { return resource.Warn{Amount: money.Msat(n)} }),
			rapid.Map(rapid.Int64Range(1, 1_000_000), func(n int64) resource.Warn { return resource.Warn{Share: n} }),
		).Draw(t, "warn")
		s := fold(opened(w)...)
		for i := range rapid.IntRange(1, 6).Draw(t, "lots") {
			amount, time := money.Msat(small.Draw(t, "amount")), instant.Millis(small.Draw(t, "time"))
			s = resource.Evolve(s, &resource.Credited{
				At: stamp(0), Payment: string(rune('a' + i)), Amount: amount, Time: time, Price: perMilli,
			})
		}
		if s.Remaining(zero) == 0 {
			return
		}
		s = resource.Evolve(s, started(0, "paid"))
		events, err := resource.Decide(s, settle(hour))
		if err != nil {
			t.Fatal(err)
		}
		end := s.PaidUntil()
		for ms := instant.Time(0); zero+ms <= end; ms++ {
			now := s.Clone()
			if ms > 0 {
				now = resource.Evolve(now, debited(0, ms))
			}
			if now.Balance() <= w.Amount && w.Amount > 0 || now.Remaining(zero+ms) <= w.Time && w.Time > 0 ||
				w.Share > 0 && int64(now.Remaining(zero+ms)) <= int64(now.Full)*w.Share/1_000_000 {
				if e, ok := events[0].(*resource.Warned); !ok || e.At.At != zero+ms {
					t.Fatalf("%+v: crossed after %d ms, and the first event is %T %+v", w, ms, events[0], events[0])
				}
				return
			}
		}
		t.Fatalf("%+v: never crossed", w)
	})
}
