package sqlite_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"sandglass/adapters/sqlite"
	"sandglass/domain/instant"
	"sandglass/domain/stream"
	"sandglass/testutil/storetest"
)

// foreign returns n records of another log: of five streams in turn, recorded a moment
// after each other, at positions that have gaps.
func foreign(n int) []stream.Record {
	recs := make([]stream.Record, n)
	for i := range recs {
		name, rev := fmt.Sprintf("toy-%d", i%5), stream.Revision(i/5)
		recs[i] = stream.Record{
			Event: storetest.Events(name, rev-1, "from afar", 1)[0], Stream: name, Revision: rev,
			Position: stream.Position(10 * (i + 1)), RecordedAt: 1_700_000_000_000 + instant.Time(i/3),
		}
	}
	return recs
}

// all returns the records of a log, with the positions of the log that they came from.
func all(t testing.TB, s *sqlite.Store) []stream.Record {
	t.Helper()
	head, err := s.Head(ctx)
	if err != nil {
		t.Fatal(err)
	}
	var recs []stream.Record
	for head > 0 && len(recs) < int(head) {
		for run, err := range s.Subscribe(ctx, stream.Position(len(recs))) {
			if err != nil {
				t.Fatal(err)
			}
			recs = append(recs, run...)
			break
		}
	}
	for i := range recs {
		if recs[i].Position != stream.Position(i+1) {
			t.Fatalf("record %d stands at position %d", i, recs[i].Position)
		}
		recs[i].Position *= 10
	}
	return recs
}

func same(a, b []stream.Record) bool {
	return slices.EqualFunc(a, b, func(a, b stream.Record) bool { return reflect.DeepEqual(a, b) })
}

func TestImportKeepsAll(t *testing.T) {
	path := newLog(t)
	clock := storetest.NewClock()
	s := openLog(t, path, sqlite.Options{Now: clock.Now}.Hasty())
	recs := foreign(1000)
	recs[17].ID = stream.EventID{1} // one that was not made by us
	for from := 0; from < len(recs); from += 170 {
		if err := s.Import(ctx, recs[from:min(from+200, len(recs))]); err != nil { // they overlap
			t.Fatal(err)
		}
	}
	if got := all(t, s); !same(got, recs) {
		t.Errorf("%d records, want the %d that were imported", len(got), len(recs))
	}
	clock.Set(0) // before all that is there
	res, err := s.Append(ctx, "toy-0", 199, storetest.Events("toy-0", 199, "mine", 1))
	if err != nil || res.Position != 1001 {
		t.Fatalf("an append afterwards: %+v, %v", res, err)
	}
	for rec, err := range s.Read(ctx, "toy-0", 200) {
		if err != nil || rec.RecordedAt != recs[999].RecordedAt {
			t.Errorf("recorded at %s, %v", rec.RecordedAt, err)
		}
	}
	if err := s.Import(ctx, recs); err != nil {
		t.Errorf("all of it again: %v", err)
	}
	if err := errors.Join(s.Close(), openLog(t, path, sqlite.Options{}).Verify(ctx)); err != nil {
		t.Error(err)
	}
}

// TestImportIsAllOrNothing has a last record that is refused, behind others that are not.
func TestImportIsAllOrNothing(t *testing.T) {
	change := func(f func(*stream.Record)) func([]stream.Record) []stream.Record {
		return func(recs []stream.Record) []stream.Record { f(&recs[len(recs)-1]); return recs }
	}
	tooMany := func([]stream.Record) []stream.Record { return foreign(sqlite.MaxImport + 1) }
	tooLarge := func([]stream.Record) []stream.Record {
		recs := foreign(600)
		for i := range recs {
			recs[i].Data, recs[i].Meta = make([]byte, stream.MaxData), make([]byte, stream.MaxData)
		}
		return recs
	}
	for name, c := range map[string]struct {
		change func([]stream.Record) []stream.Record
		want   error // nil: another
		text   string
	}{
		"a revision too far": {
			change(func(r *stream.Record) { r.Revision++ }),
			stream.ErrWrongRevision,
			"toy-4 ends at revision 4, not 5",
		},
		"another event": {
			change(func(r *stream.Record) { r.Revision -= 2 }),
			stream.ErrWrongRevision,
			"toy-4 revision 3 is another event",
		},
		"recorded too early": {
			change(func(r *stream.Record) { r.RecordedAt -= 2 }),
			nil,
			"one that holds nothing else",
		},
		"an id of before": {
			change(func(r *stream.Record) { r.ID = foreign(30)[24].ID }),
			stream.ErrDuplicateID,
			"",
		},
		"no revision": {
			change(func(r *stream.Record) { r.Revision = -1 }),
			stream.ErrInvalid,
			"position 300",
		},
		"no name": {
			change(func(r *stream.Record) { r.Stream = "toy 4" }),
			stream.ErrInvalid,
			"",
		},
		"recorded in no time": {
			change(func(r *stream.Record) { r.RecordedAt = instant.Max + 1 }),
			stream.ErrInvalid,
			"recorded_at",
		},
		"too many":  {tooMany, stream.ErrInvalid, "at most 8192"},
		"too large": {tooLarge, stream.ErrInvalid, "bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			s := openLog(t, newLog(t), sqlite.Options{})
			recs := foreign(30)
			if err := s.Import(ctx, recs[:20]); err != nil {
				t.Fatal(err)
			}
			err := s.Import(ctx, c.change(foreign(30)))
			if err == nil || c.want != nil && !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.text) {
				t.Errorf("got %v", err)
			}
			if n := count(t, s); n != 20 || s.Writable() != nil {
				t.Errorf("%d events are there, want 20; writable: %v", n, s.Writable())
			}
			if err := s.Import(ctx, recs); err != nil || !same(all(t, s), recs) {
				t.Errorf("what is right, afterwards: %v", err)
			}
		})
	}
}

// TestImportFailsBothWays fails in SQLite, and loses its answer; then it is done again.
func TestImportFailsBothWays(t *testing.T) {
	path := newLog(t)
	s := openLog(t, path, sqlite.Options{}.Probing(time.Hour))
	recs := foreign(40)
	if err := s.Import(ctx, recs[:15]); err != nil {
		t.Fatal(err)
	}
	if err := s.WriterSQL(refuseRevision4); err != nil {
		t.Fatal(err)
	}
	if err := s.Import(ctx, recs); err == nil || !errors.Is(s.Writable(), stream.ErrReadOnly) || count(t, s) != 15 {
		t.Errorf("lost: %v; writable: %v, %d events", err, s.Writable(), count(t, s))
	}
	if err := s.WriterSQL(`DROP TRIGGER refuse`); err != nil {
		t.Fatal(err)
	}
	if err := s.Import(ctx, recs); err != nil { // its answer is lost
		t.Fatal(err)
	}
	if err := s.Import(ctx, recs); err != nil || s.Writable() != nil || !same(all(t, s), recs) {
		t.Errorf("again: %v, %d events", err, count(t, s))
	}
}

func TestImportIsRefused(t *testing.T) {
	path := newLog(t)
	s := openLog(t, path, sqlite.Options{})
	ended, end := context.WithCancel(ctx)
	end()
	if err := s.Import(ended, foreign(5)); !errors.Is(err, context.Canceled) || len(all(t, s)) != 0 {
		t.Errorf("a context that has ended: %v", err)
	}
	if err := s.Import(ctx, nil); err != nil {
		t.Errorf("nothing at all: %v", err)
	}
	s.Close()
	if err := s.Import(ctx, foreign(5)); !errors.Is(err, sqlite.ErrClosed) {
		t.Errorf("closed: %v", err)
	}
	ro, err := sqlite.OpenReadOnly(path)
	if err != nil {
		t.Fatal(err)
	}
	defer ro.Close()
	if err := ro.Import(ctx, foreign(5)); !errors.Is(err, stream.ErrReadOnly) {
		t.Errorf("read-only: %v", err)
	}
}

// TestWritableAgainWithoutAnAppend mends what failed, upon which the store says so by
// itself: a caller that asks first appends only then.
func TestWritableAgainWithoutAnAppend(t *testing.T) {
	s := openLog(t, newLog(t), sqlite.Options{}.Probing(time.Millisecond))
	for _, sql := range []string{
		`CREATE TEMP TRIGGER refuse BEFORE INSERT ON events BEGIN SELECT RAISE(ROLLBACK, 'refused'); END`,
		`CREATE TEMP TRIGGER probe BEFORE UPDATE ON log BEGIN SELECT RAISE(ROLLBACK, 'refused'); END`,
	} {
		if err := s.WriterSQL(sql); err != nil {
			t.Fatal(err)
		}
	}
	_, err := s.Append(ctx, "toy-1", stream.NoStream, storetest.Events("toy-1", stream.NoStream, "x", 1))
	if err == nil || s.Writable() == nil {
		t.Fatalf("append: %v, writable: %v", err, s.Writable())
	}
	for _, name := range []string{"refuse", "probe"} {
		if err := s.WriterSQL(`DROP TRIGGER ` + name); err != nil {
			t.Fatal(err)
		}
	}
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for late := time.After(time.Minute); s.Writable() != nil; {
		select {
		case <-tick.C:
		case <-late:
			t.Fatal(s.Writable())
		}
	}
	if recs := all(t, s); len(recs) != 0 {
		t.Errorf("%d events", len(recs))
	}
}

// importPath is the variable that makes the test binary the child of TestKilledImport.
const importPath = "SANDGLASS_TEST_IMPORT"

const importBatch = 100

// childImport imports records from their beginning, whatever is there, with a line for
// each batch, until it is killed or all of them are there.
func childImport(path string) int {
	s, err := sqlite.Open(path, sqlite.Options{Now: wallClock, FreeSpaceFloor: -1}.Hasty())
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	recs := foreign(20_000)
	for from := 0; from < len(recs); from += importBatch {
		if err := s.Import(context.Background(), recs[from:from+importBatch]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		fmt.Println(from + importBatch)
	}
	return 0
}

func TestKilledImport(t *testing.T) {
	t.Parallel()
	path := newLog(t)
	recs := foreign(20_000)
	for round := range 5 {
		acknowledged, stderr := killImport(t, path, 2+4*round)
		s := openLog(t, path, sqlite.Options{FreeSpaceFloor: -1})
		got := all(t, s)
		if stderr != "" || len(got) < acknowledged || len(got)%importBatch != 0 || !same(got, recs[:len(got)]) {
			t.Fatalf("kill %d: %d records are there, %d were acknowledged, in whole batches and the first ones of all: %s",
				round, len(got), acknowledged, stderr)
		}
		if err := errors.Join(s.Verify(ctx), s.Close()); err != nil {
			t.Fatal(err)
		}
		t.Logf("kill %d: %d records, %d were acknowledged", round, len(got), acknowledged)
	}
}

// killImport kills a child after some lines, and returns how many records it had
// acknowledged by then.
func killImport(t *testing.T, path string, lines int) (acknowledged int, stderr string) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), importPath+"="+path)
	var text strings.Builder
	cmd.Stderr = &text
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for in := bufio.NewScanner(out); in.Scan(); lines-- {
		acknowledged, _ = strconv.Atoi(in.Text())
		if lines == 0 {
			cmd.Process.Kill()
		}
	}
	cmd.Wait()
	return acknowledged, text.String()
}
