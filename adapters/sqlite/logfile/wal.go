package logfile

import (
	"cmp"
	"errors"
	"time"

	"zombiezen.com/go/sqlite"
)

const (
	WALPage = 4096      // bytes in a page
	walSoft = 32 << 20  // bytes in the WAL after which they are moved into the file
	walHard = 256 << 20 // bytes after which the writer waits for readers to do so
)

// WAL bounds the write-ahead log. Only what is committed and no reader still needs can
// be moved; readers take short pages, so that this is soon all.
type WAL struct {
	Soft  int // bytes after which they are moved into the file; 0 is 32 MiB
	bytes int // about what was written since the last move
	left  int // bytes that a reader kept from being moved
}

// Grew counts what a commit wrote, and the pages that every commit touches.
func (w *WAL) Grew(bytes int) { w.bytes += bytes + bytes/8 + 3*WALPage }

// Due reports whether the WAL is long enough to be moved.
func (w *WAL) Due() bool { return w.Holds(cmp.Or(w.Soft, walSoft)) }

// Holds reports whether about so many bytes were written since it was moved.
func (w *WAL) Holds(bytes int) bool { return w.bytes >= bytes }

// Checkpoint moves the WAL into the file.
func (w *WAL) Checkpoint(conn *sqlite.Conn) {
	mode := `PRAGMA wal_checkpoint(PASSIVE)`
	if w.left > walHard {
		mode = `PRAGMA wal_checkpoint(RESTART)`
		conn.SetBusyTimeout(time.Second)
		defer conn.SetBusyTimeout(BusyTimeout)
	}
	w.move(conn, mode) // it is tried again when as much again was written
}

// Truncate moves all of it and leaves the WAL empty.
func (w *WAL) Truncate(conn *sqlite.Conn) error {
	return w.move(conn, `PRAGMA wal_checkpoint(TRUNCATE)`)
}

func (w *WAL) move(conn *sqlite.Conn, mode string) error {
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
		w.left = int(stmt.ColumnInt64(1)-stmt.ColumnInt64(2)) * WALPage
	}
	return err
}
