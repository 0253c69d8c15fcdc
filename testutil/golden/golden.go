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
	// Former has what the file of each version says that is not written any more.
	Former map[string]E
}

// Check holds that what was ever written is read as it was meant, and what is written now
// would be written as it was. testdata has one payload of every version of every event. To add
// one, add its sample and run `go test -update`, which writes what is missing. A file is never
// changed or removed: logs hold such events. How an event gets another version stands at
// [stream.Former].
//
// Every type that stands in the package's source as a string has to have its file: those in
// former.go are of c.Former, and no others are.
func (c Codec[E]) Check(t *testing.T, samples ...E) {
	t.Helper()
	written := map[string]bool{}
	for _, e := range samples {
		written[e.Type()] = true
		c.written(t, e)
	}
	former := map[string]bool{}
	for kind, want := range c.Former {
		former[kind] = true
		c.former(t, kind, want)
	}
	inFormer, elsewhere := typesInSource(t)
	if diff := cmp.Diff(written, elsewhere); diff != "" {
		t.Errorf("the types of the samples, and those in the source but for former.go (-samples +source):\n%s", diff)
	}
	if diff := cmp.Diff(former, inFormer); diff != "" {
		t.Errorf("the types of golden.Codec.Former, and those in former.go (-Former +former.go):\n%s", diff)
	}
	files, _ := filepath.Glob("testdata/*.json")
	for _, path := range files {
		if kind := typeOf(path); !written[kind] && !former[kind] {
			t.Errorf("%s was written once, and is not read any more", path)
		}
	}
}

// written holds that the file of e says e, and that e would be written so.
func (c Codec[E]) written(t *testing.T, e E) {
	t.Helper()
	want := stream.Encode(e)
	path := pathOf(want.Type)
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

// former holds that the file of a version that is not written any more says want, in the words
// of the present version: it is read, and never written.
func (c Codec[E]) former(t *testing.T, kind string, want E) {
	t.Helper()
	data, err := os.ReadFile(pathOf(kind))
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
	now := got.Type()
	if _, former := c.Former[now]; former {
		t.Errorf("%s would be written as %s, which is not written any more", kind, now)
	}
}

func pathOf(kind string) string { return filepath.Join("testdata", kind+".json") }

func typeOf(path string) string { return strings.TrimSuffix(filepath.Base(path), ".json") }

func (c Codec[E]) read(kind string, at instant.Time, data []byte) (E, error) {
	return c.Decode(&stream.Record{Event: stream.Event{Type: kind, At: at, Data: data}})
}

// typesInSource returns the types that stand as strings in the package's former.go, and in its
// other files.
func typesInSource(t *testing.T) (inFormer, elsewhere map[string]bool) {
	t.Helper()
	kind := regexp.MustCompile(`"[a-z]+\.[a-z]+\.v\d+"`)
	inFormer, elsewhere = map[string]bool{}, map[string]bool{}
	sources, _ := filepath.Glob("*.go")
	for _, path := range sources {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		source, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		types := elsewhere
		if path == "former.go" {
			types = inFormer
		}
		for _, name := range kind.FindAllString(string(source), -1) {
			types[strings.Trim(name, `"`)] = true
		}
	}
	return inFormer, elsewhere
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
		f.Add(typeOf(path), data)
	}
	f.Fuzz(func(t *testing.T, kind string, data []byte) {
		e, err := c.read(kind, at, data)
		if err != nil {
			return
		}
		again := stream.Encode(e)
		if _, former := c.Former[kind]; former { // what it says now has one form
			if back, err := c.read(again.Type, at, again.Data); err != nil || !cmp.Equal(e, back) {
				t.Fatalf("%s %q is written as %s %q, and read as %+v, %v", kind, data, again.Type, again.Data, back, err)
			}
			return
		}
		if again.Type != kind || again.At != at || !bytes.Equal(again.Data, data) {
			t.Fatalf("%s %q is read and written as %q", kind, data, again.Data)
		}
	})
}
