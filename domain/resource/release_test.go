package resource_test

import (
	"testing"

	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/resource"
)

// A release needs to be known of all that was paid until the grace ended, and after a gap the
// grace, or the gap if that is shorter, once more.
func TestNothingIsReleasedUnseen(t *testing.T) {
	const end = zero + instant.Time(instant.Hour) // of suspended, which has a grace of an hour
	oneToOne := money.Price{Msat: 1, Per: 1}
	s := resource.New("vm")
	for _, e := range []resource.Event{
		&resource.Opened{At: resource.At{At: zero}, Terms: resource.Terms{Price: oneToOne, Grace: instant.Hour}},
		&resource.Credited{At: resource.At{At: zero}, Payment: "p", Amount: 1, Time: 1, Price: oneToOne},
		&resource.Started{At: resource.At{At: zero}}, &resource.Debited{At: resource.At{At: zero}, From: zero - 1, Time: 1, Amount: 1},
		&resource.Exhausted{At: resource.At{At: zero}},
	} {
		s = resource.Evolve(s, e)
	}
	day := instant.Time(instant.Day)
	long := instant.Gap{End: end + day, Length: 60 * instant.Day}
	for name, c := range map[string]struct {
		at, swept instant.Time
		gap       instant.Gap
		released  bool
	}{
		"nothing is known":                 {end + day, 0, instant.Gap{}, false},
		"a sweep began before":             {end + day, end - 1, instant.Gap{}, false},
		"a sweep began after":              {end + day, end, instant.Gap{}, true},
		"the grace is not over":            {end - 1, end + day, instant.Gap{}, false},
		"after a short gap":                {end + 999, end, instant.Gap{End: end, Length: 1000}, false},
		"when that has gone by again":      {end + 1000, end, instant.Gap{End: end, Length: 1000}, true},
		"after a gap longer than grace":    {end + day + 3_599_999, end + day, long, false},
		"when the grace has gone by again": {end + day + 3_600_000, end + day, long, true},
	} {
		events, err := resource.Decide(s, resource.Settle{When: resource.When{At: c.at}, Swept: c.swept, Gap: c.gap})
		if err != nil || (len(events) == 1) != c.released {
			t.Errorf("%s: %v, %v; want released: %v", name, events, err, c.released)
		}
		if len(events) == 1 && *events[0].Effective() != end {
			t.Errorf("%s: released as of %s, want the end of the grace", name, *events[0].Effective())
		}
	}
}
