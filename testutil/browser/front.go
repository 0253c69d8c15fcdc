package browser

import (
	"errors"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
)

// Front stands before a daemon, as nginx does: at a path prefix, if it is given one. It can be cut off.
type Front struct {
	URL string // with the prefix

	server *http.Server
	lines  *lines
	done   chan struct{}
	mu     sync.Mutex
	proxy  http.Handler // nil before To
}

// NewFront returns a front at a free address, for a daemon that [Front.To] names.
func NewFront(prefix string) (*Front, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	f := &Front{URL: "http://" + l.Addr().String() + prefix, lines: &lines{Listener: l}, done: make(chan struct{})}
	f.server = &http.Server{Handler: f.under(prefix), ReadHeaderTimeout: Patience}
	go func() {
		defer close(f.done)
		_ = f.server.Serve(f.lines) // until it is closed
	}()
	return f, nil
}

// To has the front answer with what the daemon at a URL answers.
func (f *Front) To(daemon string) error {
	target, err := url.Parse(daemon)
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.proxy = &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Host = r.In.Host
			r.SetXForwarded()
		},
		FlushInterval: -1, // what is streamed is passed on at once
	}
	return nil
}

// under answers what lies under the prefix alone.
func (f *Front) under(prefix string) http.Handler {
	return http.StripPrefix(prefix, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		proxy := f.proxy
		f.mu.Unlock()
		if proxy == nil || !strings.HasPrefix(r.URL.Path, "/") {
			http.Error(w, "nothing is here", http.StatusBadGateway)
			return
		}
		proxy.ServeHTTP(w, r)
	}))
}

// Cut breaks all connections, and each new one until [Front.Mend].
func (f *Front) Cut() { f.lines.cut(true) }

// Mend lets connections live again.
func (f *Front) Mend() { f.lines.cut(false) }

// Close ends the front.
func (f *Front) Close() error {
	err := f.server.Close()
	<-f.done
	return err
}

// lines are the connections of a front.
type lines struct {
	net.Listener

	mu     sync.Mutex // guards what follows
	broken bool
	open   map[net.Conn]struct{}
}

// Accept implements [net.Listener].
func (l *lines) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if l.enter(c) {
			return &line{c, l}, nil
		}
		_ = c.Close() // as it is cut off
	}
}

func (l *lines) enter(c net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.broken {
		return false
	}
	if l.open == nil {
		l.open = map[net.Conn]struct{}{}
	}
	l.open[c] = struct{}{}
	return true
}

func (l *lines) cut(broken bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.broken = broken
	if broken {
		for c := range l.open {
			_ = c.Close() // its reader is told
		}
	}
}

// line is a connection that is counted.
type line struct {
	net.Conn
	of *lines
}

// Close implements [net.Conn].
func (c *line) Close() error {
	c.of.mu.Lock()
	defer c.of.mu.Unlock()
	delete(c.of.open, c.Conn)
	if err := c.Conn.Close(); !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}
