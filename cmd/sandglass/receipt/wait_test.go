package receipt

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sandglass/adapters/httpapi/client"
	"sandglass/adapters/httpapi/wire"
	"sandglass/cmd/sandglass/show"
)

// refused is what a daemon answers that has no receipt.
func refused(code string, retry time.Duration) error {
	return &client.Problem{Problem: wire.Problem{Code: code, Detail: code}, RetryAfter: retry}
}

func TestWaitingForAReceipt(t *testing.T) {
	notYet, none := refused("not_signed_yet", 3*time.Second), refused("no_receipt", 0)
	for name, test := range map[string]struct {
		most    time.Duration
		answers []error // the last is that of every later call
		asked   int
		took    time.Duration
		err     string
	}{
		"there is one":        {time.Minute, []error{nil}, 1, 0, ""},
		"not asked to wait":   {0, []error{notYet}, 1, 0, "not_signed_yet"},
		"soon":                {time.Minute, []error{none, none, notYet, nil}, 4, 7 * time.Second, ""},
		"never":               {10 * time.Second, []error{notYet}, 5, 10 * time.Second, "waited for 10s: not_signed_yet"},
		"another error":       {time.Minute, []error{notYet, errors.New("gone")}, 2, 3 * time.Second, "gone"},
		"of no such payment":  {time.Minute, []error{refused("unknown_payment", 0)}, 1, 0, "unknown_payment"},
		"told to wait a year": {time.Minute, []error{refused("not_signed_yet", 365*24*time.Hour), nil}, 2, 10 * time.Second, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				asked, begun := 0, time.Now()
				var told bytes.Buffer
				text, err := wait(t.Context(), test.most, show.NewProgress(&told), func(context.Context) (string, error) {
					asked++
					return "a receipt", test.answers[min(asked, len(test.answers))-1]
				})
				got := ""
				if err != nil {
					got = err.Error()
				}
				if got != test.err || asked != test.asked || time.Since(begun) != test.took || err == nil && text != "a receipt" {
					t.Errorf("asked %d times in %s: %q, %s", asked, time.Since(begun), text, got)
				}
				if waits := test.took > 0; waits != strings.Contains(told.String(), "waiting for up to "+test.most.String()) {
					t.Errorf("it said %q", &told)
				}
			})
		})
	}
}

func TestWaitingEndsWhenItIsBrokenOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := wait(ctx, time.Hour, show.NewProgress(&bytes.Buffer{}), func(context.Context) (string, error) {
			return "", refused("not_signed_yet", 0)
		})
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
	})
}
