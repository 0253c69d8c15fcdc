package backup_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sandglass/adapters/sqlite/backup"
	"sandglass/adapters/sqlite/requests"
	"sandglass/testutil/storetest"
)

// keepsRequests opens a file of requests, with n that it keeps beside those that are there.
func keepsRequests(t testing.TB, path string, n int) *requests.Store {
	t.Helper()
	s, err := requests.Open(path, requests.Options{FreeSpaceFloor: -1})
	must(t, err)
	for i := range n {
		must(t, s.Keep(t.Context(), storetest.Request(i)))
	}
	return s
}

// holdsRequests opens what is at path as a daemon does, and wants n requests.
func holdsRequests(t testing.TB, path string, n int) {
	t.Helper()
	s := keepsRequests(t, path, 0)
	defer func() { must(t, s.Close()) }()
	must(t, s.Verify())
	found := 0
	for run, err := range s.Follow(t.Context()) {
		must(t, err)
		if found += len(run); found >= n {
			break
		}
	}
	if found != n {
		t.Errorf("%s holds %d requests, want %d", path, found, n)
	}
}

func TestRequestsAreCopiedBesideTheirStore(t *testing.T) {
	from := newLog(t)
	must(t, requests.Create(requests.Path(from)))
	s := keepsRequests(t, requests.Path(from), 20)
	defer func() { must(t, s.Close()) }()
	copied := filepath.Join(t.TempDir(), "copy")
	to := backup.Requests(copied)
	m := new(backup.Maker)
	for range 2 {
		if _, err := m.Write(t.Context(), from, copied); err != nil && !strings.Contains(err.Error(), "copy exists") {
			t.Error(err)
		}
		if got := names(t, filepath.Dir(to)); got != "copy copy-requests" {
			t.Errorf("there are %s", got)
		}
	}
	log := newLog(t)
	// They are put where they are missing.
	place := requests.Path(log)
	if put, err := m.RestoreRequests(t.Context(), to, place); err != nil || !put {
		t.Errorf("they are put there: %v, %v", put, err)
	}
	holdsRequests(t, place, 20)
	for _, from := range []string{to, to + "-missing"} {
		if put, err := m.RestoreRequests(t.Context(), from, place); err != nil || put {
			t.Errorf("those that are there stay: %v, %v", put, err)
		}
	}
	holdsRequests(t, to, 20)
}

// TestForgottenRequestsAreAdded restores requests beside some that are newer, of which two were
// forgotten since they were copied, and one is new. Each step fails, and is done again.
func TestForgottenRequestsAreAdded(t *testing.T) {
	log := newLog(t)
	path := requests.Path(log)
	must(t, requests.Create(path))
	s := keepsRequests(t, path, 8)
	copied := filepath.Join(t.TempDir(), "copy")
	to := backup.Requests(copied)
	_, err := new(backup.Maker).Write(t.Context(), log, copied)
	must(t, err)
	must(t, s.Forget(t.Context(), []string{storetest.Request(3).Name(), storetest.Request(4).Name()}))
	must(t, s.Keep(t.Context(), storetest.Request(8)))
	if _, err := new(backup.Maker).RestoreRequests(t.Context(), to, path); err == nil {
		t.Error("they are added to what a daemon has open")
	}
	must(t, s.Close())
	broken := errors.New("broken")
	for fail := 0; ; fail++ {
		n := 0
		m := backup.Maker{}.Before(func(string) error {
			if n++; n <= fail {
				return nil
			}
			return broken
		})
		put, err := m.RestoreRequests(t.Context(), to, path)
		if left := names(t, filepath.Dir(path)); strings.Contains(left, backup.Part) || put {
			t.Errorf("%v: %s is left, put is %v", err, left, put)
		}
		if err == nil {
			break
		}
		if !errors.Is(err, broken) {
			t.Fatal(err)
		}
		holdsRequests(t, path, 7)
	}
	holdsRequests(t, path, 9)
	if _, err := new(backup.Maker).RestoreRequests(t.Context(), to, path); err != nil {
		t.Errorf("once more: %v", err)
	}
	holdsRequests(t, path, 9)
}

// TestEachStepOfRestoringRequestsFails has each step fail, and the power before each.
func TestEachStepOfRestoringRequestsFails(t *testing.T) {
	from := requests.Path(newLog(t))
	must(t, requests.Create(from))
	must(t, keepsRequests(t, from, 8).Close())
	broken := errors.New("broken")
	for fail := 0; ; fail++ {
		path := filepath.Join(t.TempDir(), "requests.db")
		n, crashed := 0, ""
		m := backup.Maker{}.Before(func(step string) error {
			if n++; n <= fail {
				return nil
			}
			if crashed == "" {
				crashed = copyAll(t, filepath.Dir(path))
			}
			return fmt.Errorf("%s: %w", step, broken)
		})
		_, err := m.RestoreRequests(t.Context(), from, path)
		if err == nil {
			if fail != 7 {
				t.Errorf("%d steps", fail)
			}
			holdsRequests(t, path, 8)
			return
		}
		if !errors.Is(err, broken) {
			t.Fatal(err)
		}
		for _, dir := range []string{filepath.Dir(path), crashed} {
			again := filepath.Join(dir, "requests.db")
			if left := names(t, dir); dir != crashed && left != "" && left != "requests.db" {
				t.Errorf("%v: %s is left", err, left)
			}
			_, there := os.Stat(again)
			if put, err := new(backup.Maker).RestoreRequests(t.Context(), from, again); err != nil || put != (there != nil) {
				t.Errorf("once more: %v, %v", put, err)
			}
			holdsRequests(t, again, 8)
		}
	}
}

// TestABackupThatWasBrokenOffIsMadeAgain has each step fail, and the power before each, of a copy
// with requests: the next one to the same path overwrites what is left of it.
func TestABackupThatWasBrokenOffIsMadeAgain(t *testing.T) {
	log := newLog(t)
	must(t, requests.Create(requests.Path(log)))
	must(t, keepsRequests(t, requests.Path(log), 8).Close())
	broken := errors.New("broken")
	for fail := 0; ; fail++ {
		path := filepath.Join(t.TempDir(), "copy")
		n, crashed := 0, ""
		m := backup.Maker{}.Before(func(step string) error {
			if n++; n <= fail {
				return nil
			}
			if crashed == "" {
				crashed = copyAll(t, filepath.Dir(path))
			}
			return fmt.Errorf("%s: %w", step, broken)
		})
		_, err := m.Write(t.Context(), log, path)
		if err == nil {
			if fail != 12 {
				t.Errorf("%d steps", fail)
			}
			return
		}
		if !errors.Is(err, broken) {
			t.Fatal(err)
		}
		if left := names(t, filepath.Dir(path)); left != "" && left != "copy copy-requests" {
			t.Errorf("%v: %s is left", err, left)
		}
		again := filepath.Join(crashed, "copy")
		if _, err := os.Stat(again); err == nil {
			holdsRequests(t, backup.Requests(again), 8)
			continue // all is there
		}
		for _, name := range []string{again, backup.Requests(again)} { // as SQLite leaves it
			must(t, os.WriteFile(name+backup.Part+"-journal", []byte("torn"), 0o600))
		}
		_, err = new(backup.Maker).Write(t.Context(), log, again)
		must(t, err)
		if got := names(t, crashed); got != "copy copy-requests" {
			t.Errorf("there are %s", got)
		}
		holds(t, again, 0)
		holdsRequests(t, backup.Requests(again), 8)
	}
}

// TestRequestsOfABackupBelongToIt makes a copy of a log that has no requests where an earlier copy,
// of another log, was broken off.
func TestRequestsOfABackupBelongToIt(t *testing.T) {
	to := filepath.Join(t.TempDir(), "copy")
	must(t, os.WriteFile(backup.Requests(to), []byte("of another log"), 0o600))
	must(t, os.WriteFile(to+backup.Part, []byte("half"), 0o600))
	_, err := new(backup.Maker).Write(t.Context(), newLog(t), to)
	must(t, err)
	if got := names(t, filepath.Dir(to)); got != "copy" {
		t.Errorf("there are %s", got)
	}
}

// TestRequestsOfAnotherLogAreSetAside has each step fail, and does it again: nothing of them is lost.
func TestRequestsOfAnotherLogAreSetAside(t *testing.T) {
	broken := errors.New("broken")
	for fail := 0; ; fail++ {
		log := newLog(t)
		path := requests.Path(log)
		must(t, requests.Create(path))
		s := keepsRequests(t, path, 8)
		if _, err := new(backup.Maker).SetAsideRequests(log, now); err == nil {
			t.Error("they are taken from a daemon")
		}
		must(t, s.Close())
		n := 0
		m := backup.Maker{}.Before(func(string) error {
			if n++; n <= fail {
				return nil
			}
			return broken
		})
		_, err := m.SetAsideRequests(log, now)
		if err == nil {
			return
		}
		if !errors.Is(err, broken) {
			t.Fatal(err)
		}
		_, err = new(backup.Maker).SetAsideRequests(log, now+1)
		must(t, err)
		if !requests.Missing(path) || !requests.Missing(path+"-wal") {
			t.Error("they are there yet")
		}
		kept, err := filepath.Glob(log + ".replaced-*/requests.db")
		must(t, err)
		if len(kept) == 0 {
			t.Fatal("they are lost")
		}
		holdsRequests(t, kept[len(kept)-1], 8)
		r, err := new(backup.Maker).Restore(t.Context(), newLog(t), log, now+1)
		must(t, err)
		if len(kept) == 1 && fail == 0 && names(t, r.Kept) != "log requests.db" {
			t.Errorf("kept are %s", names(t, r.Kept))
		}
	}
}
