package backup_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"sandglass/adapters/sqlite"
	"sandglass/adapters/sqlite/backup"
	"sandglass/domain/instant"
	"sandglass/domain/stream"
	"sandglass/testutil/storetest"
)

const now instant.Time = 1_700_000_000_000

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newLog(t testing.TB) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "log")
	must(t, sqlite.Create(path))
	return path
}

func open(t testing.TB, path string) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(path, sqlite.Options{Now: storetest.NewClock().Now, FreeSpaceFloor: -1})
	must(t, err)
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// fill appends n events, each of some bytes.
func fill(t testing.TB, s *sqlite.Store, n int) {
	t.Helper()
	head, err := s.Head(t.Context())
	must(t, err)
	for i := range n {
		last := stream.Revision(head) + stream.Revision(i) - 1
		_, err := s.Append(t.Context(), "toy-1", last, storetest.Events("toy-1", last, strings.Repeat("x", 300), 1))
		must(t, err)
	}
}

// holds opens what is at path as a daemon does, and wants n events, whole and durable.
func holds(t testing.TB, path string, n int) {
	t.Helper()
	s, err := sqlite.Open(path, sqlite.Options{Now: storetest.NewClock().Now, FreeSpaceFloor: -1})
	if err != nil {
		t.Error(err)
		return
	}
	head, err := s.Head(t.Context())
	if err != nil || int(head) != n {
		t.Errorf("%s ends at position %d (%v), want %d", path, head, err, n)
	}
	if err := errors.Join(s.Verify(t.Context()), s.Writable()); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(path + "-wal"); err != nil {
		t.Errorf("it is not in WAL mode: %v", err)
	}
	must(t, s.Close())
}

// copyAll copies a folder, as a crash would leave it at this moment.
func copyAll(t testing.TB, from string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "crashed")
	must(t, os.CopyFS(to, os.DirFS(from)))
	return to
}

func names(t testing.TB, dir string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, "*"))
	must(t, err)
	for i, f := range found {
		found[i] = filepath.Base(f)
	}
	return strings.Join(found, " ")
}

func TestACopyBesideAStoreThatGoesOn(t *testing.T) {
	path := newLog(t)
	s := open(t, path)
	fill(t, s, 500)
	to := filepath.Join(t.TempDir(), "copy")
	done := make(chan error, 1)
	var c backup.Copy
	go func() {
		var err error
		c, err = new(backup.Maker).Write(t.Context(), path, to)
		done <- err
	}()
	for more := true; more; {
		fill(t, s, 10)
		select {
		case err := <-done:
			must(t, err)
			more = false
		default:
		}
	}
	if c.Head < 500 || c.ID != s.ID() || c.Recorded == 0 || c.Bytes == 0 || c.Bytes != sizeOf(t, to) {
		t.Errorf("%+v", c)
	}
	if got := names(t, filepath.Dir(to)); got != "copy" {
		t.Errorf("beside the copy there are %s", got)
	}
	info, err := os.Stat(to)
	must(t, err)
	if info.Mode() != 0o600 {
		t.Errorf("others may read it: %s", info.Mode())
	}
	holds(t, to, int(c.Head))
}

func sizeOf(t testing.TB, path string) int64 {
	t.Helper()
	info, err := os.Stat(path)
	must(t, err)
	return info.Size()
}

func TestACopyOfAnEmptyLog(t *testing.T) {
	to := filepath.Join(t.TempDir(), "copy")
	c, err := new(backup.Maker).Write(t.Context(), newLog(t), to)
	must(t, err)
	if c.Head != 0 || c.Recorded != 0 {
		t.Errorf("%+v", c)
	}
	holds(t, to, 0)
}

func TestNothingIsOverwritten(t *testing.T) {
	path := newLog(t)
	for _, there := range []string{"copy", "copy-wal", "copy-journal", "copy-requests"} {
		to := filepath.Join(t.TempDir(), "copy")
		must(t, os.WriteFile(filepath.Join(filepath.Dir(to), there), []byte("precious"), 0o600))
		if _, err := new(backup.Maker).Write(t.Context(), path, to); err == nil || !strings.Contains(err.Error(), there+" exists") {
			t.Errorf("%s is there: %v", there, err)
		}
		if got := names(t, filepath.Dir(to)); got != there {
			t.Errorf("now there are %s", got)
		}
	}
	to := filepath.Join(t.TempDir(), "copy")
	m := backup.Maker{}.Before(func(step string) error {
		if step == "place" {
			return os.WriteFile(to, []byte("precious"), 0o600)
		}
		return nil
	})
	_, err := m.Write(t.Context(), path, to)
	if !errors.Is(err, fs.ErrExist) {
		t.Errorf("it came in between: %v", err)
	}
	if b, _ := os.ReadFile(to); string(b) != "precious" {
		t.Errorf("it holds %q now", b)
	}
}

func TestOneCopyOfANameAtATime(t *testing.T) {
	path, to := newLog(t), filepath.Join(t.TempDir(), "copy")
	tried := false
	m := backup.Maker{}.Before(func(step string) error {
		if step == "sync" {
			tried = true
			if _, err := new(backup.Maker).Write(t.Context(), path, to); err == nil ||
				!strings.Contains(err.Error(), "is being written by another command") {
				t.Errorf("the second one: %v", err)
			}
		}
		return nil
	})
	if _, err := m.Write(t.Context(), path, to); err != nil || !tried {
		t.Errorf("the first one: %v", err)
	}
	holds(t, to, 0)
}

func TestWhatIsNoWholeLogIsNotCopied(t *testing.T) {
	path := newLog(t)
	s := open(t, path)
	fill(t, s, 200)
	must(t, s.Close())
	for what, damage := range map[string]func(path string) error{
		"missing":   os.Remove,
		"no log":    func(p string) error { return os.WriteFile(p, []byte(strings.Repeat("no database\n", 1000)), 0o600) },
		"cut short": func(p string) error { return os.Truncate(p, 5*4096) },
		"a page is lost": func(p string) error {
			f, err := os.OpenFile(p, os.O_RDWR, 0)
			must(t, err)
			_, err = f.WriteAt(make([]byte, 4096), sizeOf(t, p)/4096/2*4096)
			return errors.Join(err, f.Close())
		},
	} {
		t.Run(what, func(t *testing.T) {
			damaged := filepath.Join(copyAll(t, filepath.Dir(path)), "log")
			must(t, damage(damaged))
			to := filepath.Join(t.TempDir(), "copy")
			if _, err := new(backup.Maker).Write(t.Context(), damaged, to); err == nil {
				t.Error("it is copied")
			}
			if got := names(t, filepath.Dir(to)); got != "" {
				t.Errorf("%s is left", got)
			}
		})
	}
}

func TestACopyLeavesRoomOnItsDisk(t *testing.T) {
	path, to := newLog(t), filepath.Join(t.TempDir(), "copy")
	free := sizeOf(t, path) + 999
	m := backup.Maker{Floor: 1000, FreeSpace: func(string) (int64, error) { return free, nil }}
	if _, err := m.Write(t.Context(), path, to); err == nil || !strings.Contains(err.Error(), "make room") {
		t.Errorf("a byte is missing: %v", err)
	}
	if got := names(t, filepath.Dir(to)); got != "" {
		t.Errorf("%s is left", got)
	}
	free++
	_, err := m.Write(t.Context(), path, to)
	must(t, err)
}

// TestTheDiskIsFull copies to a disk that is too small, which nobody knew.
func TestTheDiskIsFull(t *testing.T) {
	path := newLog(t)
	s := open(t, path)
	fill(t, s, 2000)
	small := t.TempDir()
	if err := syscall.Mount("tmpfs", small, "tmpfs", 0, "size=400k"); err != nil {
		t.Skipf("mounting a small disk: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(small, syscall.MNT_DETACH) })
	m := backup.Maker{FreeSpace: func(string) (int64, error) { return 1 << 40, nil }}
	to := filepath.Join(small, "copy")
	if _, err := m.Write(t.Context(), path, to); err == nil || !strings.Contains(err.Error(), "full") {
		t.Errorf("a copy: %v", err)
	}
	if got := names(t, small); got != "" {
		t.Errorf("%s is left", got)
	}
	must(t, sqlite.Create(to)) // there is a log, and the copy has no room beside it
	if _, err := m.Restore(t.Context(), path, to, now); err == nil || !strings.Contains(err.Error(), "full") {
		t.Errorf("restoring: %v", err)
	}
	if got := names(t, small); got != "copy" {
		t.Errorf("%s is left", got)
	}
	holds(t, to, 0)
	holds(t, filepath.Join(copyAll(t, filepath.Dir(path)), "log"), 2000)
}

// TestEachStepOfACopyFails has each step fail, and the power fail before each step.
func TestEachStepOfACopyFails(t *testing.T) {
	path := newLog(t)
	s := open(t, path)
	fill(t, s, 300)
	broken := errors.New("broken")
	steps := 0
	for fail := 0; ; fail++ {
		to := filepath.Join(t.TempDir(), "copy")
		n, crashed := 0, ""
		m := backup.Maker{}.Before(func(step string) error {
			if n++; n <= fail {
				return nil
			}
			if crashed == "" {
				crashed = copyAll(t, filepath.Dir(to))
			}
			return fmt.Errorf("%s: %w", step, broken)
		})
		_, err := m.Write(t.Context(), path, to)
		if err == nil {
			steps = fail
			holds(t, to, 300)
			break
		}
		if !errors.Is(err, broken) {
			t.Fatal(err)
		}
		for _, dir := range []string{filepath.Dir(to), crashed} {
			again := filepath.Join(dir, "copy")
			_, there := os.Stat(again)
			if left := names(t, dir); dir != crashed && left != "" && left != "copy" {
				t.Errorf("%v: %s is left", err, left)
			}
			_, second := new(backup.Maker).Write(t.Context(), path, again)
			if (second == nil) != errors.Is(there, fs.ErrNotExist) {
				t.Errorf("%v: there is a copy: %v; once more: %v", err, there, second)
			}
			holds(t, again, 300)
		}
	}
	if steps != 6 {
		t.Errorf("%d steps", steps)
	}
}
