// Package logfile is the file of SQLite that holds a log: its schema, its lock, its
// connections, and what finds an event in it.
//
// The table events is the log. The table places, by which the events of a stream are
// found, lags behind it: the [Tail] holds in memory what places lacks. Types of events
// are stored as numbers, whose names [Types] keeps. The one goroutine that writes changes
// both, after its commit; any number of readers use them meanwhile.
//
// What is appended, and how it is read, is left to others.
package logfile

import (
	"errors"
	"fmt"
	"math"
	"time"

	"sandglass/domain/stream"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// ErrClosed says that the log was closed.
var ErrClosed = errors.New("sqlite: the log is closed")

// BusyTimeout is how long a statement waits for a lock of another process, such as a
// shell or a backup.
const BusyTimeout = 5 * time.Second

const (
	writerSettings = `PRAGMA cache_size=-16384;` // MakeDurable sets more
	readerSettings = `PRAGMA query_only=ON; PRAGMA cache_size=-2048;`
)

// OpenWriter returns a connection that appends.
func OpenWriter(path string) (*sqlite.Conn, error) {
	return openConn(path, sqlite.OpenReadWrite, writerSettings)
}

// durability is what makes a commit durable when it returns. synchronous=FULL is enough in
// WAL mode alone. The WAL is moved by us, not in a COMMIT.
var durability = []struct{ pragma, value, got, advice string }{
	{"journal_mode", "WAL", "wal", "put the log on a local disk, and let no other program have it open meanwhile"},
	{"synchronous", "FULL", "2", "SQLite is not as this build knows it"},
	{"wal_autocheckpoint", "0", "0", "SQLite is not as this build knows it"},
}

// MakeDurable sets what durability needs, and reads each setting back: SQLite leaves the
// mode of the journal as it is, without an error, where it can't change it. Only of a
// log, which [Identify] tells: a mode is kept in the file.
func MakeDurable(conn *sqlite.Conn, path string) error {
	for _, d := range durability {
		if err := execAll(conn, "PRAGMA "+d.pragma+"="+d.value); err != nil {
			return fmt.Errorf("sqlite: %s: setting %s to %s: %s: %w", path, d.pragma, d.value, d.advice, err)
		}
		var got string
		err := sqlitex.ExecuteTransient(conn, "PRAGMA "+d.pragma, &sqlitex.ExecOptions{ResultFunc: func(s *sqlite.Stmt) error {
			got = s.ColumnText(0)
			return nil
		}})
		if err != nil {
			return Unreadable(path, err)
		}
		if got != d.got {
			return fmt.Errorf("sqlite: %s has %s %q and not %s, so that what is answered could be lost: %s",
				path, d.pragma, got, d.value, d.advice)
		}
	}
	return nil
}

// OpenReader returns a connection that only reads.
func OpenReader(path string) (*sqlite.Conn, error) {
	return openConn(path, sqlite.OpenReadOnly, readerSettings)
}

func openConn(path string, mode sqlite.OpenFlags, settings string) (*sqlite.Conn, error) {
	conn, err := sqlite.OpenConn(path, mode)
	if err != nil {
		return nil, Unreadable(path, err)
	}
	conn.SetBusyTimeout(BusyTimeout)
	if err := execAll(conn, settings); err != nil {
		conn.Close()
		return nil, Unreadable(path, err)
	}
	return conn, nil
}

// execAll runs statements outside of any transaction.
func execAll(conn *sqlite.Conn, script string) error {
	for script != "" {
		stmt, rest, err := conn.PrepareTransient(script)
		if err != nil {
			return err
		}
		for row := true; row && err == nil; {
			row, err = stmt.Step()
		}
		stmt.Finalize()
		if err != nil {
			return err
		}
		script = script[len(script)-rest:]
	}
	return nil
}

// Exec runs a prepared statement that returns no rows.
func Exec(conn *sqlite.Conn, query string) error {
	stmt, err := conn.Prepare(query)
	if err != nil {
		return err
	}
	_, err = stmt.Step()
	stmt.Reset() // its error is that of Step
	return err
}

// QueryInt returns the one integer that query yields, 0 if it yields none.
func QueryInt(conn *sqlite.Conn, query string) (n int64, err error) {
	err = sqlitex.Execute(conn, query, &sqlitex.ExecOptions{ResultFunc: func(s *sqlite.Stmt) error {
		n = s.ColumnInt64(0)
		return nil
	}})
	return n, err
}

// Head returns the position of the last event, 0 if there is none.
func Head(conn *sqlite.Conn) (stream.Position, error) {
	head, err := QueryInt(conn, `SELECT coalesce(max(position), 0) FROM events`)
	return stream.Position(head), err
}

// Begin begins a transaction that writes.
func Begin(conn *sqlite.Conn) error { return Exec(conn, `BEGIN IMMEDIATE`) }

// Commit ends a transaction: what it wrote is on the disk then.
func Commit(conn *sqlite.Conn) error { return Exec(conn, `COMMIT`) }

// Rollback leaves no transaction open. SQLite has ended it itself after some errors.
func Rollback(conn *sqlite.Conn) error {
	if conn.AutocommitEnabled() {
		return nil
	}
	return Exec(conn, `ROLLBACK`)
}

// WriteError says what went wrong with a write, and whether it was for lack of space.
func WriteError(err error) error {
	if sqlite.ErrCode(err).ToPrimary() == sqlite.ResultFull {
		return fmt.Errorf("%w: the disk is full: make room: %w", stream.ErrReadOnly, err)
	}
	return fmt.Errorf("sqlite: writing: %w", err)
}

// Bindable returns n as the integers of SQLite reach: positions above are none.
func Bindable(n stream.Position) int64 { return int64(min(n, math.MaxInt64)) }
