package sqlite_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sandglass/adapters/sqlite"
	"sandglass/domain/stream"
	"sandglass/testutil/storetest"

	zombiezen "zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// sql runs a script on a database as somebody else would.
func sql(t *testing.T, path, script string) {
	t.Helper()
	conn, err := zombiezen.OpenConn(path, zombiezen.OpenReadWrite|zombiezen.OpenCreate)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := sqlitex.ExecuteScript(conn, script, nil); err != nil {
		t.Fatal(err)
	}
}

func TestFilesThatAreNoLog(t *testing.T) {
	for _, test := range []struct {
		name  string
		make  func(t *testing.T, path string)
		wants []string
	}{
		{"missing", func(*testing.T, string) {}, []string{"no event log at", `"sandglass init" makes one`}},
		{"a folder", func(t *testing.T, path string) { os.Mkdir(path, 0o700) }, []string{"is not a file"}},
		{"empty", func(t *testing.T, path string) { os.WriteFile(path, nil, 0o600) }, []string{"no event log of Sandglass"}},
		{"a text", func(t *testing.T, path string) {
			os.WriteFile(path, bytes.Repeat([]byte("not a database\n"), 1000), 0o600)
		}, []string{"is no database", "restore a backup"}},
		{"another database", func(t *testing.T, path string) {
			sql(t, path, "CREATE TABLE t(x)")
		}, []string{"no event log of Sandglass"}},
		{"a newer one", func(t *testing.T, path string) {
			sqlite.Create(path)
			sql(t, path, "PRAGMA user_version = 7")
		}, []string{"has schema 7, this build knows 1", "run a newer build"}},
		{"one without its tables", func(t *testing.T, path string) {
			sqlite.Create(path)
			sql(t, path, "DROP VIEW readable; DROP TABLE events")
		}, []string{"is damaged", "restore a backup"}},
		{"one cut short", func(t *testing.T, path string) {
			sqlite.Create(path)
			os.Truncate(path, 3*4096+17)
		}, []string{"is damaged", "restore a backup"}},
		{"one of noise", func(t *testing.T, path string) {
			sqlite.Create(path)
			whole, _ := os.ReadFile(path)
			for i := 100; i < len(whole); i++ {
				whole[i] = byte(i * 7)
			}
			os.WriteFile(path, whole, 0o600)
		}, []string{"is damaged", "restore a backup"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "log")
			test.make(t, path)
			s, err := sqlite.Open(path, sqlite.Options{Now: wallClock})
			if err == nil {
				s.Close()
				t.Fatal("it opens")
			}
			ro, roErr := sqlite.OpenReadOnly(path)
			if roErr == nil {
				ro.Close()
			}
			for _, want := range append(test.wants, path) {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%v: does not say %q", err, want)
				}
				if roErr == nil || !strings.Contains(roErr.Error(), want) {
					t.Errorf("for reading only: %v: does not say %q", roErr, want)
				}
			}
		})
	}
}

func TestCreateReplacesNothing(t *testing.T) {
	path := newLog(t)
	s := openLog(t, path, sqlite.Options{})
	id := s.ID()
	s.Close()
	if err := sqlite.Create(path); err == nil || !strings.Contains(err.Error(), "exists") {
		t.Errorf("over a log: %v", err)
	}
	if s := openLog(t, path, sqlite.Options{}); s.ID() != id || len(id) != 32 {
		t.Errorf("the log's id was %s and is %s", id, s.ID())
	}
	if other := openLog(t, newLog(t), sqlite.Options{}); other.ID() == id {
		t.Errorf("two logs with the id %s", id)
	}
	stale := filepath.Join(t.TempDir(), "log")
	os.WriteFile(stale+"-wal", []byte("of another log"), 0o600)
	if err := sqlite.Create(stale); err == nil || !strings.Contains(err.Error(), "-wal exists") {
		t.Errorf("beside a WAL: %v", err)
	}
	left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), "*"))
	for _, name := range left {
		if strings.Contains(name, ".new") {
			t.Errorf("%s was left", name)
		}
	}
	if err := sqlite.Create(filepath.Join(t.TempDir(), "no", "log")); err == nil {
		t.Error("a log in a folder that is not")
	}
}

func TestOneWriter(t *testing.T) {
	path := newLog(t)
	s := openLog(t, path, sqlite.Options{})
	_, err := sqlite.Open(path, sqlite.Options{Now: wallClock})
	if err == nil || !strings.Contains(err.Error(), "open for writing already") {
		t.Errorf("a second writer: %v", err)
	}
	events := storetest.Events("toy-1", stream.NoStream, "one", 3)
	if _, err := s.Append(ctx, "toy-1", stream.NoStream, events); err != nil {
		t.Fatal(err)
	}
	ro, err := sqlite.OpenReadOnly(path)
	if err != nil {
		t.Fatal(err)
	}
	defer ro.Close()
	if head, err := ro.Head(ctx); head != 3 || err != nil || ro.ID() != s.ID() {
		t.Errorf("a reader beside: head %d, %v", head, err)
	}
	_, err = ro.Append(ctx, "toy-1", 2, storetest.Events("toy-1", 2, "two", 1))
	if !errors.Is(err, stream.ErrReadOnly) || !errors.Is(ro.Writable(), stream.ErrReadOnly) {
		t.Errorf("a reader appends: %v", err)
	}
	n := 0
	for rec, err := range ro.Read(ctx, "toy-1", 1) { // of the tail, which places lacks
		if err != nil || rec.Revision != stream.Revision(n+1) {
			t.Fatal(rec, err)
		}
		n++
	}
	if n != 2 || ro.Verify(ctx) != nil {
		t.Errorf("%d events, want 2; %v", n, ro.Verify(ctx))
	}
	s.Close()
	if _, err := ro.Head(ctx); err != nil {
		t.Errorf("after the writer left: %v", err)
	}
}

func TestVerifyFindsWhatWasChanged(t *testing.T) {
	for what, script := range map[string]string{
		"an event is gone": "DELETE FROM events WHERE position = 30",
		"the last of a stream": `DELETE FROM places WHERE position = 100;
			DELETE FROM events WHERE position = 40;
			UPDATE events SET revision = revision - 1 WHERE position > 40`,
		"a place is gone":          "DELETE FROM places WHERE revision = 5",
		"a place is wrong":         "UPDATE places SET position = 7 WHERE revision = 5",
		"a revision is changed":    "UPDATE events SET revision = 70000 WHERE position = 9",
		"an id is there twice":     "UPDATE events SET id = (SELECT id FROM events WHERE position = 4) WHERE position IN (8, 9)",
		"a time runs backwards":    "UPDATE events SET recorded_at = 5 WHERE position = 60",
		"a type is not named":      "UPDATE events SET type = 77 WHERE position = 60",
		"an id has another length": "UPDATE events SET id = x'00' WHERE position = 60",
	} {
		t.Run(what, func(t *testing.T) {
			path := newLog(t)
			s := openLog(t, path, sqlite.Options{}.Hasty())
			events := storetest.Events("toy-1", stream.NoStream, "x", 100)
			if _, err := s.Append(ctx, "toy-1", stream.NoStream, events); err != nil {
				t.Fatal(err)
			}
			if err := s.Verify(ctx); err != nil {
				t.Fatal(err)
			}
			s.Close()
			sql(t, path, script)
			s, err := sqlite.Open(path, sqlite.Options{Now: wallClock})
			if err == nil {
				err = s.Verify(ctx)
				s.Close()
			}
			if err == nil || !strings.Contains(err.Error(), "restore a backup") {
				t.Errorf("Verify: %v", err)
			}
		})
	}
}
