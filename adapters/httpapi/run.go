package httpapi

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"strings"
	"time"

	"sandglass/adapters/httpapi/limit"

	"github.com/rs/zerolog"
)

// Handler returns what answers requests, for a server of the caller's own. [Server.Run]
// adds the bounds of connections and the timeouts that go with it.
func (s *Server) Handler() http.Handler { return s.handler }

// Run serves on l until ctx ends. It then ends the streams, waits for the requests that
// are under way, for [Limits].Drain at most, and returns nil. It runs once.
func (s *Server) Run(ctx context.Context, l net.Listener) error {
	perAddress := s.Limits.ConnsPer
	if s.TrustProxy {
		perAddress = s.Limits.Conns
	}
	return s.serve(ctx, l, s.Handler(), limit.NewQuota(s.Limits.Conns, perAddress))
}

// RunMetrics serves GET /metrics and /readyz on l as Run serves the rest, in full to whoever
// reaches it: no token is asked for.
func (s *Server) RunMetrics(ctx context.Context, l net.Listener) error {
	const conns = 16 // a Prometheus keeps one
	return s.serve(ctx, l, s.daemon.Pages(), limit.NewQuota(conns, conns))
}

func (s *Server) serve(ctx context.Context, l net.Listener, h http.Handler, open *limit.Quota) error {
	srv := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       s.Limits.Request,
		WriteTimeout:      2 * s.Limits.Request,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          log.New(serverLog{s.Log}, "", 0),
	}
	served := make(chan error, 1)
	go func() {
		served <- srv.Serve(&limit.Listener{
			Listener: l,
			Open:     open,
			Refused:  s.metrics.refused.Inc,
		})
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
