package store

import (
	"context"
	"errors"
	"strings"
	"testing"

	"sandglass/domain/logcopy"
	"sandglass/domain/stream"
)

// What a copy says when it ends early is how to go on, but where that would not help.
func TestABrokenOffCopySaysHowToGoOn(t *testing.T) {
	ended, end := context.WithCancel(t.Context())
	end()
	const again = "the same command goes on from there"
	err := brokenOff(ended, ended.Err())
	text := err.Error()
	if errors.Is(err, context.Canceled) || !strings.HasPrefix(text, "interrupted: ") || !strings.HasSuffix(text, again) {
		t.Errorf("interrupted: %v", err)
	}
	err = brokenOff(t.Context(), stream.ErrUnavailable)
	if !errors.Is(err, stream.ErrUnavailable) || !strings.HasSuffix(err.Error(), again) {
		t.Errorf("away: %v", err)
	}
	for _, final := range []error{logcopy.ErrDiffer, logcopy.ErrNotWhole} {
		if err := brokenOff(t.Context(), final); err.Error() != final.Error() {
			t.Errorf("nothing goes on: %v", err)
		}
	}
}
