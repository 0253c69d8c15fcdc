package sqlite

import (
	"context"
	"time"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// busyTimeout is how long a statement waits for a lock of another process, such as a
// shell or a backup.
const busyTimeout = 5 * time.Second

func openConn(path string, mode sqlite.OpenFlags, settings string) (*sqlite.Conn, error) {
	conn, err := sqlite.OpenConn(path, mode)
	if err != nil {
		return nil, unreadable(path, err)
	}
	conn.SetBusyTimeout(busyTimeout)
	if err := execAll(conn, settings); err != nil {
		conn.Close()
		return nil, unreadable(path, err)
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

// exec runs a prepared statement that returns no rows.
func exec(conn *sqlite.Conn, query string) error {
	stmt, err := conn.Prepare(query)
	if err != nil {
		return err
	}
	_, err = stmt.Step()
	stmt.Reset() // its error is that of Step
	return err
}

// queryInt returns the one integer that query yields, 0 if it yields none.
func queryInt(conn *sqlite.Conn, query string) (n int64, err error) {
	err = sqlitex.Execute(conn, query, &sqlitex.ExecOptions{ResultFunc: func(s *sqlite.Stmt) error {
		n = s.ColumnInt64(0)
		return nil
	}})
	return n, err
}

// poolSize bounds the reads at one time. A read is a page: it is soon over, and holds
// neither a connection nor a view of the file while its caller works or waits.
const poolSize = 4

// reader is a connection that reads, with storage that it uses again.
type reader struct {
	conn  *sqlite.Conn
	names []byte
	cuts  []cut
}

// pool holds the readers; a nil one is not open yet.
type pool struct {
	path string
	free chan *reader
}

func newPool(path string) *pool {
	p := &pool{path: path, free: make(chan *reader, poolSize)}
	for range poolSize {
		p.free <- nil
	}
	return p
}

// use calls f with a reader. It waits for one until ctx ends or closing is closed.
func (p *pool) use(ctx context.Context, closing <-chan struct{}, f func(*reader) error) error {
	var r *reader
	select {
	case <-closing:
		return ErrClosed
	default:
	}
	select {
	case r = <-p.free:
	case <-ctx.Done():
		return ctx.Err()
	case <-closing:
		return ErrClosed
	}
	defer func() { p.free <- r }()
	if r == nil {
		conn, err := openConn(p.path, sqlite.OpenReadOnly, readerSettings)
		if err != nil {
			return err
		}
		r = &reader{conn: conn}
	}
	return f(r)
}

// close waits for the readers that are in use and closes all.
func (p *pool) close() {
	for range poolSize {
		if r := <-p.free; r != nil {
			r.conn.Close() // nothing was written
		}
	}
}
