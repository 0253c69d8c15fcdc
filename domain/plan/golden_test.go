package plan_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"sandglass/domain/plan"
	"sandglass/domain/stream"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files that are missing")

// samples has every type of event once, with no field left out.
var samples = []plan.Event{full(), withdrawn(0)}

// full has all three thresholds, of which a plan has one.
func full() *plan.Published {
	p := small(0)
	p.Terms.Warn.Time, p.Terms.Warn.Amount = 1, 2
	return p
}

// TestGoldenFiles holds that what was ever written is read as it was meant, and would
// be written as it was. testdata has one payload of every version of every event. To
// add one, add its sample and run `go test -update`, which writes what is missing. A
// file is never changed or removed: logs hold such events.
func TestGoldenFiles(t *testing.T) {
	for _, e := range samples {
		want := plan.Encode(e)
		path := filepath.Join("testdata", want.Type+".json")
		data, err := os.ReadFile(path)
		if os.IsNotExist(err) && *update {
			data, err = want.Data, os.WriteFile(path, want.Data, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
		got, err := plan.Decode(&stream.Record{Event: stream.Event{Type: want.Type, At: want.At, Data: data}})
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		if diff := cmp.Diff(e, got); diff != "" {
			t.Errorf("%s is read with another meaning (-want +got):\n%s", path, diff)
		}
		if again := plan.Encode(got); !bytes.Equal(again.Data, data) || again.Type != want.Type {
			t.Errorf("%s would be written as\n%s", path, again.Data)
		}
	}
}

func TestEveryEventHasAGoldenFile(t *testing.T) {
	source, err := os.ReadFile("plan.go")
	if err != nil {
		t.Fatal(err)
	}
	types := regexp.MustCompile(`"plan\.[a-z]+\.v\d+"`).FindAllString(string(source), -1)
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
		{"plan.withdrawn.v2", `{}`},
		{"plan.withdrawn.v1", `{"why":"sold out"}`},
		{"plan.withdrawn.v1", ``},
		{"plan.published.v1", `{}`},
		{"", ``},
	} {
		if e, err := plan.Decode(&stream.Record{Event: stream.Event{Type: x.kind, Data: []byte(x.data)}}); err == nil {
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
		e, err := plan.Decode(&stream.Record{Event: stream.Event{Type: kind, At: epoch, Data: data}})
		if err != nil {
			return
		}
		if again := plan.Encode(e); again.Type != kind || again.At != epoch || !bytes.Equal(again.Data, data) {
			t.Fatalf("%s %q is read and written as %s %q", kind, data, again.Type, again.Data)
		}
	})
}
