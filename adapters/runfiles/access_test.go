package runfiles_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sandglass/adapters/runfiles"
	"sandglass/domain/enforce"
)

// TestAccess holds that what a unit left is read as far as it is its folder's owner's, and that a
// machine which has no such folder has none.
func TestAccess(t *testing.T) {
	dir := t.TempDir()
	f, err := runfiles.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Access("web-1"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without the folder: %v", err)
	}
	sub := filepath.Join(dir, "access")
	if err := os.Mkdir(sub, 0o750); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Access("web-1"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without a file: %v", err)
	}
	file := filepath.Join(sub, "web-1")
	leave := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o640); err != nil {
			t.Fatal(err)
		}
	}
	leave("203.0.113.7\n")
	if b, err := f.Access("web-1"); err != nil || string(b) != "203.0.113.7\n" {
		t.Errorf("%q, %v", b, err)
	}
	leave(strings.Repeat("x", 2*enforce.MaxSize))
	if b, err := f.Access("web-1"); err != nil || len(b) != enforce.MaxSize+1 {
		t.Errorf("of what is too large %d bytes, %v", len(b), err)
	}
	for name, change := range map[string]func() error{
		"it is writable by all":  func() error { return os.Chmod(file, 0o666) },
		"it is a link":           func() error { return errors.Join(os.Remove(file), os.Symlink("/etc/passwd", file)) },
		"its folder is writable": func() error { return os.Chmod(sub, 0o777) },
		"another path":           func() error { return nil },
	} {
		id := "web-1"
		if name == "another path" {
			id = "../want/web-1"
		}
		if err := errors.Join(os.Chmod(sub, 0o750), os.RemoveAll(file)); err != nil {
			t.Fatal(err)
		}
		leave("here")
		if err := change(); err != nil {
			t.Fatal(err)
		}
		if b, err := f.Access(id); err == nil {
			t.Errorf("%s, and it is read: %q", name, b)
		}
	}
}

// TestSocket holds that the socket has a name which is no resource's, and whose wants are trusted.
func TestSocket(t *testing.T) {
	f, err := runfiles.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(f.Socket(), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if ids, err := f.Founds(); err != nil || len(ids) != 0 {
		t.Errorf("it is taken for %q, %v", ids, err)
	}
	if uid, err := f.Daemon(); err != nil || uid != uint32(os.Geteuid()) {
		t.Errorf("the daemon is user %d, %v", uid, err)
	}
}
