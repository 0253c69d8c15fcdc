package sqlite

import (
	"context"
	"errors"
	"fmt"

	"sandglass/adapters/sqlite/logfile"
	"sandglass/domain/instant"
	"sandglass/domain/stream"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

const (
	// Each event up to indexed has one place, which is its own.
	sqlPlacesLack = `SELECT (SELECT count(*) FROM events WHERE position <= (SELECT indexed FROM log))
		- (SELECT count(*) FROM places)`
	sqlPlacesErr = `SELECT count(*) FROM places p LEFT JOIN events e ON e.position = p.position
		WHERE e.stream IS NOT p.stream OR e.revision IS NOT p.revision`
)

// Verify reads the whole log, which takes about a second for a million events, and says
// what is wrong with it: pages that SQLite finds damaged, positions and revisions that are
// missing or twice, an id twice in a stream, times running backwards, events that Read would miss.
// It compares the log with itself: whether somebody rewrote it is not seen here.
func (s *Store) Verify(ctx context.Context) error {
	err := s.readers.use(ctx, s.closing, func(r *reader) error {
		defer r.conn.SetInterrupt(r.conn.SetInterrupt(ctx.Done()))
		return errors.Join(s.verifyFile(r.conn), s.verifyPlaces(r.conn))
	})
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		return fmt.Errorf("sqlite: %s is damaged: restore a backup: %w", s.path, err)
	}
	if err := s.verifyEvents(ctx); err != nil {
		return fmt.Errorf("sqlite: %s: %w", s.path, err)
	}
	return nil
}

func (s *Store) verifyFile(conn *sqlite.Conn) error {
	var found []error
	err := sqlitex.Execute(conn, `PRAGMA integrity_check`, &sqlitex.ExecOptions{ResultFunc: func(s *sqlite.Stmt) error {
		if line := s.ColumnText(0); line != "ok" {
			found = append(found, errors.New(line))
		}
		return nil
	}})
	return errors.Join(append(found, err)...)
}

func (s *Store) verifyPlaces(conn *sqlite.Conn) error {
	lack, err := logfile.QueryInt(conn, sqlPlacesLack)
	if err == nil && lack != 0 {
		err = fmt.Errorf("places lacks %d events", lack)
	}
	wrong, err2 := logfile.QueryInt(conn, sqlPlacesErr)
	if err2 == nil && wrong != 0 {
		err2 = fmt.Errorf("places has %d events elsewhere than the log", wrong)
	}
	return errors.Join(err, err2)
}

// verifyEvents reads the events as a subscriber does, up to the present head.
func (s *Store) verifyEvents(ctx context.Context) error {
	head, err := s.Head(ctx)
	if err != nil || head == 0 {
		return err
	}
	v := verifier{next: map[string]stream.Revision{}, own: map[idIn]bool{}}
	for recs, err := range s.Subscribe(ctx, 0) {
		if err != nil {
			return err
		}
		for i := range recs {
			if err := v.check(&recs[i]); err != nil {
				return fmt.Errorf("position %d: %w: restore a backup", recs[i].Position, err)
			}
		}
		if recs[len(recs)-1].Position >= head {
			return nil
		}
	}
	return ctx.Err()
}

type idIn struct {
	stream string
	id     stream.EventID
}

// verifier compares each event with those before it. Of ids it keeps those that
// do not follow from the content: the others can't be twice in a stream but by one of these.
type verifier struct {
	next     map[string]stream.Revision
	own      map[idIn]bool
	position stream.Position
	recorded instant.Time
}

func (v *verifier) check(r *stream.Record) error {
	id := idIn{r.Stream, r.ID}
	switch {
	case r.Position != v.position+1:
		return fmt.Errorf("it follows position %d: events are missing", v.position)
	case r.Revision != v.next[r.Stream]:
		return fmt.Errorf("%s has revision %d where %d should follow", r.Stream, r.Revision, v.next[r.Stream])
	case r.RecordedAt < v.recorded:
		return fmt.Errorf("it was recorded at %s, the event before at %s", r.RecordedAt, v.recorded)
	case v.own[id]:
		return fmt.Errorf("%s has the id %s twice", r.Stream, r.ID)
	}
	if !stream.Follows(r.Stream, r.Revision, r.Event) {
		v.own[id] = true
	}
	v.next[r.Stream], v.position, v.recorded = r.Revision+1, r.Position, r.RecordedAt
	return nil
}
