package payment

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// A row of spans is a set of numbers, however they come.
func TestRowIsASetOfIndices(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cursor := rapid.Int64Range(0, 5).Draw(t, "cursor")
		r := newRow(cursor)
		told, done := map[int64]bool{}, map[int64]bool{}
		for range rapid.IntRange(0, 40).Draw(t, "steps") {
			i := rapid.Int64Range(0, 30).Draw(t, "index")
			switch rapid.IntRange(0, 9).Draw(t, "step") {
			case 0:
				last := lastOf(cursor, told)
				for j := cursor + 1; j <= min(i, last); j++ {
					if !told[j] {
						told[j], done[j] = true, true
					}
				}
				r.pass(i)
			case 1, 2, 3, 4:
				told[i] = true
				r.tell(i)
			default:
				told[i], done[i] = true, true
				r.finish(i)
			}
			upto := cursor
			for done[upto+1] {
				upto++
			}
			last, gap := lastOf(cursor, told), false
			for j := cursor + 1; j < last && j <= i; j++ {
				gap = gap || !told[j]
			}
			if r.cursor() != upto || r.last() != last || r.gap(i) != gap {
				t.Fatalf("cursor %d, last %d, gap to %d %t; want %d, %d, %t", r.cursor(), r.last(), i, r.gap(i), upto, last, gap)
			}
		}
	})
}

func lastOf(cursor int64, told map[int64]bool) int64 {
	last := cursor
	for i := range told {
		last = max(last, i)
	}
	return last
}

func TestBackoff(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 1000).Draw(t, "failures")
		shortest := time.Duration(rapid.Int64Range(1, int64(time.Minute)).Draw(t, "shortest"))
		longest := time.Duration(rapid.Int64Range(int64(shortest), int64(time.Hour)).Draw(t, "longest"))
		if d := backoff(n, shortest, longest); d < shortest/2 || d > longest {
			t.Fatalf("%s after %d failures, between %s and %s", d, n, shortest, longest)
		}
	})
}
