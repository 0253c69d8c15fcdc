// Package golden holds the events of an aggregate against what was ever written of them.
package golden

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"sandglass/domain/instant"
	"sandglass/domain/stream"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files that are missing")

// at is when the events of a fuzzed payload took effect.
const at instant.Time = 1_767_225_600_000

// Codec reads the events of an aggregate as it does; all are written by [stream.Encode].
type Codec[E stream.Fact] struct {
	Decode func(*stream.Record) (E, error)
}

// Check holds that what was ever written is read as it was meant, and would be written
// as it was. testdata has one payload of every version of every event. To add one, add
// its sample and run `go test -update`, which writes what is missing. A file is never
// changed or removed: logs hold such events.
//
// Every type that stands in the package's source as a string has to have its file.
func (c Codec[E]) Check(t *testing.T, samples ...E) {
	t.Helper()
	for _, e := range samples {
		want := stream.Encode(e)
		path := filepath.Join("testdata", want.Type+".json")
		data, err := os.ReadFile(path)
		if os.IsNotExist(err) && *update {
			data, err = want.Data, os.WriteFile(path, want.Data, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
		got, err := c.read(want.Type, want.At, data)
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		if diff := cmp.Diff(e, got); diff != "" {
			t.Errorf("%s is read with another meaning (-want +got):\n%s", path, diff)
		}
		if again := stream.Encode(got); !bytes.Equal(again.Data, data) || again.Type != want.Type {
			t.Errorf("%s would be written as\n%s", path, again.Data)
		}
	}
	everyTypeHasAFile(t, len(samples))
}

// Former holds that a payload of a version that is not written any more is read as it was
// meant: as want.
func (c Codec[E]) Former(t *testing.T, kind string, want E) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", kind+".json"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := c.read(kind, *want.Effective(), data)
	if err != nil {
		t.Fatalf("%s: %v", kind, err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s is read with another meaning (-want +got):\n%s", kind, diff)
	}
}

func (c Codec[E]) read(kind string, at instant.Time, data []byte) (E, error) {
	return c.Decode(&stream.Record{Event: stream.Event{Type: kind, At: at, Data: data}})
}

func everyTypeHasAFile(t *testing.T, samples int) {
	t.Helper()
	kind := regexp.MustCompile(`"[a-z]+\.[a-z]+\.v\d+"`)
	types := map[string]bool{}
	sources, _ := filepath.Glob("*.go")
	for _, path := range sources {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		source, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range kind.FindAllString(string(source), -1) {
			types[strings.Trim(name, `"`)] = true
		}
	}
	if len(types) < samples {
		t.Errorf("%d types in the source, %d samples", len(types), samples)
	}
	for name := range types {
		if _, err := os.Stat(filepath.Join("testdata", name+".json")); err != nil {
			t.Errorf("%v: see golden.Codec.Check", err)
		}
	}
}

// Refuses holds that a payload can't be read as an event of that type.
func (c Codec[E]) Refuses(t *testing.T, kind, data string) {
	t.Helper()
	if e, err := c.read(kind, at, []byte(data)); err == nil {
		t.Errorf("%s %s is read as %+v", kind, data, e)
	}
}

// Fuzz holds that what can be read has no second form.
func (c Codec[E]) Fuzz(f *testing.F) {
	files, _ := filepath.Glob("testdata/*.json")
	for _, path := range files {
		data, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(strings.TrimSuffix(filepath.Base(path), ".json"), data)
	}
	f.Fuzz(func(t *testing.T, kind string, data []byte) {
		e, err := c.read(kind, at, data)
		if err != nil {
			return
		}
		again := stream.Encode(e)
		if again.Type != kind { // of a former version: what it says now has one form
			if back, err := c.read(again.Type, at, again.Data); err != nil || !cmp.Equal(e, back) {
				t.Fatalf("%s %q is written as %s %q, and read as %+v, %v", kind, data, again.Type, again.Data, back, err)
			}
			return
		}
		if again.At != at || !bytes.Equal(again.Data, data) {
			t.Fatalf("%s %q is read and written as %q", kind, data, again.Data)
		}
	})
}
