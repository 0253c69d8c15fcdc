package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"time"

	"github.com/cenkalti/backoff/v5"
)

const (
	silence  = time.Minute // of a stream, on which the daemon gives a sign of life every 15 s
	firstTry = 100 * time.Millisecond
	lastTry  = 5 * time.Second // between tries, but for what the daemon asks for
	maxAsked = time.Minute     // of a Retry-After
)

// Resuming returns the same client whose streams are read on when they break: [Client.Live],
// and [Client.Events] after the last position that was yielded, without end, later each time
// and at random. A stream that never was there is an error as before, and so is a refusal
// that asking again would not change. broken is told of each break, and how long it is until
// the next try.
func (c *Client) Resuming(broken func(lost error, wait time.Duration)) *Client {
	d := *c
	d.broken = broken
	return &d
}

// resume yields what read does, which tells when its connection is there, and reads again
// when that breaks.
func resume[T any](ctx context.Context, c *Client, read func(opened func()) iter.Seq2[T, error]) iter.Seq2[T, error] {
	if c.broken == nil {
		return read(func() {})
	}
	return func(yield func(T, error) bool) {
		wait := backoff.NewExponentialBackOff() // half of it is random
		wait.InitialInterval, wait.MaxInterval = firstTry, lastTry
		ever := false
		for {
			var v T
			var lost error
			for v, lost = range read(func() { ever = true }) {
				if lost != nil {
					break
				}
				wait.Reset()
				if !yield(v, nil) {
					return
				}
			}
			if lost == nil {
				return
			}
			if ctx.Err() == nil && ever && !final(lost) {
				lost = c.pause(ctx, lost, wait.NextBackOff())
			}
			if lost != nil {
				yield(v, lost)
				return
			}
		}
	}
}

// pause tells of a break and lets some time pass.
func (c *Client) pause(ctx context.Context, lost error, d time.Duration) error {
	if p, ok := errors.AsType[*Problem](lost); ok {
		d += min(p.RetryAfter, maxAsked)
	}
	c.broken(lost, d)
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// final reports whether the daemon refused for good: asking again would change nothing.
func final(err error) bool {
	p, ok := errors.AsType[*Problem](err)
	return ok && p.Status < 500 && p.Status != http.StatusTooManyRequests && p.Status != http.StatusRequestTimeout
}

// errSilent says that a connection is there, and its other end most likely is not.
var errSilent = fmt.Errorf("nothing came for %s, not even a sign of life", silence)

// watched is a body whose silence ends its request. Time that its reader takes is none.
type watched struct {
	io.ReadCloser
	ctx   context.Context
	quiet *time.Timer
}

// Read implements [io.Reader].
func (w *watched) Read(p []byte) (int, error) {
	w.quiet.Reset(silence)
	n, err := w.ReadCloser.Read(p)
	w.quiet.Stop()
	if err != nil && context.Cause(w.ctx) == errSilent {
		err = errSilent
	}
	return n, err
}
