package tour_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sandglass/cmd/devnet/tour"
)

// TestTourThatCannotStart names the step that was not as it should be, takes no other, and
// counts it in the summary.
func TestTourThatCannotStart(t *testing.T) {
	here := filepath.Join(t.TempDir(), "sandglass")
	if err := os.WriteFile(here, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	no := errors.New("no network today")
	for _, tc := range []struct{ sandglass, says string }{
		{here, no.Error()},
		{here + "-gone", "no sandglass"},
	} {
		var out bytes.Buffer
		err := (&tour.Tour{
			Sandglass: tc.sandglass, Out: &out, Progress: &out, Title: "a network",
			Start: func(context.Context) (tour.Network, string, error) { return nil, "", no },
		}).Once(t.Context())
		if err == nil || !strings.Contains(err.Error(), "a network: ") || !strings.Contains(err.Error(), tc.says) {
			t.Errorf("the tour of %s ended with %v, want %q", tc.sandglass, err, tc.says)
		}
		for _, says := range []string{"\n✗ 1. a network", "\n0 of 31 steps were as they should be"} {
			if !strings.Contains(out.String(), says) {
				t.Errorf("it doesn't say %q:\n%s", says, &out)
			}
		}
	}
}

// TestInterruptedTour says that it was interrupted, not that a step was wrong.
func TestInterruptedTour(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var out bytes.Buffer
	err := (&tour.Tour{
		Sandglass: os.Args[0], Out: &out, Progress: &out, Title: "a network",
		Start: func(ctx context.Context) (tour.Network, string, error) {
			cancel()
			return nil, "", ctx.Err()
		},
	}).Once(ctx)
	if err == nil || err.Error() != "a network: interrupted" {
		t.Errorf("it ended with %v", err)
	}
}
