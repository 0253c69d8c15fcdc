package resource_test

import (
	"errors"
	"testing"

	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/resource"

	"github.com/google/go-cmp/cmp"
)

// Times in these tests are milliseconds after this instant, 2026-01-01T00:00:00Z.
const zero instant.Time = 1_767_225_600_000

// perMilli is 1 msat a millisecond, so that an amount buys as much time.
var perMilli = money.Price{Msat: 1000, Per: 1000}

type (
	given []resource.Event
	then  []resource.Event
)

// example is given events, when a command, then events or an error.
type example struct {
	name string
	given
	when resource.Command
	then
	err error
}

func run(t *testing.T, examples []example) {
	t.Helper()
	for _, x := range examples {
		t.Run(x.name, func(t *testing.T) {
			got, err := resource.Decide(fold(x.given...), x.when)
			if !errors.Is(err, x.err) {
				t.Fatalf("error %v, want %v", err, x.err)
			}
			if diff := cmp.Diff(x.then, then(got)); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
		})
	}
}

func fold(events ...resource.Event) resource.State {
	s := resource.New("vm-1")
	for _, e := range events {
		s = resource.Evolve(s, e)
	}
	return s
}

// join lets a history go on.
func join(parts ...given) (all given) {
	for _, p := range parts {
		all = append(all, p...)
	}
	return all
}

func at(ms instant.Time) resource.When  { return resource.When{At: zero + ms} }
func stamp(ms instant.Time) resource.At { return resource.At{At: zero + ms} }

func terms(w resource.Warn) resource.Terms {
	return resource.Terms{Price: perMilli, Warn: w, Grace: 2 * instant.Hour}
}

func opened(w resource.Warn) given {
	return given{&resource.Opened{At: stamp(0), Plan: "small", Terms: terms(w), Request: [16]byte{1}}}
}

// bought is a credit at 1 msat a millisecond.
func bought(ms instant.Time, key string, amount money.Msat) *resource.Credited {
	return &resource.Credited{At: stamp(ms), Payment: key, Amount: amount, Time: instant.Millis(amount), Price: perMilli}
}

func started(ms instant.Time, why string) *resource.Started {
	return &resource.Started{At: stamp(ms), Reason: why}
}

// debited is use of lots that cost 1 msat a millisecond.
func debited(from, to instant.Time) *resource.Debited {
	return &resource.Debited{At: stamp(to), From: zero + from, Time: to.Sub(from), Amount: money.Msat(to - from)}
}

func warned(ms instant.Time) *resource.Warned       { return &resource.Warned{At: stamp(ms)} }
func recovered(ms instant.Time) *resource.Recovered { return &resource.Recovered{At: stamp(ms)} }
func exhausted(ms instant.Time) *resource.Exhausted { return &resource.Exhausted{At: stamp(ms)} }
func paused(ms instant.Time) *resource.Paused       { return &resource.Paused{At: stamp(ms)} }

func released(ms instant.Time, why string) *resource.Released {
	return &resource.Released{At: stamp(ms), Reason: why}
}

// credit is a payment that is heard of as soon as it is final.
func credit(ms instant.Time, key string, amount money.Msat) resource.Credit {
	return resource.Credit{When: at(ms), Payment: key, Amount: amount, Paid: zero + ms}
}

func settle(ms instant.Time) resource.Settle { return resource.Settle{When: at(ms)} }

// The statuses: a resource that was paid 10 s at 0.
var (
	awaiting  = opened(resource.Warn{})
	running   = join(awaiting, given{bought(0, "p1", 10_000), started(0, "paid")})
	pausedAt4 = join(running, given{debited(0, 4_000), paused(4_000)})
	suspended = join(running, given{debited(0, 10_000), exhausted(10_000)})
	gone      = join(suspended, given{released(20_000, "operator")})
)
