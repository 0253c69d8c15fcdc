package resource_test

import (
	"strings"
	"testing"

	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/resource"
	"sandglass/domain/stream"
	"sandglass/testutil/golden"
)

// samples has every type of event once, with no field left out.
var samples = []resource.Event{
	&resource.Opened{
		At: stamp(0), Plan: "small", Enforcer: "systemd", Holder: [16]byte{0xab, 15: 1}, Request: [16]byte{0xcd, 15: 2},
		Terms: resource.Terms{
			Price: money.Price{Msat: 3_600_000, Per: instant.Hour},
			Warn:  resource.Warn{Time: instant.Day, Amount: 5, Share: 100_000},
			Grace: 7 * instant.Day,
		},
	},
	&resource.Credited{
		At: stamp(0), Payment: "ln-00ff", Amount: 5_000_000, Time: 4_990_000,
		Price: money.Price{Msat: 3_600_000, Per: instant.Hour}, DebtPaid: 10_000,
		Above: 1_000_000, AbovePrice: money.Price{Msat: 7_200_000, Per: instant.Hour},
	},
	&resource.Granted{At: stamp(0), Key: "outage-7", Time: 60_000, Reason: "the disk \"sda\" was slow"},
	&resource.Started{At: stamp(0), Reason: "paid"},
	&resource.Starting{At: stamp(0), Reason: "paid"},
	&resource.Stopped{At: stamp(0), Why: "it ended with status 1"},
	&resource.Returned{At: stamp(100_000), From: zero + 60_000, Time: 30_000, Amount: 30_060},
	&resource.Debited{At: stamp(100_000), From: zero, Time: 40_000, Amount: 40_080, Forgiven: 60_000},
	&resource.Paused{At: stamp(0)},
	&resource.Warned{At: stamp(0)},
	&resource.Recovered{At: stamp(0)},
	&resource.Exhausted{At: stamp(0)},
	&resource.Reversed{
		At: stamp(0), Payment: "btc-00ff-1", Amount: 5_000_000,
		Balance: 4_000_000, Time: 3_992_000, Debt: 1_000_000, Reason: "reorg",
	},
	&resource.Held{At: stamp(0), Payment: "btc-00ff-1", Until: instant.Time(instant.Day)},
	&resource.Repriced{At: stamp(0), Price: money.Price{Msat: 1, Per: instant.Century}},
	&resource.Placed{At: stamp(0), Host: "rack-7"},
	&resource.Configured{At: stamp(0), Hash: [32]byte{0xef, 31: 1}},
	&resource.Released{At: stamp(0), Reason: "grace_over"},
}

var codec = golden.Codec[resource.Event]{Decode: resource.Decode, Former: map[string]resource.Event{
	"resource.credited.v1": &resource.Credited{
		At: stamp(0), Payment: "ln-00ff", Amount: 5_000_000, Time: 4_990_000,
		Price: money.Price{Msat: 3_600_000, Per: instant.Hour}, DebtPaid: 10_000,
	},
}}

func TestGoldenFiles(t *testing.T) { codec.Check(t, samples...) }

// What terms have had since the golden file was written stands at the end, and is read again.
func TestLaterTerms(t *testing.T) {
	e := *samples[0].(*resource.Opened)
	e.Terms.Uptime, e.Terms.StartWithin, e.Terms.MaxOutage, e.Terms.MaxPause = true, 1, 2, 3
	e.Terms.Hold = true
	written := stream.Encode(&e)
	const end = `,"by_uptime":true,"start_within_ms":1,"max_outage_ms":2,"max_pause_ms":3,"hold":true}`
	if !strings.HasSuffix(string(written.Data), end) {
		t.Errorf("it is written as %s", written.Data)
	}
	got, err := resource.Decode(&stream.Record{Event: written})
	if err != nil || *got.(*resource.Opened) != e {
		t.Errorf("it is read as %+v, %v", got, err)
	}
}

func TestDecodeRefusesWhatItDoesNotKnow(t *testing.T) {
	for _, x := range []struct{ kind, data string }{
		{"resource.paused.v2", `{}`},
		{"payment.credited.v1", `{"resource":"vm-1"}`},
		{"resource.paused.v1", `{"why":"holidays"}`},
		{"resource.started.v1", `{}`},
		{"resource.started.v1", `{"reason":"paid"} `},
		{"resource.debited.v1", `{"from":"2026-01-01T00:00:00.000Z","time_ms":-1,"amount_msat":0}`},
		{"", ``},
	} {
		codec.Refuses(t, x.kind, x.data)
	}
}

func FuzzDecode(f *testing.F) { codec.Fuzz(f) }
