package resource_test

import (
	"testing"

	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/resource"
)

// A deposit that was seen holds off release, for a bounded time, and no longer once it
// came to nothing.
func TestADepositHoldsOffRelease(t *testing.T) {
	terms := resource.Terms{Price: money.Price{Msat: 1, Per: 1}, Grace: 2 * instant.Hour}
	begin := instant.Time(1_000_000)
	grace := begin.Add(2 * instant.Hour)
	when := func(at instant.Time) resource.When { return resource.When{At: at} }
	run := func(cmds ...resource.Command) resource.State {
		t.Helper()
		s := resource.New("vm")
		open := resource.Open{When: when(begin), Order: resource.Order{Plan: "p", Terms: terms}}
		for _, c := range append([]resource.Command{open}, cmds...) {
			events, err := resource.Decide(s, c)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range events {
				s = resource.Evolve(s, e)
			}
		}
		return s
	}
	hold := func(at, until instant.Time) resource.Command {
		return resource.Hold{When: when(at), Payment: "btc-00-0", Until: until}
	}
	settle := func(at instant.Time) resource.Command { return resource.Settle{When: when(at), Swept: at} }
	for name, c := range map[string]struct {
		s       resource.State
		status  resource.Status
		release instant.Time
	}{
		"no deposit":             {run(settle(grace - 1)), resource.StatusAwaiting, grace},
		"held":                   {run(hold(begin, grace+500), settle(grace+499)), resource.StatusAwaiting, grace + 500},
		"held, and over":         {run(hold(begin, grace+500), settle(grace+500)), resource.StatusReleased, 0},
		"held for ever":          {run(hold(begin, instant.Max)), resource.StatusAwaiting, grace.Add(resource.MaxHold)},
		"it came to nothing":     {run(hold(begin, grace+500), hold(begin+9, begin+9)), resource.StatusAwaiting, grace},
		"within grace, no bound": {run(hold(begin, begin+5)), resource.StatusAwaiting, grace},
	} {
		if due, _ := c.s.Deadline(instant.Hour); c.s.Status != c.status || due != c.release {
			t.Errorf("%s: %s, due at %s; want %s, %s", name, c.s.Status, due, c.status, c.release)
		}
	}
	s := run(hold(begin, grace+500))
	if again, err := resource.Decide(s, hold(begin+1, grace+500)); err != nil || len(again) != 0 {
		t.Errorf("held twice: %v, %v", again, err)
	}
	if s.HeldUntil() != grace+500 {
		t.Errorf("held until %s", s.HeldUntil())
	}
}
