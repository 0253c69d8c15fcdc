package command_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sandglass/adapters/command"
	"sandglass/domain/enforce"
)

// TestWhoCouldHaveWrittenIt holds that an executable is run only if nobody but root and the
// keeper's own user could have written it, or put it there.
func TestWhoCouldHaveWrittenIt(t *testing.T) {
	chmod := func(name string, mode os.FileMode) func(string) error {
		return func(dir string) error { return os.Chmod(filepath.Join(dir, name), mode) }
	}
	chown := func(name string) func(string) error {
		return func(dir string) error { return os.Lchown(filepath.Join(dir, name), 12345, 0) }
	}
	link := func(target string) func(string) error {
		return func(dir string) error {
			box := filepath.Join(dir, "a/b/box")
			return errors.Join(os.Rename(box, filepath.Join(dir, "a/real")), os.Symlink(target, box))
		}
	}
	both := func(fs ...func(string) error) func(string) error {
		return func(dir string) (err error) {
			for _, f := range fs {
				err = errors.Join(err, f(dir))
			}
			return err
		}
	}
	for _, test := range []struct {
		name   string
		change func(dir string) error
		says   string // nothing if it is run
		root   bool   // only root can make it so
	}{
		{"as it should be", chmod("a/b/box", 0o755), "", false},
		{"only its owner may do anything", chmod("a/b/box", 0o700), "", false},
		{"its group could write", chmod("a/b/box", 0o775), "a/b/box can be written to by others", false},
		{"anybody could write", chmod("a/b/box", 0o757), "a/b/box can be written to by others", false},
		{"its folder's group could", chmod("a/b", 0o775), "a/b can be written to by others", false},
		{"a folder far above", chmod("a", 0o777), "a can be written to by others", false},
		{"a folder above is like /tmp", chmod("a", 0o777|os.ModeSticky), "", false},
		{"its folder is like /tmp", chmod("a/b", 0o777|os.ModeSticky), "a/b can be written to by others", false},
		{"it belongs to somebody", chown("a/b/box"), "belongs to the user 12345", true},
		{"its folder does", chown("a/b"), "belongs to the user 12345", true},
		{"a folder above does", chown("a"), "belongs to the user 12345", true},
		{"a link", link("../real"), "", false},
		{"a link to a folder that others could write", both(link("../real"), chmod("a", 0o777)), "can be written to by others", false},
		{"a link to what others could write", both(link("../real"), chmod("a/real", 0o777)), "a/real can be written to", false},
		{"a link of somebody", both(link("../real"), chown("a/b/box")), "belongs to the user 12345", true},
		{"a link to nothing", link("../other"), "there is no", false},
		{"a link to itself", link("box"), "too many symbolic links", false},
		{"a link to a program of the system", link("/bin/true"), "", false},
		{"it can't be executed", chmod("a/b/box", 0o644), "chmod 755 it", false},
		{"it is a folder", link("."), "is no executable", false},
		{"it is gone", func(dir string) error { return os.Remove(filepath.Join(dir, "a/b/box")) }, "there is no", false},
		{"its folder is gone", func(dir string) error { return os.RemoveAll(filepath.Join(dir, "a")) }, "there is no", false},
	} {
		if test.root && os.Geteuid() != 0 {
			continue
		}
		dir, err := filepath.EvalSymlinks(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		b := filepath.Join(dir, "a", "b")
		if err := errors.Join(os.MkdirAll(b, 0o755), os.WriteFile(filepath.Join(b, "box"), []byte("#!/bin/sh\necho up\n"), 0o755),
			test.change(dir)); err != nil {
			t.Fatal(err)
		}
		_, err = command.New(command.Options{Dir: b, StateDir: filepath.Join(dir, "state")}).Access(within(t, limit), want())
		switch {
		case test.says == "" && err != nil:
			t.Errorf("%s: %v", test.name, err)
		case test.says != "" && (!errors.Is(err, enforce.ErrRefused) || !strings.Contains(err.Error(), test.says)):
			t.Errorf("%s: %v, want one that says %q", test.name, err, test.says)
		}
	}
}

func TestNamesOfExecutables(t *testing.T) {
	_, dir := box(t, "echo up")
	for _, name := range []string{"", ".", "..", "../box", "/bin/true", "box ", "b/ox", "-box", "Box"} {
		w := want()
		w.Enforcer = name
		e := command.New(command.Options{Dir: dir, StateDir: dir})
		if s, err := e.Status(within(t, limit), w); !errors.Is(err, enforce.ErrRefused) {
			t.Errorf("%q: %+v, %v", name, s, err)
		}
	}
}
