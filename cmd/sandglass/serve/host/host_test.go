package host

import (
	"testing"

	"sandglass/domain/watch"
)

// The daemon is blind from when the wallet is not read until it is, whatever becomes of it
// meanwhile.
func TestBlindness(t *testing.T) {
	b := blindness{grace: 7}
	for i, step := range []struct {
		h    watch.Health
		want int64
	}{
		{watch.Health{Condition: watch.Connecting}, 1},
		{watch.Health{Condition: watch.Ready, Since: 10}, 0},
		{watch.Health{Condition: watch.Connecting, Since: 20}, 20},
		{watch.Health{Condition: watch.Locked, Since: 30}, 20},
		{watch.Health{Condition: watch.Syncing, Since: 40}, 20},
		{watch.Health{Condition: watch.Ready, Since: 50}, 0},
		{watch.Health{Condition: watch.Denied, Since: 60}, 60},
	} {
		if got := b.at(step.h); int64(got.Since) != step.want || got.Grace != 7 {
			t.Errorf("step %d: %+v, want since %d", i, got, step.want)
		}
	}
}
