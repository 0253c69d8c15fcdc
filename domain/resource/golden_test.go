package resource_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/resource"
	"sandglass/domain/stream"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files that are missing")

// samples has every type of event once, with no field left out.
var samples = []resource.Event{
	&resource.Opened{At: stamp(0), Plan: "small", Enforcer: "systemd", Holder: [16]byte{0xab, 15: 1}, Request: [16]byte{0xcd, 15: 2},
		Terms: resource.Terms{Price: money.Price{Msat: 3_600_000, Per: instant.Hour}, Warn: resource.Warn{Time: instant.Day, Amount: 5, Share: 100_000}, Grace: 7 * instant.Day}},
	&resource.Credited{At: stamp(0), Payment: "ln-00ff", Amount: 5_000_000, Time: 4_990_000, Price: money.Price{Msat: 3_600_000, Per: instant.Hour}, DebtPaid: 10_000},
	&resource.Granted{At: stamp(0), Key: "outage-7", Time: 60_000, Reason: "the disk \"sda\" was slow"},
	&resource.Started{At: stamp(0), Reason: "paid"},
	&resource.Debited{At: stamp(100_000), From: zero, Time: 40_000, Amount: 40_080, Forgiven: 60_000},
	&resource.Paused{At: stamp(0)},
	&resource.Warned{At: stamp(0)},
	&resource.Recovered{At: stamp(0)},
	&resource.Exhausted{At: stamp(0)},
	&resource.Reversed{At: stamp(0), Payment: "btc-00ff-1", Amount: 5_000_000, Held: 4_000_000, Time: 3_992_000, Debt: 1_000_000, Reason: "reorg"},
	&resource.Held{At: stamp(0), Payment: "btc-00ff-1", Until: instant.Time(instant.Day)},
	&resource.Repriced{At: stamp(0), Price: money.Price{Msat: 1, Per: instant.Century}},
	&resource.Released{At: stamp(0), Reason: "grace_over"},
}

// TestGoldenFiles holds that what was ever written is read as it was meant, and would
// be written as it was. testdata has one payload of every version of every event. To
// add one, add its sample and run `go test -update`, which writes what is missing. A
// file is never changed or removed: logs hold such events.
func TestGoldenFiles(t *testing.T) {
	for _, e := range samples {
		want := resource.Encode(e)
		path := filepath.Join("testdata", want.Type+".json")
		data, err := os.ReadFile(path)
		if os.IsNotExist(err) && *update {
			data, err = want.Data, os.WriteFile(path, want.Data, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
		got, err := resource.Decode(&stream.Record{Event: stream.Event{Type: want.Type, At: want.At, Data: data}})
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		if diff := cmp.Diff(e, got); diff != "" {
			t.Errorf("%s is read with another meaning (-want +got):\n%s", path, diff)
		}
		if again := resource.Encode(got); !bytes.Equal(again.Data, data) || again.Type != want.Type {
			t.Errorf("%s would be written as\n%s", path, again.Data)
		}
	}
}

func TestEveryEventHasAGoldenFile(t *testing.T) {
	source, err := os.ReadFile("event.go")
	if err != nil {
		t.Fatal(err)
	}
	types := regexp.MustCompile(`"resource\.[a-z]+\.v\d+"`).FindAllString(string(source), -1)
	if len(types) < len(samples) {
		t.Errorf("%d types in the source, %d samples", len(types), len(samples))
	}
	for _, name := range types {
		if _, err := os.Stat(filepath.Join("testdata", strings.Trim(name, `"`)+".json")); err != nil {
			t.Errorf("%v: see TestGoldenFiles", err)
		}
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
		if e, err := resource.Decode(&stream.Record{Event: stream.Event{Type: x.kind, Data: []byte(x.data)}}); err == nil {
			t.Errorf("%s %s is read as %+v", x.kind, x.data, e)
		}
	}
}

// FuzzDecode holds that what is read has no second form.
func FuzzDecode(f *testing.F) {
	files, _ := filepath.Glob("testdata/*.json")
	for _, path := range files {
		data, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(strings.TrimSuffix(filepath.Base(path), ".json"), data)
	}
	f.Fuzz(func(t *testing.T, kind string, data []byte) {
		e, err := resource.Decode(&stream.Record{Event: stream.Event{Type: kind, At: zero, Data: data}})
		if err != nil {
			return
		}
		if again := resource.Encode(e); again.Type != kind || again.At != zero || !bytes.Equal(again.Data, data) {
			t.Fatalf("%s %q is read and written as %s %q", kind, data, again.Type, again.Data)
		}
	})
}
