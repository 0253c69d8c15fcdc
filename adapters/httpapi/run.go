package httpapi

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/rs/zerolog"
)

// Handler returns what answers requests, for a server of the caller's own. [Server.Run]
// adds the bounds of connections and the timeouts that go with it.
func (s *Server) Handler() http.Handler { return http.HandlerFunc(s.serve) }

// Run serves on l until ctx ends. It then ends the streams, waits for the requests that
// are under way, for [Limits].Drain at most, and returns nil. It runs once.
func (s *Server) Run(ctx context.Context, l net.Listener) error {
	srv := &http.Server{
		Handler:           s.Handler(),
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       s.Limits.Request,
		WriteTimeout:      2 * s.Limits.Request,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          log.New(serverLog{s.Log}, "", 0),
	}
	perAddress := s.Limits.ConnsPer
	if s.TrustProxy {
		perAddress = s.Limits.Conns
	}
	served := make(chan error, 1)
	go func() {
		served <- srv.Serve(&listener{Listener: l, open: newQuota(s.Limits.Conns, perAddress), refused: s.metrics.refused.Inc})
	}()
	select {
	case err := <-served:
		s.stop()
		return fmt.Errorf("httpapi: serving: %w", errors.Join(err, srv.Close()))
	case <-ctx.Done():
	}
	s.stop()
	err := s.drain(srv)
	<-served
	return err
}

// drain waits for the requests under way, and cuts off those that take too long.
func (s *Server) drain(srv *http.Server) error {
	ctx, cancel := context.WithTimeout(context.Background(), s.Limits.Drain)
	defer cancel()
	err := srv.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		s.Log.Warn().Dur("after", s.Limits.Drain).Msg("requests were cut off at the end")
		err = srv.Close()
	}
	if err != nil {
		return fmt.Errorf("httpapi: shutting down: %w", err)
	}
	return nil
}

// listener closes connections beyond a quota as soon as they come: memory is bounded by
// how many are open, whatever they do.
type listener struct {
	net.Listener
	open    *quota
	refused func()
}

// Accept implements [net.Listener].
func (l *listener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		leave, err := l.open.enter(addressOf(c.RemoteAddr().String()))
		if err == nil {
			return &conn{c, leave}, nil
		}
		l.refused()
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

// addressOf returns the address that limits are counted by: an IPv4 address, or the /64
// of an IPv6 one, of which a client has as many addresses as it wants. What is neither,
// such as the name of a socket, counts as one address.
func addressOf(s string) netip.Addr {
	a, err := netip.ParseAddr(s)
	if err != nil {
		p, err := netip.ParseAddrPort(s)
		if err != nil {
			return netip.Addr{}
		}
		a = p.Addr()
	}
	a = a.Unmap().WithZone("")
	if a.Is6() {
		p, _ := a.Prefix(64) // 64 bits are within an IPv6 address
		return p.Addr()
	}
	return a
}

// serverLog takes what net/http has to say. Only what is about accepting connections
// tells the operator something; the rest is about single clients, with their addresses.
type serverLog struct{ zerolog.Logger }

// Write implements [io.Writer].
func (l serverLog) Write(b []byte) (int, error) {
	if text := strings.TrimSpace(string(b)); strings.HasPrefix(text, "http: Accept error") {
		l.Warn().Msg(text)
	}
	return len(b), nil
}
