package snapshot_test

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"sandglass/projections/snapshot"
)

// texts passes a list of them.
func texts(f *snapshot.Fields, list *[]string) {
	n := f.Count(len(*list))
	if f.Reading() {
		*list = make([]string, n)
	}
	f.Each(n, func(i int) { snapshot.String(f, &(*list)[i]) })
}

// TestFrames saves short and long records, whose frames end at other places each time.
func TestFrames(t *testing.T) {
	path := filepath.Join(t.TempDir(), "snapshot")
	for _, size := range []int{0, 1, 1000, 256 << 10, 1 << 20} {
		want := []string{"", strings.Repeat("a", size), "b", strings.Repeat("c", size), strings.Repeat("d", 200_000)}
		save := func(f *snapshot.Fields) { texts(f, &want); texts(f, new([]string)); texts(f, &want) }
		if err := snapshot.Save(path, "log", save); err != nil {
			t.Fatal(err)
		}
		var first, none, last []string
		load := func(f *snapshot.Fields) { texts(f, &first); texts(f, &none); texts(f, &last) }
		if err := snapshot.Load(path, "log", load); err != nil {
			t.Fatalf("%d bytes: %v", size, err)
		}
		if whole := strings.Join(want, "|"); strings.Join(first, "|") != whole || strings.Join(last, "|") != whole || len(none) != 0 {
			t.Errorf("%d bytes: other texts", size)
		}
	}
}

// TestRefused reads a whole file otherwise than it was written.
func TestRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "snapshot")
	n := int64(1 << 40)
	if err := snapshot.Save(path, "log", func(f *snapshot.Fields) { snapshot.Int(f, &n) }); err != nil {
		t.Fatal(err)
	}
	for name, read := range map[string]func(*snapshot.Fields){
		"more records than there are bytes": func(f *snapshot.Fields) { texts(f, new([]string)) },
		"a text longer than its frame":      func(f *snapshot.Fields) { snapshot.String(f, new(string)) },
		"bytes that are not there":          func(f *snapshot.Fields) { snapshot.Bytes(f, make([]byte, 99)) },
		"an integer that is not there":      func(f *snapshot.Fields) { snapshot.Int(f, new(int64)); snapshot.Int(f, new(int64)) },
		"a record that is not there":        func(f *snapshot.Fields) { snapshot.Int(f, new(int64)); f.Each(1, func(int) {}) },
		"what makes no sense":               func(f *snapshot.Fields) { f.Refuse() },
	} {
		if err := snapshot.Load(path, "log", read); !errors.Is(err, snapshot.ErrUnusable) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
