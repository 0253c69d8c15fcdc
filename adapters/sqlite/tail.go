package sqlite

import (
	"fmt"
	"maps"
	"slices"
	"sync"

	"sandglass/domain/stream"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// tailMax is how many events the tail holds before they are entered in places: more
// cost memory and make Open slower, fewer dirty more pages per event.
const tailMax = 8192

// run is where consecutive events of one stream stand. Its positions are only appended to.
type run struct {
	first     stream.Revision
	positions []stream.Position
}

func (r run) next() stream.Revision { return r.first + stream.Revision(len(r.positions)) }

// tail finds the durable events that places does not hold yet.
type tail struct {
	mu   sync.RWMutex
	runs map[string]run
	n    int
}

func newTail() *tail { return &tail{runs: map[string]run{}} }

// of returns the run of a stream: empty if the tail holds none of its events.
func (t *tail) of(name string) run {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.runs[name]
}

// add enters runs that follow what is there.
func (t *tail) add(runs map[string]run) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for name, r := range runs {
		t.n += len(r.positions)
		if old, ok := t.runs[name]; ok {
			r = run{old.first, append(old.positions, r.positions...)}
		}
		t.runs[name] = r
	}
}

// load reads from the file what places does not hold.
func (t *tail) load(conn *sqlite.Conn) error {
	const query = `SELECT position, stream, revision FROM events WHERE position > (SELECT indexed FROM log) ORDER BY position`
	return sqlitex.Execute(conn, query, &sqlitex.ExecOptions{ResultFunc: func(s *sqlite.Stmt) error {
		position, name, revision := stream.Position(s.ColumnInt64(0)), s.ColumnText(1), stream.Revision(s.ColumnInt64(2))
		r, ok := t.runs[name]
		if !ok {
			r.first = revision
		}
		if r.next() != revision {
			return fmt.Errorf("sqlite: %s has revision %d where %d should follow", name, revision, r.next())
		}
		r.positions = append(r.positions, position)
		t.runs[name] = r
		t.n++
		return nil
	}})
}

// flush enters the tail in places, in the order of its key, and empties it. A reader that
// looked at the tail before finds the same in places afterwards.
func (t *tail) flush(conn *sqlite.Conn) error {
	if t.n == 0 {
		return nil
	}
	if err := t.write(conn); err != nil {
		rollback(conn)
		return fmt.Errorf("sqlite: entering the last events in places: %w", err)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.runs, t.n = make(map[string]run, len(t.runs)), 0
	return nil
}

func (t *tail) write(conn *sqlite.Conn) error {
	if err := exec(conn, sqlBegin); err != nil {
		return err
	}
	insert, err := conn.Prepare(`INSERT INTO places (stream, revision, position) VALUES (?, ?, ?)`)
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(t.runs)) { // only the writer changes runs
		r := t.runs[name]
		insert.BindText(1, name)
		for i, position := range r.positions {
			insert.BindInt64(2, int64(r.first)+int64(i))
			insert.BindInt64(3, bindable(position))
			if _, err := insert.Step(); err != nil {
				return err
			}
			if err := insert.Reset(); err != nil {
				return err
			}
		}
	}
	if err := exec(conn, `UPDATE log SET indexed = (SELECT max(position) FROM events)`); err != nil {
		return err
	}
	return exec(conn, sqlCommit)
}
