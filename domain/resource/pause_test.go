package resource_test

import (
	"errors"
	"testing"

	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/resource"
	"sandglass/domain/resource/uptime"
)

// paidFor returns a resource that was paid at 0 for so long, and runs.
func paidFor(t *testing.T, time instant.Millis) resource.State {
	t.Helper()
	s := resource.New("vm-1")
	for _, c := range []resource.Command{
		resource.Open{When: at(0), Order: resource.Order{Plan: "small", Terms: terms(resource.Warn{})}},
		credit(0, "p1", money.Msat(time)),
	} {
		s = decided(t, s, c)
	}
	return s
}

// decided returns s after a command.
func decided(t *testing.T, s resource.State, c resource.Command) resource.State {
	t.Helper()
	s = s.Clone() // which Evolve may use
	es, err := resource.Decide(s, c)
	if err != nil {
		t.Fatalf("%+v: %v", c, err)
	}
	for _, e := range es {
		s = resource.Evolve(s, e)
	}
	return s
}

func pauseAt(ms instant.Time) resource.Command  { return resource.Pause{When: at(ms)} }
func resumeAt(ms instant.Time) resource.Command { return resource.Resume{When: at(ms)} }

func TestPauseAfterResume(t *testing.T) {
	const minute = instant.Time(uptime.MinRun)
	resumed := decided(t, decided(t, paidFor(t, 90_000), pauseAt(1)), resumeAt(50_000))
	soon := func(ms instant.Time, wait instant.Millis) {
		t.Helper()
		_, err := resource.Decide(resumed, pauseAt(ms))
		e, ok := errors.AsType[*uptime.TooSoonError](err)
		if !ok || !errors.Is(err, uptime.ErrTooSoon) || e.Again != zero+50_000+minute || e.Wait != wait {
			t.Errorf("paused at %d: %v, %+v", ms, err, e)
		}
	}
	soon(50_000, uptime.MinRun)
	soon(49_000, uptime.MinRun) // a clock that jumped back
	soon(50_000+minute-1, 1)
	decided(t, resumed, pauseAt(50_000+minute))
	// Who pays to start it again may pause at once: the payment bounds that.
	decided(t, decided(t, resumed, credit(50_000+minute*3/2, "p2", 90_000)), pauseAt(50_000+minute*3/2+1))
	// Time that is added while it runs changes nothing.
	resumed = decided(t, resumed, credit(50_001, "p2", 90_000))
	soon(50_002, uptime.MinRun-2)
}

// A holder who pauses and resumes as fast as it is allowed makes three events for each minute
// that was paid for.
func TestAHoldersEventsAreBoundedByPaidTime(t *testing.T) {
	const paid = instant.Hour
	s, events := paidFor(t, paid), 0
	for ms := instant.Time(1); s.Remaining(zero+ms) > 0; ms += 100 {
		for _, c := range []resource.Command{pauseAt(ms), resumeAt(ms)} {
			es, err := resource.Decide(s, c)
			if err != nil && !errors.Is(err, uptime.ErrTooSoon) {
				t.Fatal(err)
			}
			for _, e := range es {
				s = resource.Evolve(s, e)
			}
			events += len(es)
		}
	}
	if most := 3 * int(paid/uptime.MinRun+1); events > most || events < most/2 {
		t.Errorf("%d events in an hour that was paid for, want up to %d", events, most)
	}
}
