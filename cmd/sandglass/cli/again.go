package cli

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"sandglass/adapters/httpapi/client"
	"sandglass/cmd/sandglass/show"

	"github.com/cenkalti/backoff/v5"
)

// Lost says that a stream ended before its end.
type Lost struct{ Err error }

func (l Lost) Unwrap() error { return l.Err }

func (l Lost) Error() string { return l.Err.Error() }

// Again reads a stream, and reads on when its connection is lost. One that never was
// there is an error.
func (e *Env) Again(ctx context.Context, read func(connected func()) error) error {
	wait := backoff.NewExponentialBackOff()
	wait.InitialInterval, wait.MaxInterval = 100*time.Millisecond, 5*time.Second
	ever := false
	for {
		err := read(func() { ever = true; wait.Reset() })
		if err == nil || ctx.Err() != nil {
			return ctx.Err()
		}
		if lost, ok := errors.AsType[Lost](err); !ok || !ever || final(lost) {
			return err
		}
		if err := e.pause(ctx, wait.NextBackOff(), err); err != nil {
			return err
		}
	}
}

// final reports whether the daemon refused for good: asking again would change nothing.
func final(err error) bool {
	p, ok := errors.AsType[*client.Problem](err)
	return ok && p.Status < 500 && p.Status != http.StatusTooManyRequests
}

// pause tells of a lost connection and lets some time pass.
func (e *Env) pause(ctx context.Context, d time.Duration, lost error) error {
	if p, ok := errors.AsType[*client.Problem](lost); ok {
		d = max(d, p.RetryAfter)
	}
	fmt.Fprintf(e.Stderr, "%ssandglass: the connection is lost, trying again in %s: %v\n",
		e.ClearLine(), d.Round(10*time.Millisecond), innermost(lost))
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// ClearLine returns what begins a line anew where a countdown may stand on it.
func (e *Env) ClearLine() string {
	if show.IsTerminal(e.Stdout) {
		return show.ClearLine
	}
	return ""
}
