// Package feed answers with streams, which last as long as their clients want, or the server.
//
// A stream shows that it lives, so that nobody between takes it for dead; a client that does
// not read is dropped. What is in it, and who may have one, is for the calls to say.
package feed

import (
	"context"
	"io"
	"net/http"
	"sync"
	"time"

	"sandglass/adapters/httpapi/middleware"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
)

// Writer writes a stream to its client. Each write has a deadline of its own, so that a
// client that does not read is dropped, and a stream may last.
type Writer struct {
	mu       sync.Mutex // of whole sends
	w        http.ResponseWriter
	c        *http.ResponseController
	patience time.Duration
}

// Write implements [io.Writer].
func (w *Writer) Write(b []byte) (int, error) {
	_ = w.c.SetWriteDeadline(time.Now().Add(w.patience)) // not every server has deadlines
	return w.w.Write(b)
}

// Send writes b and flushes it to the client. It may be called by several goroutines, and is
// an error if the client is gone.
func (w *Writer) Send(b []byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(b) > 0 {
		if _, err := w.Write(b); err != nil {
			return err
		}
	}
	return w.c.Flush()
}

// Beat sends b again and again, beside what is sent otherwise, until it is stopped.
func (w *Writer) Beat(b []byte, every time.Duration) (stop func()) {
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
				_ = w.Send(b) // that the client is gone, ctx tells
			}
		}
	}()
	return func() { close(ended); <-done }
}

// Until returns a writer that fails once ctx has ended.
func (w *Writer) Until(ctx context.Context) io.Writer {
	return until{ctx, w}
}

type until struct {
	ctx context.Context
	w   *Writer
}

// Write implements [io.Writer].
func (u until) Write(b []byte) (int, error) {
	if err := u.ctx.Err(); err != nil {
		return 0, err
	}
	return u.w.Write(b)
}

// Answer returns the answer to a request as a stream, which body writes until it returns. Its
// ctx ends with the client, and with stopping; a write may take as long as patience. done is
// called at the end. An error of body is of ours: the stream is broken off, so that nobody
// takes it for whole.
func Answer(
	stopping context.Context, patience time.Duration, content string, done func(), body func(context.Context, *Writer) error,
) *huma.StreamResponse {
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		defer done()
		hr, w := humago.Unwrap(hc)
		out := &Writer{w: w, c: http.NewResponseController(w), patience: patience}
		_ = out.c.SetReadDeadline(time.Time{}) // the client has nothing more to say, and may stay
		hc.SetHeader("Content-Type", content)
		hc.SetHeader("X-Accel-Buffering", "no") // for a proxy that would hold events back
		hc.SetStatus(http.StatusOK)
		if hr.Method == http.MethodHead {
			return
		}
		ctx, cancel := context.WithCancel(hr.Context())
		defer cancel()
		defer context.AfterFunc(stopping, cancel)()
		if err := body(ctx, out); err != nil {
			middleware.RequestOf(hr.Context()).Abort(err)
		}
	}}
}
