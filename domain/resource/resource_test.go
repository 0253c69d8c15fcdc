package resource_test

import (
	"testing"

	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/resource"
	"sandglass/testutil/given"
)

// Times in these tests are milliseconds after this instant, 2026-01-01T00:00:00Z.
const zero instant.Time = 1_767_225_600_000

// perMilli is 1 msat a millisecond, so that an amount buys as much time.
var perMilli = money.Price{Msat: 1000, Per: 1000}

type events = []resource.Event

// vm is the resource of these tests.
var vm = given.Of(resource.Aggregate(), "vm-1")

// example is given events, when a command, then events or an error.
type example struct {
	name  string
	given events
	when  resource.Command
	then  events
	err   error
}

func run(t *testing.T, examples []example) {
	t.Helper()
	for _, x := range examples {
		vm.Check(t, x.name, x.given, x.when, x.then, x.err)
	}
}

func fold(given ...resource.Event) resource.State { return vm.Fold(given...) }

// join lets a history go on.
func join(parts ...events) (all events) {
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

func opened(w resource.Warn) events {
	return events{&resource.Opened{At: stamp(0), Plan: "small", Terms: terms(w), Request: [16]byte{1}}}
}

// bought is a credit at 1 msat a millisecond.
func bought(ms instant.Time, key string, amount money.Msat) *resource.Credited {
	return &resource.Credited{At: stamp(ms), Payment: key, Amount: amount, Time: instant.Millis(amount), Price: perMilli}
}

func started(ms instant.Time, why resource.Reason) *resource.Started {
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

func released(ms instant.Time, why resource.Reason) *resource.Released {
	return &resource.Released{At: stamp(ms), Reason: why}
}

// credit is a payment that is heard of as soon as it is final.
func credit(ms instant.Time, key string, amount money.Msat) resource.Credit {
	return resource.Credit{When: at(ms), Payment: key, Amount: amount, Paid: zero + ms}
}

func settle(ms instant.Time) resource.Settle {
	return resource.Settle{When: at(ms), Swept: instant.Max}
}

// The statuses: a resource that was paid 10 s at 0.
var (
	awaiting  = opened(resource.Warn{})
	running   = join(awaiting, events{bought(0, "p1", 10_000), started(0, "paid")})
	pausedAt4 = join(running, events{debited(0, 4_000), paused(4_000)})
	suspended = join(running, events{debited(0, 10_000), exhausted(10_000)})
	gone      = join(suspended, events{released(20_000, "operator")})
)
