package payment_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"sandglass/domain/payment"
	"sandglass/domain/stream"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files that are missing")

// samples has every type of event once, with no field left out.
var samples = []payment.Event{
	&payment.Requested{At: at(0), Resource: "vm-1", Amount: 500, Price: quote, Expiry: epoch + 3_600_000, Invoice: "lnbc5u1"},
	&payment.Settled{At: at(0), Amount: 500, Via: "keysend", Node: "02aa", Index: 7, Resource: "vm-1"},
	&payment.Credited{At: at(0), Resource: "vm-1"},
	&payment.Unallocated{At: at(0), Resource: "vm-1", Reason: "released"},
	&payment.Allocated{At: at(0), Resource: "vm-2"},
	&payment.Expired{At: at(0), Reason: "canceled"},
	&payment.Seen{At: at(0), Resource: "vm-1", Address: "bcrt1qxyz", Amount: 50_000_000},
	&payment.Confirmed{At: at(0), Height: 840_000, Block: "00000000000000000000a1"},
	&payment.Reorged{At: at(0), Height: 840_000, Block: "00000000000000000000a1"},
	&payment.Replaced{At: at(0), Reason: "conflict"},
	&payment.Finalized{At: at(0), Height: 840_100},
}

// TestGoldenFiles holds that what was ever written is read as it was meant, and would
// be written as it was. testdata has one payload of every version of every event. To
// add one, add its sample and run `go test -update`, which writes what is missing. A
// file is never changed or removed: logs hold such events.
func TestGoldenFiles(t *testing.T) {
	for _, e := range samples {
		want := payment.Encode(e)
		path := filepath.Join("testdata", want.Type+".json")
		data, err := os.ReadFile(path)
		if os.IsNotExist(err) && *update {
			data, err = want.Data, os.WriteFile(path, want.Data, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
		got, err := payment.Decode(&stream.Record{Event: stream.Event{Type: want.Type, At: want.At, Data: data}})
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		if diff := cmp.Diff(e, got); diff != "" {
			t.Errorf("%s is read with another meaning (-want +got):\n%s", path, diff)
		}
		if again := payment.Encode(got); !bytes.Equal(again.Data, data) || again.Type != want.Type {
			t.Errorf("%s would be written as\n%s", path, again.Data)
		}
	}
}

func TestEveryEventHasAGoldenFile(t *testing.T) {
	source, err := os.ReadFile("payment.go")
	if err != nil {
		t.Fatal(err)
	}
	chain, err := os.ReadFile("onchain.go")
	if err != nil {
		t.Fatal(err)
	}
	source = append(source, chain...)
	types := regexp.MustCompile(`"payment\.[a-z]+\.v\d+"`).FindAllString(string(source), -1)
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
		{"payment.credited.v2", `{"resource":"vm-1"}`},
		{"resource.paused.v1", `{}`},
		{"payment.credited.v1", `{"resource":"vm-1","why":"luck"}`},
		{"payment.credited.v1", `{}`},
		{"payment.credited.v1", `{"resource": "vm-1"}`},
		{"payment.settled.v1", `{"amount_msat":-1,"via":"amp"}`},
		{"", ``},
	} {
		if e, err := payment.Decode(&stream.Record{Event: stream.Event{Type: x.kind, Data: []byte(x.data)}}); err == nil {
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
		e, err := payment.Decode(&stream.Record{Event: stream.Event{Type: kind, At: epoch, Data: data}})
		if err != nil {
			return
		}
		if again := payment.Encode(e); again.Type != kind || again.At != epoch || !bytes.Equal(again.Data, data) {
			t.Fatalf("%s %q is read and written as %s %q", kind, data, again.Type, again.Data)
		}
	})
}
