package groupcommit

import (
	"fmt"

	"sandglass/adapters/sqlite/logfile"
	"sandglass/domain/stream"
)

const (
	// It changes when another connection commits, and also when another one empties the WAL.
	sqlVersion = `PRAGMA data_version`
	sqlIndexed = `SELECT indexed FROM log`
)

// checkHold returns an error that wraps [stream.ErrReadOnly] if the file is not this
// writer's alone: it is another one, or somebody else has written to it. In a transaction
// that writes nobody can, until it ends.
func (w *Writer) checkHold() error {
	if err := w.hold.Check(); err != nil {
		return err
	}
	version, err := w.queryInt(sqlVersion)
	if err != nil || version == w.version {
		return err
	}
	head, err := logfile.Head(w.conn)
	if err != nil {
		return err
	}
	indexed, err := w.queryInt(sqlIndexed)
	if err != nil {
		return err
	}
	last := w.next - 1
	if head != last || stream.Position(indexed) != last-stream.Position(w.tail.Len()) {
		return w.hold.Lose(fmt.Errorf("another program wrote to the log %s: it ends at position %d (indexed to %d) and "+
			"this daemon's at %d: stop that program, then restart the daemon", w.path, head, indexed, last))
	}
	w.version = version
	return nil
}

// queryInt is [logfile.QueryInt] by a statement that is kept: it runs at each commit.
func (w *Writer) queryInt(query string) (int64, error) {
	s, err := w.conn.Prepare(query)
	if err != nil {
		return 0, writeError(err)
	}
	defer s.Reset()
	if _, err := s.Step(); err != nil {
		return 0, writeError(err)
	}
	return s.ColumnInt64(0), nil
}
