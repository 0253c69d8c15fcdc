package watch_test

import (
	"testing"
	"time"

	"sandglass/domain/watch"

	"pgregory.net/rapid"
)

func TestBackoff(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 1000).Draw(t, "failures")
		shortest := time.Duration(rapid.Int64Range(1, int64(time.Minute)).Draw(t, "shortest"))
		longest := time.Duration(rapid.Int64Range(int64(shortest), int64(time.Hour)).Draw(t, "longest"))
		if d := watch.Backoff(n, shortest, longest); d < shortest/2 || d > longest {
			t.Fatalf("%s after %d failures, between %s and %s", d, n, shortest, longest)
		}
	})
}
