package paramfiles_test

import (
	"bytes"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"sandglass/adapters/paramfiles"
	"sandglass/domain/billing/params"
	"sandglass/domain/plan/param"
)

func open(t *testing.T, state string) *paramfiles.Folder {
	t.Helper()
	f, err := paramfiles.Open(state)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func all(t *testing.T, f *paramfiles.Folder) (refs []params.Ref) {
	t.Helper()
	for r, err := range f.All() {
		if err != nil {
			t.Fatal(err)
		}
		refs = append(refs, r)
	}
	return refs
}

// What is kept is found by whoever opens the folder next, until it is forgotten; nobody else reads it.
func TestFolder(t *testing.T) {
	state := t.TempDir()
	f := open(t, state)
	if refs := all(t, f); len(refs) != 0 || f.Size() != 0 {
		t.Errorf("nothing was kept: %v", refs)
	}
	k := &params.Kept{Resource: "web-1", Salt: [16]byte{7}, Values: param.Values{"ssh_key": "a\nb\"<\u00e9", "image": "debian"}}
	for range 2 {
		if err := f.Keep(k); err != nil {
			t.Fatal(err)
		}
	}
	size := f.Size()
	f = open(t, state)
	got, err := f.Find(k.Ref())
	if err != nil || got.Resource != k.Resource || got.Salt != k.Salt || !maps.Equal(got.Values, k.Values) || f.Size() != size {
		t.Errorf("%+v, %v, %d bytes of %d", got, err, f.Size(), size)
	}
	if refs := all(t, f); !slices.Equal(refs, []params.Ref{k.Ref()}) {
		t.Errorf("kept are %v", refs)
	}
	for path, mode := range map[string]fs.FileMode{paramfiles.Dir: 0o700, name(t, state): 0o600} {
		if info, err := os.Stat(filepath.Join(state, path)); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: %v, %v", path, info.Mode(), err)
		}
	}
	other := k.Ref()
	other.Resource = "web-2"
	if _, err := f.Find(other); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("of another resource: %v", err)
	}
	for range 2 {
		if err := f.Forget(k.Ref()); err != nil {
			t.Error(err)
		}
	}
	if _, err := f.Find(k.Ref()); !errors.Is(err, fs.ErrNotExist) || f.Size() != 0 {
		t.Errorf("forgotten: %v, %d bytes", err, f.Size())
	}
}

// name is that of the one file that is kept.
func name(t *testing.T, state string) string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(state, paramfiles.Dir))
	if err != nil || len(entries) != 1 {
		t.Fatal(entries, err)
	}
	return filepath.Join(paramfiles.Dir, entries[0].Name())
}

// What is damaged is found by nobody, what was broken off is gone, and what is none of ours stays.
func TestDamaged(t *testing.T) {
	state := t.TempDir()
	f := open(t, state)
	k := &params.Kept{Resource: "web-1", Values: param.Values{"image": "debian"}}
	if err := f.Keep(k); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(state, name(t, state))
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range [][]byte{
		nil, good[:len(good)/2], bytes.Replace(good, []byte("debian"), []byte("alpine"), 1), []byte("{}"),
		bytes.Replace(good, []byte("web-1"), []byte("web-2"), 1),
	} {
		if err := os.WriteFile(path, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := f.Find(k.Ref()); err == nil || errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is %+v", bad, got)
		}
	}
	for _, other := range []string{path + ".new", filepath.Join(filepath.Dir(path), "README")} {
		if err := os.WriteFile(other, good, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	f = open(t, state)
	if _, err := os.Stat(path + ".new"); !errors.Is(err, fs.ErrNotExist) || len(all(t, f)) != 1 {
		t.Errorf("%v, %v", err, all(t, f))
	}
	if err := f.Forget(k.Ref()); err != nil || len(all(t, f)) != 0 {
		t.Errorf("what is damaged is forgotten: %v", err)
	}
}

// What could not be kept was not, and leaves nothing.
func TestNotKept(t *testing.T) {
	state := t.TempDir()
	if err := os.WriteFile(filepath.Join(state, "in-the-way"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	f := open(t, filepath.Join(state, "missing"))
	k := &params.Kept{Resource: "web-1", Values: param.Values{"image": "debian"}}
	if err := f.Keep(k); err == nil || f.Size() != 0 {
		t.Errorf("in a folder that is not there: %v", err)
	}
	if _, err := paramfiles.Open(filepath.Join(state, "in-the-way")); err == nil {
		t.Error("a file is a folder")
	}
}
