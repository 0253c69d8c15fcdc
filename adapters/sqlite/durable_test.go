package sqlite_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"sandglass/adapters/sqlite"
	"sandglass/domain/stream"
	"sandglass/testutil/storetest"

	zombiezen "zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// appendOne appends an event to toy-1, whose last revision is last.
func appendOne(s *sqlite.Store, last stream.Revision) error {
	_, err := s.Append(ctx, "toy-1", last, storetest.Events("toy-1", last, "x", 1))
	return err
}

// statement runs what can't run in a transaction, as a script does.
func statement(t *testing.T, path, query string) {
	t.Helper()
	conn, err := zombiezen.OpenConn(path, zombiezen.OpenReadWrite)
	must(t, err)
	defer conn.Close()
	must(t, sqlitex.ExecuteTransient(conn, query, nil))
}

// pragma returns what another connection sees.
func pragma(t *testing.T, path, name string) (value string) {
	t.Helper()
	conn, err := zombiezen.OpenConn(path, zombiezen.OpenReadOnly)
	must(t, err)
	defer conn.Close()
	must(t, sqlitex.ExecuteTransient(conn, "PRAGMA "+name, &sqlitex.ExecOptions{ResultFunc: func(s *zombiezen.Stmt) error {
		value = s.ColumnText(0)
		return nil
	}}))
	return value
}

// reading returns a connection in the midst of a read.
func reading(t *testing.T, path string) *zombiezen.Conn {
	t.Helper()
	conn, err := zombiezen.OpenConn(path, zombiezen.OpenReadOnly)
	must(t, err)
	must(t, sqlitex.ExecuteTransient(conn, `BEGIN`, nil))
	must(t, sqlitex.ExecuteTransient(conn, `SELECT count(*) FROM events`, nil))
	return conn
}

func TestOpenMakesALogDurable(t *testing.T) {
	path := newLog(t)
	s := openLog(t, path, sqlite.Options{})
	must(t, appendOne(s, stream.NoStream))
	must(t, s.Close())
	to := filepath.Join(t.TempDir(), "copy")
	statement(t, path, fmt.Sprintf(`VACUUM INTO '%s'`, to))
	if mode := pragma(t, to, "journal_mode"); mode != "delete" {
		t.Fatalf("a copy by VACUUM INTO is in the mode %s", mode)
	}
	ro, err := sqlite.OpenReadOnly(to) // a reader changes nothing
	must(t, err)
	must(t, ro.Close())
	s = openLog(t, to, sqlite.Options{})
	must(t, appendOne(s, 0))
	if mode := pragma(t, to, "journal_mode"); mode != "wal" {
		t.Errorf("the open log is in the mode %s", mode)
	}
	if n := count(t, s); n != 2 {
		t.Errorf("%d events, want 2", n)
	}
}

func TestOpenChangesNoOtherDatabase(t *testing.T) {
	path := filepath.Join(t.TempDir(), "other")
	sql(t, path, "CREATE TABLE t(x)")
	if _, err := sqlite.Open(path, sqlite.Options{Now: wallClock}); err == nil {
		t.Fatal("it opens")
	}
	if mode := pragma(t, path, "journal_mode"); mode != "delete" {
		t.Errorf("it is in the mode %s now", mode)
	}
}

func TestOpenRefusesAModeThatItCannotChange(t *testing.T) {
	t.Parallel() // SQLite waits for the reader
	path := newLog(t)
	statement(t, path, "PRAGMA journal_mode=DELETE")
	reader := reading(t, path) // SQLite changes the mode of a file that nobody reads
	defer reader.Close()
	_, err := sqlite.Open(path, sqlite.Options{Now: wallClock})
	if err == nil || !strings.Contains(err.Error(), "let no other program have it open") {
		t.Errorf("Open: %v", err)
	}
}
