package storetest

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"sandglass/adapters/sqlite"
	"sandglass/domain/instant"
)

// SQLite returns an empty store on a file of its own, and the clock that it stamps by.
// It is closed when the test ends.
func SQLite(t testing.TB) (*sqlite.Store, *Clock) {
	t.Helper()
	clock := NewClock()
	return SQLiteAt(t, filepath.Join(t.TempDir(), "log"), clock.Now), clock
}

// SQLiteAt opens the log at path, which it makes if there is none. A test that restarts
// closes the store and opens it again; closing twice does no harm.
func SQLiteAt(t testing.TB, path string, now func() instant.Time) *sqlite.Store {
	t.Helper()
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		if err := sqlite.Create(path); err != nil {
			t.Fatal(err)
		}
	}
	s, err := sqlite.Open(path, sqlite.Options{Now: now, FreeSpaceFloor: -1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}
