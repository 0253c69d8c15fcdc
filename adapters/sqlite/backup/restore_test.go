package backup_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sandglass/adapters/sqlite"
	"sandglass/adapters/sqlite/backup"
)

// killed makes a log that a killed daemon left, of 500 events, the last 200 in its WAL alone,
// and a copy of its first 200. It returns the folder of the one and the file of the other.
func killed(t testing.TB) (dir, copied string) {
	t.Helper()
	path := newLog(t)
	s := open(t, path)
	fill(t, s, 200)
	copied = filepath.Join(t.TempDir(), "copy")
	_, err := new(backup.Maker).Write(t.Context(), path, copied)
	must(t, err)
	fill(t, s, 100)
	must(t, s.Close()) // all is in the file, and the WAL begins anew
	s = open(t, path)
	fill(t, s, 200)
	return copyAll(t, filepath.Dir(path)), copied
}

func TestRestoringBesideAWAL(t *testing.T) {
	dir, copied := killed(t)
	path := filepath.Join(dir, "log")
	r, err := new(backup.Maker).Restore(t.Context(), copied, path, now)
	must(t, err)
	if r.Head != 200 || filepath.Base(r.Kept) != "log.replaced-20231114T221320.000Z" {
		t.Errorf("%+v", r)
	}
	if got := names(t, dir); got != "log log.replaced-20231114T221320.000Z" {
		t.Errorf("there are %s", got)
	}
	holds(t, path, 200)
	holds(t, filepath.Join(r.Kept, "log"), 500)
	holds(t, copied, 200) // it was only read
}

func TestRestoringWhereNothingIs(t *testing.T) {
	_, copied := killed(t)
	path := filepath.Join(t.TempDir(), "log")
	r, err := new(backup.Maker).Restore(t.Context(), copied, path, now)
	must(t, err)
	if r.Kept != "" || names(t, filepath.Dir(path)) != "log" {
		t.Errorf("%+v, %s", r, names(t, filepath.Dir(path)))
	}
	holds(t, path, 200)
}

func TestRestoringOverALink(t *testing.T) {
	dir, copied := killed(t)
	link := filepath.Join(t.TempDir(), "log")
	must(t, os.Symlink(filepath.Join(dir, "log"), link))
	_, err := new(backup.Maker).Restore(t.Context(), copied, link, now)
	must(t, err)
	if info, err := os.Lstat(link); err != nil || info.Mode().Type() != fs.ModeSymlink {
		t.Errorf("it is no link any more: %v", err)
	}
	holds(t, filepath.Join(dir, "log"), 200)
}

func TestALogInUseIsNotReplaced(t *testing.T) {
	dir, copied := killed(t)
	path := filepath.Join(dir, "log")
	s := open(t, path)
	before := names(t, dir)
	_, err := new(backup.Maker).Restore(t.Context(), copied, path, now)
	if err == nil || !strings.Contains(err.Error(), "is open for writing already") {
		t.Errorf("it is in use: %v", err)
	}
	fill(t, s, 1)
	if got := names(t, dir); got != before {
		t.Errorf("there are %s", got)
	}
}

func TestADamagedCopyIsNotRestored(t *testing.T) {
	dir, copied := killed(t)
	must(t, os.Truncate(copied, 5*4096))
	before := names(t, dir)
	if _, err := new(backup.Maker).Restore(t.Context(), copied, filepath.Join(dir, "log"), now); err == nil {
		t.Error("it is restored")
	}
	if got := names(t, dir); got != before {
		t.Errorf("there are %s", got)
	}
	holds(t, filepath.Join(dir, "log"), 500)
}

// TestEachStepOfARestoreFails has each step fail, and the power fail before each step: there
// is one whole log, the old or the new one, or none, and nothing is lost. Then it is done
// again.
func TestEachStepOfARestoreFails(t *testing.T) {
	broken := errors.New("broken")
	seen := map[string]bool{}
	old, copied := killed(t)
	for fail := 0; ; fail++ {
		dir := copyAll(t, old)
		path := filepath.Join(dir, "log")
		n, crashed, at := 0, "", ""
		m := backup.Maker{}.Before(func(step string) error {
			if n++; n <= fail {
				return nil
			}
			if crashed == "" {
				crashed, at = copyAll(t, dir), step
			}
			return fmt.Errorf("%s: %w", step, broken)
		})
		_, err := m.Restore(t.Context(), copied, path, now)
		if err == nil {
			break
		}
		if !errors.Is(err, broken) {
			t.Fatal(err)
		}
		for _, dir := range []string{dir, crashed} {
			seen[at] = true
			t.Run(fmt.Sprintf("%d %s", fail, at), func(t *testing.T) { afterRestore(t, dir, copied) })
		}
	}
	if len(seen) != 11 {
		t.Errorf("steps: %v", seen)
	}
}

func afterRestore(t *testing.T, dir, copied string) {
	path := filepath.Join(dir, "log")
	kept, err := filepath.Glob(path + ".replaced-*/log")
	must(t, err)
	switch _, err := os.Stat(path); {
	case errors.Is(err, fs.ErrNotExist):
		if s, err := sqlite.Open(path, sqlite.Options{Now: nil}); err == nil {
			_ = s.Close()
			t.Error("it opens")
		}
		if len(kept) != 1 {
			t.Errorf("nothing is there, and %v is kept", kept)
		}
	case len(kept) == 1 && sameSize(t, path, copied):
		holds(t, filepath.Join(copyAll(t, dir), "log"), 200)
	default:
		holds(t, filepath.Join(copyAll(t, dir), "log"), 500)
	}
	for _, k := range kept { // the WAL beside it too
		if len(kept) == 1 && names(t, filepath.Dir(k)) == "log log-wal" {
			holds(t, filepath.Join(copyAll(t, filepath.Dir(k)), "log"), 500)
		}
	}
	r, err := new(backup.Maker).Restore(t.Context(), copied, path, now+1)
	must(t, err)
	holds(t, path, 200)
	all, err := filepath.Glob(path + ".replaced-*/log")
	must(t, err)
	whole := 0
	for _, k := range all {
		if names(t, filepath.Dir(k)) == "log log-wal" {
			holds(t, k, 500)
			whole++
		}
	}
	if whole == 0 {
		t.Errorf("the old log is lost: %v, %+v", all, r)
	}
	if got := names(t, dir); strings.Contains(got, backup.Part) || strings.Contains(got, "-shm ") {
		t.Errorf("there are %s", got)
	}
}

// TestWhatARestoredLogIsSignedAs has each step of a restore fail that gives the log another checkpoint: what is
// in its place has its own, or that.
func TestWhatARestoredLogIsSignedAs(t *testing.T) {
	old, copied := killed(t)
	keeps := func(path string) string {
		s, err := sqlite.OpenReadOnly(path)
		must(t, err)
		note, _, err := s.Checkpoint(t.Context())
		must(t, errors.Join(err, s.Close()))
		return string(note)
	}
	for fail, done := 0, false; !done; fail++ {
		dir, n := copyAll(t, old), 0
		path := filepath.Join(dir, "log")
		m := backup.Maker{}.Before(func(step string) error {
			if n++; n > fail {
				return errors.New(step)
			}
			return nil
		})
		m.Signed = func(own []byte) ([]byte, error) { return append([]byte("put back\n"), own...), nil }
		_, err := m.Restore(t.Context(), copied, path, now)
		done = err == nil
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		kept, err := filepath.Glob(path + ".replaced-*/log")
		must(t, err)
		want := ""
		if done || len(kept) == 1 && sizeOf(t, path) != sizeOf(t, kept[0]) {
			want = "put back\n"
		}
		if got := keeps(path); got != want {
			t.Errorf("after %d steps it keeps %q, want %q", fail, got, want)
		}
	}
	m := backup.Maker{Signed: func([]byte) ([]byte, error) { return nil, errors.New("broken") }}
	path := filepath.Join(copyAll(t, old), "log")
	if _, err := m.Restore(t.Context(), copied, path, now); err == nil {
		t.Error("it is not known what it is signed as, and it was restored")
	}
	holds(t, path, 500)
}

func sameSize(t testing.TB, a, b string) bool { return sizeOf(t, a) == sizeOf(t, b) }
