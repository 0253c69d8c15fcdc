package keeperstate_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"sandglass/adapters/keeperstate"
	"sandglass/domain/enforce"
	"sandglass/domain/enforce/lasting"
)

func TestSignsAreKept(t *testing.T) {
	dir := t.TempDir()
	if _, err := keeperstate.Load(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("where nothing was left: %v", err)
	}
	for _, boot := range []string{"a", "b"} {
		s := new(lasting.Signs)
		s.Set(lasting.Boot{ID: boot, At: 7, Down: map[string][]enforce.Boottime{"web-1": {3}}})
		if err := keeperstate.Save(dir, s); err != nil {
			t.Fatal(err)
		}
	}
	s, err := keeperstate.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	if b, ok := s.Of("b"); !ok || b.At != 7 || len(b.Down["web-1"]) != 1 {
		t.Errorf("%+v came back", s)
	}
}

// TestSignsOfAFullHost: what is saved can be read again, however much there is to tell.
func TestSignsOfAFullHost(t *testing.T) {
	down := map[string][]enforce.Boottime{}
	for i := range enforce.MaxWants {
		went := make([]enforce.Boottime, enforce.MaxOutages)
		for j := range went {
			went[j] = enforce.Boottime(4e11 + j)
		}
		down[fmt.Sprintf("%064d", i)] = went
	}
	s, dir := new(lasting.Signs), t.TempDir()
	for _, boot := range []string{"a", "b", "c"} {
		s.Set(lasting.Boot{ID: boot, At: 5e11, Down: down})
	}
	if err := keeperstate.Save(dir, s); err != nil {
		t.Fatal(err)
	}
	got, err := keeperstate.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	if b, ok := got.Of("c"); !ok || len(b.Down) != len(down) {
		t.Errorf("of the last boot came back %d that went down", len(b.Down))
	}
}

// TestNotTrusted: what others could have written is not read, and what is damaged says so.
func TestNotTrusted(t *testing.T) {
	for name, spoil := range map[string]func(path string) error{
		"others may write it": func(path string) error { return os.Chmod(path, 0o666) },
		"a link": func(path string) error {
			return errors.Join(os.Rename(path, path+".other"), os.Symlink(path+".other", path))
		},
		"a folder": func(path string) error { return errors.Join(os.Remove(path), os.Mkdir(path, 0o755)) },
		"damaged":  func(path string) error { return os.Truncate(path, 10) },
		"too much": func(path string) error { return os.Truncate(path, 64<<20+1) },
	} {
		dir := t.TempDir()
		s := new(lasting.Signs)
		s.Set(lasting.Boot{ID: "b", At: 7})
		path := filepath.Join(dir, "signs.json")
		if err := errors.Join(keeperstate.Save(dir, s), spoil(path)); err != nil {
			t.Fatal(err)
		}
		_, err := keeperstate.Load(dir)
		if err == nil || errors.Is(err, fs.ErrNotExist) || errors.Is(err, enforce.ErrDamaged) != (name == "damaged") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestAWriteThatFails leaves what was there.
func TestAWriteThatFails(t *testing.T) {
	dir := t.TempDir()
	s := new(lasting.Signs)
	s.Set(lasting.Boot{ID: "b", At: 7})
	if err := keeperstate.Save(dir, s); err != nil {
		t.Fatal(err)
	}
	blocks := filepath.Join(dir, "signs.json.new")
	if err := os.Mkdir(blocks, 0o755); err != nil {
		t.Fatal(err)
	}
	s.Set(lasting.Boot{ID: "c", At: 7})
	if err := keeperstate.Save(dir, s); err == nil {
		t.Error("nothing could be written, and nothing is said")
	}
	if s, err := keeperstate.Load(dir); err != nil || len(s.Boots) != 1 {
		t.Errorf("%+v, %v", s, err)
	}
	if err := keeperstate.Save(filepath.Join(dir, "none"), s); err == nil {
		t.Error("there is no folder, and nothing is said")
	}
}
