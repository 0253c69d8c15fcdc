package requests_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sandglass/adapters/sqlite/requests"
	"sandglass/domain/request"
	"sandglass/testutil/storetest"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// keptIn makes a file that holds so many records.
func keptIn(t *testing.T, n int) string {
	t.Helper()
	path := newFile(t)
	s := open(t, path, requests.Options{})
	for i := range n {
		if err := s.Keep(t.Context(), storetest.Request(i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// change changes what stands in a file, on the disk, to what is as long.
func change(t *testing.T, path, old, new string) {
	t.Helper()
	file, err := os.ReadFile(path)
	if err != nil || !bytes.Contains(file, []byte(old)) {
		t.Fatalf("%q is not in %s, %v", old, path, err)
	}
	if err := os.WriteFile(path, bytes.ReplaceAll(file, []byte(old), []byte(new)), 0o600); err != nil {
		t.Fatal(err)
	}
}

// check checks a file, of whose records so many are to be damaged.
func check(t *testing.T, path string, damaged int) string {
	t.Helper()
	_, d, err := requests.Check(path)
	if err != nil || d.Count != damaged {
		t.Errorf("%s has %d damaged records, %v; want %d", path, d.Count, err, damaged)
	}
	return d.String()
}

// One letter of a record is another: it is found, and told once, and the others stand.
func TestADamagedRecordIsPutAside(t *testing.T) {
	path := keptIn(t, 5)
	check(t, path, 0)
	change(t, path, `"bcrt1q`+fmt.Sprintf("%038d", 3), `"bcrt1q`+fmt.Sprintf("%038d", 4))
	if text := check(t, path, 1); !strings.Contains(text, "record 4") || !strings.Contains(text, "bcrt1q") {
		t.Errorf("it says %q", text)
	}
	var told []string
	for range 2 {
		s := open(t, path, requests.Options{Told: func(text string) { told = append(told, text) }})
		if n := held(t, s); n != 4 {
			t.Errorf("%d records are there, want 4", n)
		}
		if err := s.Keep(t.Context(), storetest.Request(3)); err != nil { // whoever has it still
			t.Error(err)
		}
		if n := held(t, s); n != 5 {
			t.Errorf("%d records are there, want 5", n)
		}
		if err := s.Forget(t.Context(), []string{storetest.Request(3).Name()}); err != nil {
			t.Error(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		check(t, path, 0)
	}
	if len(told) != 1 || !strings.Contains(told[0], "record 4") || !strings.Contains(told[0], path) {
		t.Errorf("told: %q", told)
	}
}

// Where nobody is told it stays, and is nobody's order: neither followed nor copied.
func TestWhatIsDamagedIsNotRead(t *testing.T) {
	path, into, copied := keptIn(t, 1200), newFile(t), filepath.Join(t.TempDir(), "copy")
	for i := range 300 { // of two records each, which is more than a page
		change(t, path, fmt.Sprintf(`"vm-%d"`, i), fmt.Sprintf(`"wm-%d"`, i))
	}
	text := check(t, path, 600)
	if strings.Count(text, "record ") != 8 || !strings.Contains(text, "and 592 more") {
		t.Errorf("it says %s", text)
	}
	s := open(t, path, requests.Options{})
	if n := held(t, s); n != 600 {
		t.Errorf("%d are followed, want 600", n)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	check(t, path, 600)
	if err := requests.CopyTo(t.Context(), path, copied); err != nil {
		t.Fatal(err)
	}
	if err := requests.Add(t.Context(), into, copied); err != nil {
		t.Fatal(err)
	}
	check(t, into, 0)
	if n := held(t, open(t, into, requests.Options{})); n != 600 {
		t.Errorf("%d were added, want 600", n)
	}
}

// former makes a file as builds before checksums did, with so many records.
func former(t *testing.T, n int) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "requests.db")
	conn, err := sqlite.OpenConn(path, sqlite.OpenReadWrite|sqlite.OpenCreate)
	if err != nil {
		t.Fatal(err)
	}
	err = sqlitex.ExecuteScript(conn, `
		CREATE TABLE requests (id INTEGER PRIMARY KEY, name BLOB NOT NULL UNIQUE, data BLOB NOT NULL) STRICT;
		CREATE TABLE log (id TEXT NOT NULL) STRICT; INSERT INTO log VALUES ('01aa');
		PRAGMA application_id = 0x53614e72; PRAGMA user_version = 1;`, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		r := storetest.Request(i)
		name := sha256.Sum256([]byte(r.Name()))
		err := sqlitex.Execute(conn, `INSERT INTO requests VALUES (?, ?, ?)`, &sqlitex.ExecOptions{
			Args: []any{1 + 2*i, name[:16], request.Encode(r)},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// A file of a build before is read, checked, copied and added, and what can't be read in it is put
// aside.
func TestAFileOfABuildBefore(t *testing.T) {
	path := former(t, 1000)
	check(t, path, 0)
	change(t, path, `"payment":"ln-`+fmt.Sprintf("%064x", 4), `"payment":"ln-`+fmt.Sprintf("%064x", 0xff4))
	check(t, path, 1)
	into, copied := newFile(t), filepath.Join(t.TempDir(), "copy")
	if err := requests.CopyTo(t.Context(), path, copied); err != nil {
		t.Fatal(err)
	}
	check(t, copied, 1)
	if err := requests.Add(t.Context(), into, copied); err != nil {
		t.Fatal(err)
	}
	check(t, into, 0)
	var told []string
	for i, p := range []string{path, copied, into, path} {
		s := open(t, p, requests.Options{Log: "01aa", Told: func(text string) { told = append(told, text) }})
		if n := held(t, s); n != 999 {
			t.Errorf("%d: %d records are there, want 999", i, n)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		check(t, p, 0)
	}
	if len(told) != 2 || !strings.Contains(told[0], "record 9") {
		t.Errorf("told: %q", told)
	}
	change(t, path, `"payment":"ln-`+fmt.Sprintf("%064x", 5), `"payment":"ln-`+fmt.Sprintf("%064x", 7))
	check(t, path, 1) // since it has checksums now
}
