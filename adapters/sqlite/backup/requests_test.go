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
	path := requests.Path(newLog(t))
	must(t, requests.Create(path))
	s := keepsRequests(t, path, 20)
	defer func() { must(t, s.Close()) }()
	to := backup.Requests(filepath.Join(t.TempDir(), "copy"))
	m := new(backup.Maker)
	must(t, m.WriteRequests(t.Context(), path, to))
	if err := m.WriteRequests(t.Context(), path, to); err == nil || !strings.Contains(err.Error(), "exists") {
		t.Errorf("a second time: %v", err)
	}
	log := newLog(t)
	if err := m.WriteRequests(t.Context(), log, to+"2"); err == nil || !strings.Contains(err.Error(), "holds no requests") {
		t.Errorf("a log: %v", err)
	}
	if got := names(t, filepath.Dir(to)); got != "copy-requests" {
		t.Errorf("there are %s", got)
	}
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
	path := requests.Path(newLog(t))
	must(t, requests.Create(path))
	s := keepsRequests(t, path, 8)
	to := backup.Requests(filepath.Join(t.TempDir(), "copy"))
	must(t, new(backup.Maker).WriteRequests(t.Context(), path, to))
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
