package logfile

import (
	"fmt"
	"maps"
	"slices"
	"sync"

	"sandglass/domain/stream"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// Run is where consecutive events of one stream stand. Its positions are only appended to.
type Run struct {
	First     stream.Revision
	Positions []stream.Position
}

// Next returns the revision that follows.
func (r Run) Next() stream.Revision { return r.First + stream.Revision(len(r.Positions)) }

// Tail finds the durable events that places does not hold yet.
type Tail struct {
	mu   sync.RWMutex
	runs map[string]Run
	n    int
}

// NewTail returns a tail that holds nothing.
func NewTail() *Tail { return &Tail{runs: map[string]Run{}} }

// Of returns the run of a stream: empty if the tail holds none of its events.
func (t *Tail) Of(name string) Run {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.runs[name]
}

// Len returns how many events the tail holds. Only the writer may ask.
func (t *Tail) Len() int { return t.n }

// Add enters runs that follow what is there.
func (t *Tail) Add(runs map[string]Run) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for name, r := range runs {
		t.n += len(r.Positions)
		if old, ok := t.runs[name]; ok {
			r = Run{old.First, append(old.Positions, r.Positions...)}
		}
		t.runs[name] = r
	}
}

// Load reads from the file what places does not hold. It finds the end of the log whole:
// positions follow each other from the last that places holds, and revisions those of places.
// What a restored file and the WAL of another make together mostly is not.
func (t *Tail) Load(conn *sqlite.Conn) error {
	indexed, err := QueryInt(conn, `SELECT indexed FROM log`)
	if err != nil {
		return err
	}
	head, err := Head(conn)
	if err == nil && int64(head) < indexed {
		err = fmt.Errorf("it ends at position %d, and ended at %d or later before: its last events are missing", head, indexed)
	}
	if err != nil {
		return err
	}
	const query = `SELECT position, stream, revision FROM events WHERE position > (SELECT indexed FROM log) ORDER BY position`
	err = sqlitex.Execute(conn, query, &sqlitex.ExecOptions{ResultFunc: func(s *sqlite.Stmt) error {
		position, name, revision := stream.Position(s.ColumnInt64(0)), s.ColumnText(1), stream.Revision(s.ColumnInt64(2))
		if want := stream.Position(indexed) + stream.Position(t.n) + 1; position != want {
			return fmt.Errorf("position %d is followed by %d: events are missing", want-1, position)
		}
		return t.load(position, name, revision)
	}})
	if err != nil {
		return err
	}
	return t.follows(conn)
}

// load adds one event of the file.
func (t *Tail) load(position stream.Position, name string, revision stream.Revision) error {
	r, ok := t.runs[name]
	if !ok {
		r.First = revision
	}
	if r.Next() != revision {
		return fmt.Errorf("%s has revision %d where %d should follow", name, revision, r.Next())
	}
	r.Positions = append(r.Positions, position)
	t.runs[name] = r
	t.n++
	return nil
}

// follows checks that each stream goes on where places leaves it.
func (t *Tail) follows(conn *sqlite.Conn) error {
	const query = `SELECT coalesce(max(revision), -1) + 1 FROM places WHERE stream = ?`
	for name, r := range t.runs {
		var next stream.Revision
		err := sqlitex.Execute(conn, query, &sqlitex.ExecOptions{Args: []any{name}, ResultFunc: func(s *sqlite.Stmt) error {
			next = stream.Revision(s.ColumnInt64(0))
			return nil
		}})
		if err != nil {
			return err
		}
		if next != r.First {
			return fmt.Errorf("%s has revision %d where %d should follow", name, r.First, next)
		}
	}
	return nil
}

// Flush enters the tail in places, in the order of its key, and empties it. A reader that
// looked at the tail before finds the same in places afterwards.
func (t *Tail) Flush(conn *sqlite.Conn) error {
	if t.n == 0 {
		return nil
	}
	if err := t.write(conn); err != nil {
		Rollback(conn)
		return fmt.Errorf("sqlite: entering the last events in places: %w", err)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.runs, t.n = make(map[string]Run, len(t.runs)), 0
	return nil
}

func (t *Tail) write(conn *sqlite.Conn) error {
	if err := Begin(conn); err != nil {
		return err
	}
	insert, err := conn.Prepare(`INSERT INTO places (stream, revision, position) VALUES (?, ?, ?)`)
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(t.runs)) { // only the writer changes runs
		r := t.runs[name]
		insert.BindText(1, name)
		for i, position := range r.Positions {
			insert.BindInt64(2, int64(r.First)+int64(i))
			insert.BindInt64(3, Bindable(position))
			if _, err := insert.Step(); err != nil {
				return err
			}
			if err := insert.Reset(); err != nil {
				return err
			}
		}
	}
	if err := Exec(conn, `UPDATE log SET indexed = (SELECT max(position) FROM events)`); err != nil {
		return err
	}
	return Commit(conn)
}
