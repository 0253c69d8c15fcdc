// Package stall is a listener whose connections can be kept open and silent, as those of a
// network are that forgot them.
package stall

import (
	"net"
	"sync"
)

// Listener can stall its connections: they stay open, and nothing goes through.
type Listener struct {
	net.Listener

	mu    sync.Mutex
	going chan struct{} // closed while nothing is stalled
}

// New returns a listener on another one, with nothing stalled.
func New(l net.Listener) *Listener {
	going := make(chan struct{})
	close(going)
	return &Listener{Listener: l, going: going}
}

// Stall lets nothing through from now on, or everything again.
func (l *Listener) Stall(on bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case <-l.going:
		if on {
			l.going = make(chan struct{})
		}
	default:
		if !on {
			close(l.going)
		}
	}
}

func (l *Listener) gate() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.going
}

// Accept implements [net.Listener].
func (l *Listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &conn{Conn: c, l: l, closed: make(chan struct{})}, nil
}

type conn struct {
	net.Conn
	l      *Listener
	once   sync.Once
	closed chan struct{}
}

func (c *conn) wait() error {
	select {
	case <-c.l.gate():
		return nil
	case <-c.closed:
		return net.ErrClosed
	}
}

// Read implements [net.Conn]. What came during a stall is not read before its end.
func (c *conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if waited := c.wait(); waited != nil {
		return 0, waited
	}
	return n, err
}

// Write implements [net.Conn].
func (c *conn) Write(p []byte) (int, error) {
	if err := c.wait(); err != nil {
		return 0, err
	}
	return c.Conn.Write(p)
}

// Close implements [net.Conn].
func (c *conn) Close() error {
	c.once.Do(func() { close(c.closed) })
	return c.Conn.Close()
}
