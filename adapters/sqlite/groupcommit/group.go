package groupcommit

import (
	"fmt"

	"sandglass/adapters/sqlite/logfile"
	"sandglass/domain/instant"
	"sandglass/domain/stream"

	"zombiezen.com/go/sqlite"
)

const (
	sqlInsert = `INSERT INTO events (position, stream, revision, type, at, recorded_at, id, data, meta)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`
	sqlInsertType = `INSERT INTO types (name) VALUES (?) RETURNING id`
	sqlLast       = `SELECT revision FROM places WHERE stream = ? ORDER BY revision DESC LIMIT 1`
	sqlPlace      = `SELECT position FROM places WHERE stream = ? AND revision = ?`
	sqlID         = `SELECT id FROM events WHERE position = ?`
	sqlFindID     = `SELECT 1 FROM places p CROSS JOIN events e ON e.position = p.position
		WHERE p.stream = ? AND e.id = ? LIMIT 1`
	sqlHasOwnIDs = `SELECT 1 FROM own_ids WHERE stream = ?`
	sqlAddOwnIDs = `INSERT OR IGNORE INTO own_ids VALUES (?)`
)

// group is one transaction of appends: what it has written so far.
type group struct {
	w        *Writer
	next     stream.Position
	recorded instant.Time
	bytes    int
	runs     map[string]logfile.Run // by stream
	types    map[string]int64       // that are new
	ownIDs   bool
}

// write decides each request on what the log holds after those before it, and commits.
// An error is that of all requests, and nothing was written.
func (g *group) write(requests []*request) error {
	g.runs = make(map[string]logfile.Run, len(requests))
	return g.transact(func() error {
		for _, r := range requests {
			if err := g.decide(r); err != nil {
				return err
			}
		}
		return nil
	})
}

// transact commits what do writes, if it returns no error. It looks before whether the
// file is the writer's alone, so as not to write to another's, and again before anybody is
// answered: what was committed to a file that is gone meanwhile is lost.
func (g *group) transact(do func() error) error {
	if g.types = map[string]int64{}; g.runs == nil {
		g.runs = map[string]logfile.Run{}
	}
	if err := logfile.Begin(g.w.conn); err != nil {
		return writeError(err)
	}
	if err := g.w.checkHold(); err != nil {
		logfile.Rollback(g.w.conn)
		return err
	}
	if err := do(); err != nil {
		logfile.Rollback(g.w.conn)
		return writeError(err)
	}
	end := logfile.Commit
	if g.next == g.w.next {
		end = logfile.Rollback // nothing was written: conflicts and retries
	}
	if err := end(g.w.conn); err != nil {
		logfile.Rollback(g.w.conn)
		return writeError(err)
	}
	return g.w.hold.Check()
}

// decide appends r or says why not in r; its error is one of SQLite.
func (g *group) decide(r *request) error {
	last, err := g.last(r.stream)
	if err != nil {
		return err
	}
	if r.expected != last {
		return g.retry(r, last)
	}
	if dup, err := g.duplicate(r); err != nil || dup {
		return err
	}
	for i := range r.events {
		if err := g.insert(r, i); err != nil {
			return err
		}
	}
	r.res = stream.Appended{Revision: last + stream.Revision(len(r.events)), Position: g.next - 1}
	return nil
}

// last returns the revision at which the stream ends.
func (g *group) last(name string) (stream.Revision, error) {
	if run, ok := g.runs[name]; ok {
		return run.Next() - 1, nil
	}
	if run := g.w.tail.Of(name); len(run.Positions) > 0 {
		return run.Next() - 1, nil
	}
	last := stream.NoStream
	err := g.query(sqlLast, func(s *sqlite.Stmt) { s.BindText(1, name) }, func(s *sqlite.Stmt) {
		last = stream.Revision(s.ColumnInt64(0))
	})
	return last, err
}

// retry answers an append that does not follow the last event: as it was answered before
// if its events stand where they would have been put, and else with ErrWrongRevision.
func (g *group) retry(r *request, last stream.Revision) error {
	if r.expected+stream.Revision(len(r.events)) > last {
		r.err = wrongRevision(r, last)
		return nil
	}
	var position stream.Position
	for i, e := range r.events {
		var id stream.EventID
		var err error
		if id, position, err = g.at(r.stream, r.expected+1+stream.Revision(i)); err != nil {
			return err
		}
		if id != e.ID {
			r.err = wrongRevision(r, last)
			return nil
		}
	}
	r.res = stream.Appended{Revision: r.expected + stream.Revision(len(r.events)), Position: position}
	return nil
}

// at returns the id and position of the event at a revision that the stream has.
func (g *group) at(name string, revision stream.Revision) (id stream.EventID, position stream.Position, err error) {
	for _, run := range []logfile.Run{g.runs[name], g.w.tail.Of(name)} {
		if len(run.Positions) > 0 && run.First <= revision && revision < run.Next() {
			position = run.Positions[revision-run.First]
		}
	}
	if position == 0 {
		err = g.query(sqlPlace, func(s *sqlite.Stmt) {
			s.BindText(1, name)
			s.BindInt64(2, int64(revision))
		}, func(s *sqlite.Stmt) { position = stream.Position(s.ColumnInt64(0)) })
	}
	if err == nil {
		err = g.query(sqlID, func(s *sqlite.Stmt) { s.BindInt64(1, logfile.Bindable(position)) }, func(s *sqlite.Stmt) {
			s.ColumnBytes(0, id[:])
		})
	}
	return id, position, err
}

// duplicate reports whether the stream holds one of r's ids. An id that follows
// from the stream, the revision and the event stands at no other revision, unless somebody
// put it there with an id of their own making: only a stream that has such ids is searched.
func (g *group) duplicate(r *request) (bool, error) {
	own := r.ownIDs
	if !own && (g.ownIDs || g.w.ownIDs) {
		err := g.query(sqlHasOwnIDs, func(s *sqlite.Stmt) { s.BindText(1, r.stream) }, func(*sqlite.Stmt) { own = true })
		if err != nil {
			return false, err
		}
	}
	if !own {
		return false, nil
	}
	for i, e := range r.events {
		found, err := g.find(r.stream, e.ID)
		if err != nil {
			return false, err
		}
		if found {
			r.err = fmt.Errorf("sqlite: %s, event %d, %s: %w", r.stream, i, e.ID, stream.ErrDuplicateID)
			return true, nil
		}
	}
	if r.ownIDs {
		g.ownIDs = true
		return false, g.query(sqlAddOwnIDs, func(s *sqlite.Stmt) { s.BindText(1, r.stream) }, nil)
	}
	return false, nil
}

// find reports whether the stream holds the id, by looking at all of its events.
func (g *group) find(name string, id stream.EventID) (found bool, err error) {
	err = g.query(sqlFindID, func(s *sqlite.Stmt) {
		s.BindText(1, name)
		s.BindBytes(2, id[:])
	}, func(*sqlite.Stmt) { found = true })
	for _, run := range []logfile.Run{g.w.tail.Of(name), g.runs[name]} {
		for _, position := range run.Positions {
			if found || err != nil {
				return found, err
			}
			err = g.query(sqlID, func(s *sqlite.Stmt) { s.BindInt64(1, logfile.Bindable(position)) }, func(s *sqlite.Stmt) {
				var there stream.EventID
				s.ColumnBytes(0, there[:])
				found = there == id
			})
		}
	}
	return found, err
}

// insert writes the i-th event of r.
func (g *group) insert(r *request, i int) error {
	e := &r.events[i]
	typ, err := g.typeID(e.Type)
	if err != nil {
		return err
	}
	err = g.query(sqlInsert, func(s *sqlite.Stmt) {
		s.BindInt64(1, logfile.Bindable(g.next))
		s.BindText(2, r.stream)
		s.BindInt64(3, int64(r.expected)+1+int64(i))
		s.BindInt64(4, typ)
		s.BindInt64(5, int64(e.At))
		s.BindInt64(6, int64(g.recorded))
		s.BindBytes(7, e.ID[:])
		s.BindBytes(8, e.Data)
		s.BindBytes(9, e.Meta)
	}, nil)
	if err != nil {
		return err
	}
	run, ok := g.runs[r.stream]
	if !ok {
		run.First = r.expected + 1
	}
	run.Positions = append(run.Positions, g.next)
	g.runs[r.stream] = run
	g.bytes += len(e.Data) + len(e.Meta) + len(r.stream) + 64
	g.next++
	return nil
}

// typeID returns the number of a type, which it adds to the file if it is new.
func (g *group) typeID(name string) (id int64, err error) {
	if id, ok := g.w.types.ID(name); ok {
		return id, nil
	}
	if id, ok := g.types[name]; ok {
		return id, nil
	}
	err = g.query(sqlInsertType, func(s *sqlite.Stmt) { s.BindText(1, name) }, func(s *sqlite.Stmt) {
		id = s.ColumnInt64(0)
	})
	if err == nil && id > logfile.TypesMax {
		err = fmt.Errorf("sqlite: %d types of events: there is room for no more", logfile.TypesMax)
	}
	g.types[name] = id
	return id, err
}

// query runs a prepared statement and calls row, if not nil, for each row.
func (g *group) query(query string, bind, row func(*sqlite.Stmt)) error {
	s, err := g.w.conn.Prepare(query)
	if err != nil {
		return err
	}
	defer s.Reset()
	bind(s)
	for {
		more, err := s.Step()
		if err != nil || !more {
			return err
		}
		if row != nil {
			row(s)
		}
	}
}
