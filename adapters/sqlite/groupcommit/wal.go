package groupcommit

import (
	"errors"
	"time"

	"sandglass/adapters/sqlite/logfile"

	"zombiezen.com/go/sqlite"
)

const (
	walPage = 4096
	walSoft = 32 << 20  // bytes in the WAL after which they are moved into the file
	walHard = 256 << 20 // bytes after which the writer waits for readers to do so
)

// wal bounds the write-ahead log. Only what is committed and no reader still needs can
// be moved; readers take short pages, so that this is soon all.
type wal struct {
	soft  int
	bytes int // about what was written since the last move
	left  int // bytes that a reader kept from being moved
}

// grew counts what a commit wrote, and the pages that every commit touches.
func (w *wal) grew(bytes int) { w.bytes += bytes + bytes/8 + 3*walPage }

// due reports whether the WAL is long enough to be moved.
func (w *wal) due() bool { return w.bytes >= w.soft }

// checkpoint moves the WAL into the file.
func (w *wal) checkpoint(conn *sqlite.Conn) {
	mode := `PRAGMA wal_checkpoint(PASSIVE)`
	if w.left > walHard {
		mode = `PRAGMA wal_checkpoint(RESTART)`
		conn.SetBusyTimeout(time.Second)
		defer conn.SetBusyTimeout(logfile.BusyTimeout)
	}
	w.move(conn, mode) // it is tried again when as much again was written
}

// truncate moves all of it and leaves the WAL empty.
func (w *wal) truncate(conn *sqlite.Conn) error {
	return w.move(conn, `PRAGMA wal_checkpoint(TRUNCATE)`)
}

func (w *wal) move(conn *sqlite.Conn, mode string) error {
	w.bytes = 0
	stmt, err := conn.Prepare(mode)
	if err != nil {
		return err
	}
	defer stmt.Reset()
	row, err := stmt.Step() // busy, frames in the WAL, frames moved
	if err == nil && !row {
		err = errors.New("sqlite: the checkpoint gave no answer")
	}
	if err == nil {
		w.left = int(stmt.ColumnInt64(1)-stmt.ColumnInt64(2)) * walPage
	}
	return err
}
