package sqlite_test

import (
	"bufio"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"sandglass/adapters/sqlite"
	"sandglass/domain/stream"

	zombiezen "zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// The variables that make the test binary another process, which opens the log that is named.
const (
	lockPath  = "SANDGLASS_TEST_LOCK"
	shellPath = "SANDGLASS_TEST_SHELL"
)

// childLock says on its first line what opening the log came to, and holds what it opened
// until its input ends.
func childLock(path string) int {
	s, err := sqlite.Open(path, sqlite.Options{Now: wallClock, FreeSpaceFloor: -1})
	fmt.Println(strings.ReplaceAll(fmt.Sprint(err), "\n", " "))
	if err != nil {
		return 0
	}
	bufio.NewReader(os.Stdin).ReadByte()
	if s.Close() != nil {
		return 1
	}
	return 0
}

// childShell reads the log as any program with SQLite may, if its parent has SQLite's lock.
func childShell(path string) int {
	if err := lockedBySQLite(path); err != nil {
		fmt.Println(err)
		return 1
	}
	conn, err := zombiezen.OpenConn(path, zombiezen.OpenReadWrite)
	if err == nil {
		err = errors.Join(sqlitex.ExecuteTransient(conn, `SELECT count(*) FROM events`, nil), conn.Close())
	}
	if err != nil {
		fmt.Println(err)
		return 1
	}
	return 0
}

// lockedBySQLite looks for the lock that each connection of another process keeps.
func lockedBySQLite(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	shared := syscall.Flock_t{Type: syscall.F_WRLCK, Start: 1<<30 + 2, Len: 510}
	if err := syscall.FcntlFlock(f.Fd(), syscall.F_GETLK, &shared); err != nil {
		return err
	}
	if shared.Type == syscall.F_UNLCK {
		return errors.New("no process has SQLite's lock")
	}
	return nil
}

// elsewhere opens the log in another process and returns what that came to, and what ends
// that process.
func elsewhere(t *testing.T, path string) (said string, end func()) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), lockPath+"="+path)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	said, err = bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(said), func() {
		in.Close()
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	}
}

// otherNames give the log at path another name.
var otherNames = map[string]func(t *testing.T, path string) string{
	"its own name": func(_ *testing.T, path string) string { return path },
	"its own name, what was beside it removed": func(_ *testing.T, path string) string {
		os.Remove(path + "-lock")
		return path
	},
	"a symlink": func(t *testing.T, path string) string {
		link := filepath.Join(t.TempDir(), "link")
		must(t, os.Symlink(path, link))
		return link
	},
	"a symlink to its folder": func(t *testing.T, path string) string {
		link := filepath.Join(t.TempDir(), "link")
		must(t, os.Symlink(filepath.Dir(path), link))
		return filepath.Join(link, filepath.Base(path))
	},
	"a hard link": func(t *testing.T, path string) string {
		must(t, os.Link(path, path+".link"))
		return path + ".link"
	},
	"a mount of it": func(t *testing.T, path string) string {
		at := filepath.Join(t.TempDir(), "mounted")
		must(t, os.WriteFile(at, nil, 0o600))
		if err := syscall.Mount(path, at, "", syscall.MS_BIND, ""); err != nil {
			t.Skipf("mounting the file: %v", err)
		}
		t.Cleanup(func() { syscall.Unmount(at, syscall.MNT_DETACH) })
		return at
	},
}

func TestOneWriterByWhateverName(t *testing.T) {
	for name, other := range otherNames {
		t.Run(name, func(t *testing.T) {
			path := newLog(t)
			s := openLog(t, path, sqlite.Options{})
			must(t, appendOne(s, stream.NoStream))
			link := other(t, path)
			before, err := os.ReadDir(filepath.Dir(link))
			must(t, err)
			if _, err := sqlite.Open(link, sqlite.Options{Now: wallClock}); err == nil ||
				!strings.Contains(err.Error(), "open for writing already") {
				t.Errorf("in this process: %v", err)
			}
			said, end := elsewhere(t, link)
			if end(); !strings.Contains(said, "open for writing already") {
				t.Errorf("in another process: %s", said)
			}
			if after, _ := os.ReadDir(filepath.Dir(link)); len(after) != len(before) {
				t.Errorf("%d files are beside the refused log, %d were", len(after), len(before))
			}
			must(t, appendOne(s, 0))
			must(t, s.Close())
			said, end = elsewhere(t, link)
			if end(); said != "<nil>" {
				t.Errorf("after the first left: %s", said)
			}
		})
	}
}

func TestRefusedWhileAnotherProcessWrites(t *testing.T) {
	for name, other := range otherNames {
		t.Run(name, func(t *testing.T) {
			path := newLog(t)
			said, end := elsewhere(t, path)
			defer end()
			if said != "<nil>" {
				t.Fatal(said)
			}
			s, err := sqlite.Open(other(t, path), sqlite.Options{Now: wallClock})
			if err == nil {
				s.Close()
				t.Fatal("it opens")
			}
			ro, err := sqlite.OpenReadOnly(path)
			must(t, err)
			must(t, ro.Close())
		})
	}
}

// TestSQLitesLocksAreKept: a process whose second writer was refused, or whose reader or
// writer left, still has SQLite's own locks. Without them the last connection of another
// process deletes the WAL, unless its SQLite is a new one.
func TestSQLitesLocksAreKept(t *testing.T) {
	path := newLog(t)
	s := openLog(t, path, sqlite.Options{})
	must(t, appendOne(s, stream.NoStream))
	if _, err := sqlite.Open(path, sqlite.Options{Now: wallClock}); err == nil {
		t.Error("a second writer")
	}
	shell(t, path)
	ro, err := sqlite.OpenReadOnly(path)
	must(t, err)
	must(t, ro.Close())
	shell(t, path)
	ro, err = sqlite.OpenReadOnly(path)
	must(t, err)
	must(t, s.Close())
	shell(t, path)
	said, end := elsewhere(t, path) // refused here, as it is written there
	if said != "<nil>" {
		t.Error(said)
	}
	if _, err := sqlite.Open(path, sqlite.Options{Now: wallClock}); err == nil {
		t.Error("a second writer of another process")
	}
	end()
	shell(t, path)
	must(t, ro.Close())
}

// shell opens and closes the log in another process, as sqlite3 does, while it is open here.
func shell(t *testing.T, path string) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), shellPath+"="+path)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

func TestReplacedLogIsNoticedBeforeAnAnswer(t *testing.T) {
	backup := newLog(t)
	for name, c := range map[string]struct {
		change func(t *testing.T, path string)
		want   string
	}{
		"renamed over": {func(t *testing.T, path string) {
			must(t, os.Rename(copyOf(t, backup, path+".new"), path))
		}, "was replaced by another file"},
		"moved away": {func(t *testing.T, path string) {
			must(t, os.Rename(path, path+".old"))
		}, "was moved away or deleted"},
		"its WAL deleted": {func(t *testing.T, path string) {
			must(t, os.Remove(path+"-wal"))
		}, "-wal, with the last events of the log, was moved away or deleted"},
		"appended to by another program": {func(t *testing.T, path string) {
			sql(t, path, `INSERT INTO events
				SELECT position + 1, stream, revision + 1, type, at, recorded_at, randomblob(16), data, meta FROM events`)
		}, "another program wrote to the log"},
		"its places written by another program": {func(t *testing.T, path string) {
			sql(t, path, `INSERT INTO places SELECT stream, revision, position FROM events; UPDATE log SET indexed = 1`)
		}, "another program wrote to the log"},
	} {
		t.Run(name, func(t *testing.T) {
			path := newLog(t)
			s, err := sqlite.Open(path, sqlite.Options{Now: wallClock, FreeSpaceFloor: -1})
			must(t, err)
			defer s.Close()
			must(t, appendOne(s, stream.NoStream))
			c.change(t, path)
			for range 2 {
				err := appendOne(s, 0)
				if !errors.Is(err, stream.ErrReadOnly) || !strings.Contains(err.Error(), c.want) ||
					!strings.Contains(err.Error(), "start the daemon") || !strings.Contains(err.Error(), path) {
					t.Errorf("append: %v", err)
				}
			}
			if err := appendOne(s, stream.NoStream); !errors.Is(err, stream.ErrReadOnly) {
				t.Errorf("a retry of what was answered: %v", err)
			}
			if err := s.Writable(); !errors.Is(err, stream.ErrReadOnly) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("writable: %v", err)
			}
			before := contents(t, filepath.Dir(path))
			must(t, s.Close())
			if after := contents(t, filepath.Dir(path)); !maps.Equal(before, after) {
				t.Error("closing changed the files that somebody put there")
			}
		})
	}
}

// contents returns what the files of a folder hold.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	entries, err := os.ReadDir(dir)
	must(t, err)
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		must(t, err)
		files[e.Name()] = string(b)
	}
	return files
}

// copyOf writes one file over another, which keeps its inode.
func copyOf(t *testing.T, from, to string) string {
	t.Helper()
	b, err := os.ReadFile(from)
	must(t, err)
	must(t, os.WriteFile(to, b, 0o600))
	return to
}

// TestReadersBesideAWriterDoNotStopIt has others do what changes no event.
func TestReadersBesideAWriterDoNotStopIt(t *testing.T) {
	path := newLog(t)
	s := openLog(t, path, sqlite.Options{}.Hasty())
	last := stream.NoStream
	for _, script := range []string{
		`SELECT count(*) FROM readable`,
		fmt.Sprintf(`VACUUM INTO '%s'`, filepath.Join(t.TempDir(), "copy")),
		`CREATE TABLE somebody_elses (x)`,
	} {
		statement(t, path, script)
		shell(t, path)
		for range 200 { // past moves of the WAL, which write the file
			must(t, appendOne(s, last))
			last++
		}
		if err := s.Writable(); err != nil {
			t.Error(err)
		}
	}
}
