package dump_test

import (
	"encoding/json"
	"testing"

	"sandglass/domain/instant"
	"sandglass/domain/resource"
	"sandglass/domain/resource/lots"
	"sandglass/projections/dump"
)

// TestBurn draws from the second lot, which costs 3 msat for two hours: rounded up.
func TestBurn(t *testing.T) {
	running := resource.State{
		ID:     "vm",
		Status: resource.StatusRunning,
		Queue: lots.Queue{
			Lots:  []lots.Lot{{Amount: 7, Time: 10, Used: 10}, {Amount: 3, Time: 2 * instant.Hour, Used: 5}},
			First: 1,
		},
		DebitedTo: 100,
	}
	paused := running
	paused.Status = resource.StatusPaused
	granted := running
	granted.Lots = []lots.Lot{{}, {Time: instant.Hour}}
	for _, test := range []struct {
		name  string
		state resource.State
		burn  string
		until bool
	}{
		{"running", running, "2", true},
		{"paused", paused, "0", false},
		{"on granted time", granted, "0", true},
	} {
		var l dump.Line
		name, line := l.Resource(&test.state, 3, instant.Hour)
		var figures map[string]json.RawMessage
		if err := json.Unmarshal(line, &figures); err != nil || name != "resource-vm" {
			t.Fatalf("%s: line of %q: %v", test.name, name, err)
		}
		if burn := string(figures["burn_msat_per_hour"]); burn != test.burn {
			t.Errorf("%s: burns %s msat per hour, want %s", test.name, burn, test.burn)
		}
		if _, ok := figures["paid_until"]; ok != test.until {
			t.Errorf("%s: paid until %s", test.name, figures["paid_until"])
		}
	}
}
