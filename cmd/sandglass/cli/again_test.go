package cli

import (
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"sandglass/adapters/httpapi/client"
	"sandglass/adapters/httpapi/wire"
)

// A lost connection is made again, later each time; one that never was is an error, and
// so is a refusal.
func TestAgain(t *testing.T) {
	lost := Lost{io.ErrUnexpectedEOF}
	refused := Lost{&client.Problem{Problem: wire.Problem{Status: 404, Detail: "gone"}}}
	busy := Lost{&client.Problem{Problem: wire.Problem{Status: 503}, RetryAfter: time.Minute}}
	for _, c := range []struct {
		name    string
		answers []error // of each try; the first is connected
		never   bool
		want    error
		atLeast time.Duration
	}{
		{"the end", []error{nil}, false, nil, 0},
		{"lost twice", []error{lost, lost, nil}, false, nil, 100 * time.Millisecond},
		{"never there", []error{lost}, true, lost, 0},
		{"refused", []error{lost, refused}, false, refused, 0},
		{"busy", []error{lost, busy, nil}, false, nil, time.Minute},
		{"not of the connection", []error{io.ErrShortWrite}, false, io.ErrShortWrite, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				begin, tries := time.Now(), 0
				err := (&Env{Stderr: io.Discard}).Again(t.Context(), func(connected func()) error {
					if !c.never {
						connected()
					}
					tries++
					return c.answers[tries-1]
				})
				if !errors.Is(err, c.want) || tries != len(c.answers) || time.Since(begin) < c.atLeast {
					t.Errorf("got %v after %d tries and %s", err, tries, time.Since(begin))
				}
			})
		})
	}
}

func TestAgainEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		err := (&Env{Stderr: io.Discard}).Again(ctx, func(connected func()) error {
			connected()
			return Lost{io.EOF}
		})
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
	})
}
