package httpapi

import (
	"context"
	"net/http"
	"sync"
	"time"

	"sandglass/adapters/httpapi/limit"
	"sandglass/adapters/httpapi/middleware"
	"sandglass/adapters/httpapi/problem"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
)

// sender writes a stream to its client. Each write has a deadline of its own, so that a
// client that does not read is dropped, and a stream may last.
type sender struct {
	mu       sync.Mutex // of whole sends
	w        http.ResponseWriter
	c        *http.ResponseController
	patience time.Duration
}

// Write implements [io.Writer].
func (s *sender) Write(b []byte) (int, error) {
	_ = s.c.SetWriteDeadline(time.Now().Add(s.patience)) // not every server has deadlines
	return s.w.Write(b)
}

// send writes b and flushes it to the client.
func (s *sender) send(b []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.Write(b); err != nil {
		return err
	}
	return s.c.Flush()
}

// beat sends b again and again, beside what is sent otherwise, until it is stopped.
func (s *sender) beat(b []byte, every time.Duration) (stop func()) {
	ended, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		t := time.NewTicker(every)
		defer t.Stop()
		for {
			select {
			case <-ended:
				return
			case <-t.C:
				_ = s.send(b) // that the client is gone, ctx tells
			}
		}
	}()
	return func() { close(ended); <-done }
}

// streaming returns the answer to a request as a stream, which body writes until it
// returns. Its ctx ends with the client, and with the server. An error of body is of
// ours: the stream is broken off, so that nobody takes it for whole.
func (s *Server) streaming(content string, done func(), body func(ctx context.Context, w *sender) error) *huma.StreamResponse {
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		defer done()
		hr, w := humago.Unwrap(hc)
		out := &sender{w: w, c: http.NewResponseController(w), patience: s.Limits.Write}
		_ = out.c.SetReadDeadline(time.Time{}) // the client has nothing more to say, and may stay
		hc.SetHeader("Content-Type", content)
		hc.SetHeader("X-Accel-Buffering", "no") // for a proxy that would hold events back
		hc.SetStatus(http.StatusOK)
		if hr.Method == http.MethodHead {
			return
		}
		ctx, cancel := context.WithCancel(hr.Context())
		defer cancel()
		defer context.AfterFunc(s.stopping, cancel)()
		if err := body(ctx, out); err != nil {
			middleware.RequestOf(hr.Context()).Abort(err)
		}
	}}
}

// admit counts one more stream of the client, until done. A caller with the
// operator's token or the auditor's is trusted not to open too many.
func (s *Server) admit(r *middleware.Request) (done func(), p *problem.Problem) {
	if r.Caller.Auditor {
		return func() {}, nil
	}
	done, err := s.live.Enter(r.Addr)
	switch err {
	case nil:
		return done, nil
	case limit.ErrAddressFull:
		p = problem.New(http.StatusTooManyRequests, "too_many_streams",
			"your address has %d streams open, which are the most: close one first", s.Limits.LivePer)
		p.Retry = 15 * time.Second
	default:
		p = problem.New(http.StatusServiceUnavailable, "too_many_streams",
			"all %d streams are in use: try again later, or ask GET /v1/resources/{id} now and then", s.Limits.Live)
		p.Retry = 30 * time.Second
	}
	p.Close = true // a client that wanted a stream shall not stay without one
	return nil, p
}
