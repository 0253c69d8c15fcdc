package runfiles_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sandglass/adapters/runfiles"
	"sandglass/domain/enforce"
	"sandglass/domain/enforce/wants"

	"golang.org/x/sys/unix"
)

func open(t *testing.T) (*runfiles.Folder, string) {
	t.Helper()
	dir := t.TempDir()
	f, err := runfiles.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return f, dir
}

func want(id string) *enforce.Want {
	return &enforce.Want{ID: id, State: enforce.Up, Enforcer: "fake", Until: 1, Boot: "b", Generation: 1, Plan: "p"}
}

func TestWhatOneWritesTheOtherReads(t *testing.T) {
	old := unix.Umask(0o077) // as the units have it
	defer unix.Umask(old)
	f, dir := open(t)
	other, err := runfiles.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.Want("vm"); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	if err := f.Write(want("vm")); err != nil {
		t.Fatal(err)
	}
	if w, err := other.Want("vm"); err != nil || w.Until != 1 {
		t.Errorf("%+v, %v", w, err)
	}
	if names, err := other.Wants(); err != nil || fmt.Sprint(names) != "[vm]" {
		t.Errorf("%v, %v", names, err)
	}
	if err := other.SaveIs(&enforce.Is{ID: "vm", State: enforce.Up, Boot: "b"}); err != nil {
		t.Fatal(err)
	}
	if is, err := f.Is("vm"); err != nil || is.State != enforce.Up {
		t.Errorf("%+v, %v", is, err)
	}
	if ids, err := f.Founds(); err != nil || fmt.Sprint(ids) != "[vm]" {
		t.Errorf("%v, %v", ids, err)
	}
	for _, name := range []string{"want/vm", "is/vm"} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode() != 0o640 {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
	for range 2 { // the second time there is none
		if err := errors.Join(f.Remove("vm"), f.RemoveIs("vm")); err != nil {
			t.Error(err)
		}
	}
	if left, err := filepath.Glob(filepath.Join(dir, "*", "*")); err != nil || len(left) != 0 {
		t.Errorf("%v, %v", left, err)
	}
}

// TestAResourceIsCalledLikeAFileOfTheFolder: whatever a stranger calls his resource, the folder's own
// files stay what they are.
func TestAResourceIsCalledLikeAFileOfTheFolder(t *testing.T) {
	f, dir := open(t)
	other := runfiles.At(dir)
	release, err := f.Keep()
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	if err := errors.Join(f.SaveBeat(&enforce.Beat{Boot: "b", At: 1}), f.SaveTimes([]byte("times"))); err != nil {
		t.Fatal(err)
	}
	own, err := filepath.Glob(filepath.Join(dir, "*", "*"))
	if err != nil || len(own) != 3 {
		t.Fatalf("%v, %v", own, err)
	}
	for _, path := range own {
		id := strings.TrimLeft(filepath.Base(path), ".")
		write := func() error {
			return errors.Join(f.Write(want(id)), f.SaveIs(&enforce.Is{ID: id, State: enforce.Up, Boot: "b"}))
		}
		inTheWay := filepath.Join(dir, "want", id)
		if err := errors.Join(write(), write(), f.Remove(id), f.RemoveIs(id), os.MkdirAll(inTheWay, 0o700)); err != nil {
			t.Error(err)
		}
		if write() == nil { // what it had begun is taken away
			t.Error("a folder was replaced")
		}
		if err := errors.Join(os.Remove(inTheWay), f.RemoveIs(id)); err != nil {
			t.Error(err)
		}
		_, err := other.Keep()
		if kept, asked := other.IsKept(); !kept || asked != nil || !errors.Is(err, runfiles.ErrKept) {
			t.Errorf("after a resource %q the keeper is not alone: %t, %v, %v", id, kept, asked, err)
		}
		if b, err := other.Beat(); err != nil || b.Boot != "b" {
			t.Errorf("after a resource %q the sign of life is %+v, %v", id, b, err)
		}
		if b, err := other.Times(); err != nil || string(b) != "times" {
			t.Errorf("after a resource %q the times are %q, %v", id, b, err)
		}
	}
	if left, err := filepath.Glob(filepath.Join(dir, "*", "*")); err != nil || fmt.Sprint(left) != fmt.Sprint(own) {
		t.Errorf("%v, %v", left, err)
	}
}

func TestWithoutAKeeperThereIsNoFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	if _, err := runfiles.Open(dir); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "systemd-tmpfiles --create") {
		t.Error(err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("it was made: %v", err)
	}
}

func TestWhatCannotBeIsNotWritten(t *testing.T) {
	f, dir := open(t)
	if err := f.Write(want("../x")); err == nil {
		t.Error("a want of ../x was written")
	}
	if err := f.SaveIs(&enforce.Is{ID: "../x", State: enforce.Up, Boot: "b"}); err == nil {
		t.Error("an is of ../x was written")
	}
	for _, sub := range []string{"want", "is"} { // the write fails: nothing is left of it, and the old one stays
		if err := os.Mkdir(filepath.Join(dir, sub, "vm"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if f.Write(want("vm")) == nil || f.SaveIs(&enforce.Is{ID: "vm", State: enforce.Up, Boot: "b"}) == nil {
		t.Error("a folder was replaced")
	}
	if left, err := filepath.Glob(filepath.Join(dir, "*", ".*")); err != nil || len(left) != 0 {
		t.Errorf("%v, %v", left, err)
	}
}

// TestNotTrusted: what somebody else may have written is not followed, and nobody is held up.
func TestNotTrusted(t *testing.T) {
	const elsewhere = 12345
	for why, spoil := range map[string]func(t *testing.T, dir, file string) error{
		"a link": func(t *testing.T, dir, file string) error {
			moved := filepath.Join(t.TempDir(), "vm")
			return errors.Join(os.Rename(file, moved), os.Symlink(moved, file))
		},
		"a pipe": func(_ *testing.T, _, file string) error {
			return errors.Join(os.Remove(file), unix.Mkfifo(file, 0o600))
		},
		"a folder": func(_ *testing.T, _, file string) error {
			return errors.Join(os.Remove(file), os.Mkdir(file, 0o700))
		},
		"a file that others write": func(_ *testing.T, _, file string) error { return os.Chmod(file, 0o666) },
		"a folder of all":          func(_ *testing.T, dir, _ string) error { return os.Chmod(dir, 0o777) },
		"a folder of a group":      func(_ *testing.T, dir, _ string) error { return os.Chmod(dir, 0o770) },
		"a folder elsewhere": func(t *testing.T, dir, _ string) error {
			moved := filepath.Join(t.TempDir(), "want")
			return errors.Join(os.Rename(dir, moved), os.Symlink(moved, dir))
		},
		"no folder":                           func(_ *testing.T, dir, _ string) error { return os.RemoveAll(dir) },
		"a file of another":                   func(_ *testing.T, _, file string) error { return os.Chown(file, elsewhere, -1) },
		"a folder of another, a file of ours": func(_ *testing.T, dir, _ string) error { return os.Chown(dir, elsewhere, -1) },
	} {
		f, dir := open(t)
		if err := f.Write(want("vm")); err != nil {
			t.Fatal(err)
		}
		dir = filepath.Join(dir, "want")
		if err := spoil(t, dir, filepath.Join(dir, "vm")); errors.Is(err, fs.ErrPermission) && os.Geteuid() != 0 {
			continue // none but root gives files away
		} else if err != nil {
			t.Fatal(err)
		}
		w, err := f.Want("vm")
		if err == nil || errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %+v, %v", why, w, err)
		}
	}
	f, dir := open(t)
	if _, err := f.Want("../is/vm"); !errors.Is(err, runfiles.ErrNotTrusted) {
		t.Error(err)
	}
	for _, size := range []int{enforce.MaxSize, enforce.MaxSize + 1, 1 << 30} {
		file := filepath.Join(dir, "want", "vm")
		if err := errors.Join(os.WriteFile(file, []byte("{"), 0o600), os.Truncate(file, int64(size))); err != nil {
			t.Fatal(err)
		}
		if _, err := f.Want("vm"); !errors.Is(err, enforce.ErrDamaged) {
			t.Errorf("%d bytes: %v", size, err)
		}
	}
}

func TestChangesAreHeard(t *testing.T) {
	f, dir := open(t)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	heard := make(chan string)
	ended := make(chan error, 1)
	go func() {
		for name, err := range f.Changes(ctx) {
			if err != nil {
				ended <- err
				return
			}
			heard <- name
		}
		ended <- nil
	}()
	next := func(want string) {
		t.Helper()
		for { // a change may be told more than once
			select {
			case got := <-heard:
				if got == want {
					return
				}
				if got != "vm" {
					t.Fatalf("%q was heard, want %q", got, want)
				}
			case <-ctx.Done():
				t.Fatalf("%q was not heard", want)
			}
		}
	}
	next("")
	if err := f.Write(want("vm")); err != nil {
		t.Fatal(err)
	}
	next("vm")
	if err := f.Write(want("vm-2")); err != nil {
		t.Fatal(err)
	}
	next("vm-2")
	if err := f.Remove("vm"); err != nil {
		t.Fatal(err)
	}
	next("vm")
	if err := os.RemoveAll(filepath.Join(dir, "want")); err != nil {
		t.Fatal(err)
	}
	go func() {
		for range heard {
		}
	}()
	if err := <-ended; err == nil || !strings.Contains(err.Error(), "is gone") {
		t.Error(err)
	}
	close(heard)
	for _, err := range f.Changes(ctx) {
		if err == nil {
			t.Error("what is gone is heard")
		}
	}
}

// BenchmarkWant is what a look at a want costs, and a change of one.
func BenchmarkWant(b *testing.B) {
	f, err := runfiles.Open(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	w := want("vm")
	w.Params = map[string]string{"ssh_key": string(bytes.Repeat([]byte("x"), 400))}
	if err := f.Write(w); err != nil {
		b.Fatal(err)
	}
	b.Run("read", func(b *testing.B) {
		for b.Loop() {
			if _, err := f.Want("vm"); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("write", func(b *testing.B) {
		for b.Loop() {
			if err := f.Write(w); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// One folder is what both sides need.
var (
	_ enforce.Folder = (*runfiles.Folder)(nil)
	_ wants.Folder   = (*runfiles.Folder)(nil)
)

// TestSignsOfLife: the keeper's, and what the daemon keeps of its clock, are no resource's files.
func TestSignsOfLife(t *testing.T) {
	f, err := runfiles.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.Beat()
	_, err2 := f.Times()
	if !errors.Is(err, fs.ErrNotExist) || !errors.Is(err2, fs.ErrNotExist) {
		t.Error(err, err2)
	}
	beat := &enforce.Beat{Boot: "b", At: 7, Looked: true, Wants: 2}
	if err := errors.Join(f.SaveBeat(beat), f.SaveTimes([]byte("{}\n"))); err != nil {
		t.Fatal(err)
	}
	if b, err := f.Beat(); err != nil || b.At != 7 || b.Wants != 2 || !b.Looked || b.Version != 1 {
		t.Errorf("%+v, %v", b, err)
	}
	if b, err := f.Times(); err != nil || string(b) != "{}\n" {
		t.Errorf("%s, %v", b, err)
	}
	wants, err := f.Wants()
	founds, err2 := f.Founds()
	if len(wants)+len(founds) != 0 || err != nil || err2 != nil {
		t.Error(wants, founds, err, err2)
	}
	if f.SaveBeat(&enforce.Beat{Boot: "b"}) == nil {
		t.Error("a beat at no time was written")
	}
}

// TestRootWritesForTheOwner: what root leaves is trusted as the folder's owner's is.
func TestRootWritesForTheOwner(t *testing.T) {
	dir := t.TempDir()
	f, err := runfiles.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() == 0 { // else whoever runs this is the owner
		if err := os.Chown(filepath.Join(dir, "want"), 4321, -1); err != nil {
			t.Fatal(err)
		}
	}
	w := &enforce.Want{ID: "web-1", State: enforce.Down, Enforcer: "process", Boot: "b1", Generation: 1, Plan: "small"}
	if err := f.Write(w); err != nil {
		t.Fatal(err)
	}
	if got, err := f.Want("web-1"); err != nil || got.State != enforce.Down {
		t.Errorf("it reads %+v, %v", got, err)
	}
}
