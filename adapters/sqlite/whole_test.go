package sqlite_test

import (
	"path/filepath"
	"strings"
	"testing"

	"sandglass/adapters/sqlite"
	"sandglass/domain/stream"
)

// TestOpenFindsTheEndOfTheLogWhole opens what a killed daemon left after somebody changed
// it: places holds 60 events, and not the 30 after them.
func TestOpenFindsTheEndOfTheLogWhole(t *testing.T) {
	for what, c := range map[string]struct{ script, want string }{
		"nothing":             {"SELECT 1", ""},
		"its end is missing":  {"DELETE FROM events WHERE position > 50", "its last events are missing"},
		"a hole":              {"DELETE FROM events WHERE position = 70", "events are missing"},
		"a hole before":       {"DELETE FROM events WHERE position BETWEEN 61 AND 65", "events are missing"},
		"a stream goes on at": {"DELETE FROM places WHERE position > 55", "has revision 60 where 55 should follow"},
	} {
		t.Run(what, func(t *testing.T) {
			path := newLog(t)
			s := openLog(t, path, sqlite.Options{})
			last := stream.NoStream
			for range 60 {
				must(t, appendOne(s, last))
				last++
			}
			must(t, s.Close())
			s = openLog(t, path, sqlite.Options{})
			for range 30 {
				must(t, appendOne(s, last))
				last++
			}
			killed := filepath.Join(t.TempDir(), "log")
			copyOf(t, path+"-wal", killed+"-wal")
			copyOf(t, path, killed)
			sql(t, killed, c.script)
			s, err := sqlite.Open(killed, sqlite.Options{Now: wallClock, FreeSpaceFloor: -1})
			if err == nil {
				s.Close()
			}
			if c.want == "" && err != nil {
				t.Error(err)
			}
			if c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) ||
				!strings.Contains(err.Error(), "restore a backup")) {
				t.Errorf("Open: %v", err)
			}
		})
	}
}

// TestOpenRefusesABackupBesideAnotherWAL: SQLite writes the WAL over the backup, whose file
// lacks what was moved out of the WAL in between.
func TestOpenRefusesABackupBesideAnotherWAL(t *testing.T) {
	path := newLog(t)
	restored := filepath.Join(t.TempDir(), "log")
	last := stream.NoStream
	appendSome := func(s *sqlite.Store, n int) {
		for range n {
			must(t, appendOne(s, last))
			last++
		}
	}
	s := openLog(t, path, sqlite.Options{})
	appendSome(s, 200)
	statement(t, path, "VACUUM INTO '"+restored+"'")
	statement(t, restored, "PRAGMA journal_mode=WAL")
	appendSome(s, 300)
	must(t, s.Close())
	s = openLog(t, path, sqlite.Options{})
	appendSome(s, 100)
	copyOf(t, path+"-wal", restored+"-wal")
	r, err := sqlite.Open(restored, sqlite.Options{Now: wallClock, FreeSpaceFloor: -1})
	if err == nil {
		r.Close()
	}
	if err == nil || !strings.Contains(err.Error(), "restore a backup") {
		t.Errorf("Open: %v", err)
	}
}
