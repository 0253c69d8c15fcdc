package plan_test

import (
	"testing"

	"sandglass/domain/plan"
	"sandglass/testutil/golden"
)

// samples has every type of event once, with no field left out.
var samples = []plan.Event{full(), withdrawn(0)}

// full has all three thresholds, of which a plan has one.
func full() *plan.Published {
	p := small(0)
	p.Terms.Warn.Time, p.Terms.Warn.Amount = 1, 2
	p.Enforcer = "systemd" // as it was before a unit was asked for
	return p
}

var codec = golden.Codec[plan.Event]{Decode: plan.Decode}

func TestGoldenFiles(t *testing.T) { codec.Check(t, samples...) }

func TestDecodeRefusesWhatItDoesNotKnow(t *testing.T) {
	for _, x := range []struct{ kind, data string }{
		{"plan.withdrawn.v2", `{}`},
		{"plan.withdrawn.v1", `{"why":"sold out"}`},
		{"plan.withdrawn.v1", ``},
		{"plan.published.v1", `{}`},
		{"", ``},
	} {
		codec.Refuses(t, x.kind, x.data)
	}
}

func FuzzDecode(f *testing.F) { codec.Fuzz(f) }
