package sqlite

import (
	"context"

	"sandglass/adapters/sqlite/logfile"

	"zombiezen.com/go/sqlite"
)

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
	hold *logfile.Hold // on the file that path named when the store was opened
	free chan *reader
}

func newPool(path string, hold *logfile.Hold) *pool {
	p := &pool{path: path, hold: hold, free: make(chan *reader, poolSize)}
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
		conn, err := logfile.OpenReader(p.path)
		if err != nil {
			return err
		}
		if err := p.hold.Check(); err != nil { // else some readers would read another log
			conn.Close()
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
