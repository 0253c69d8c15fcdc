package notefiles_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sandglass/adapters/notefiles"
	"sandglass/domain/proof/checkpoint"
)

func TestTheKeyIsMadeOnce(t *testing.T) {
	dir := t.TempDir()
	if k, err := notefiles.Key(dir); k != nil || err != nil {
		t.Fatalf("%v, %v", k, err)
	}
	made, err := notefiles.MakeKey(dir, "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := notefiles.MakeKey(dir, "shop.example.org"); err == nil {
		t.Error("a key was replaced")
	}
	read, err := notefiles.Key(dir)
	if err != nil || read.Invalid() != made.Invalid() {
		t.Fatalf("%v, %v", read, err)
	}
	path := filepath.Join(dir, notefiles.KeyFile)
	info, err := os.Stat(path)
	if err != nil || info.Mode() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if files, _ := filepath.Glob(filepath.Join(dir, "*")); len(files) != 1 {
		t.Errorf("there are %q", files)
	}
	for _, bad := range []string{"", "x", strings.Repeat("x", 2000)} {
		if err := os.WriteFile(path, []byte(bad), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := notefiles.Key(dir); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%.10q: %v", bad, err)
		}
	}
}

func TestTheCopy(t *testing.T) {
	dir := t.TempDir()
	c := notefiles.NewCopy(dir)
	if note, err := c.Load(); note != nil || err != nil {
		t.Fatalf("%q, %v", note, err)
	}
	for _, note := range []string{"one\n", "two, which is longer\n", "three\n"} {
		if err := c.Save([]byte(note)); err != nil {
			t.Fatal(err)
		}
		if got, err := notefiles.NewCopy(dir).Load(); err != nil || string(got) != note {
			t.Errorf("%q, %v", got, err)
		}
	}
	path := filepath.Join(dir, notefiles.Dir, notefiles.CopyFile)
	if err := os.WriteFile(path, make([]byte, checkpoint.MaxNote+1), 0o600); err != nil {
		t.Fatal(err)
	}
	if note, err := c.Load(); err != nil || checkpoint.CheckNote(note) == nil {
		t.Errorf("what is too large is %d bytes, %v", len(note), err)
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil { // what a power cut may leave
		t.Fatal(err)
	}
	if note, err := c.Load(); note == nil || len(note) != 0 || err != nil {
		t.Errorf("an empty file: %q, %v", note, err)
	}
}
