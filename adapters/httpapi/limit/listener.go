package limit

import "net"

// Listener closes connections beyond a quota as soon as they come: memory is bounded by
// how many are open, whatever they do.
type Listener struct {
	net.Listener
	Open    *Quota
	Refused func() // is called for each connection that is closed so
}

// Accept implements [net.Listener].
func (l *Listener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		leave, err := l.Open.Enter(AddressOf(c.RemoteAddr().String()))
		if err == nil {
			return &conn{c, leave}, nil
		}
		l.Refused()
		_ = c.Close() // nothing was sent that could be lost
	}
}

// conn leaves its quota when it is closed.
type conn struct {
	net.Conn
	leave func()
}

// Close implements [net.Conn].
func (c *conn) Close() error {
	c.leave()
	return c.Conn.Close()
}

// CloseWrite tells the client that nothing more comes, while what it sends still does.
func (c *conn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}
