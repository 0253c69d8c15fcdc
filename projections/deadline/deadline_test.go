package deadline_test

import (
	"cmp"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"sandglass/domain/instant"
	"sandglass/projections/deadline"
)

// TestQueue moves rows at random, and compares with a sorted list after each move.
func TestQueue(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		at := rapid.MapOf(rapid.Int32Range(0, 20), rapid.Custom(anInstant)).Draw(t, "begin with")
		q := deadline.New(21, len(at), maps.All(at))
		for range rapid.IntRange(0, 30).Draw(t, "moves") {
			check(t, &q, at)
			row, when := rapid.Int32Range(0, 40).Draw(t, "row"), anInstant(t)
			due := rapid.Bool().Draw(t, "due")
			if q.Set(row, when, due); due {
				at[row] = when
			} else {
				delete(at, row)
			}
		}
		check(t, &q, at)
	})
}

func anInstant(t *rapid.T) instant.Time {
	return instant.Time(rapid.Int64Range(0, 9).Draw(t, "instant"))
}

func check(t *rapid.T, q *deadline.Queue, at map[int32]instant.Time) {
	rows := slices.SortedFunc(maps.Keys(at), func(i, j int32) int { return cmp.Or(cmp.Compare(at[i], at[j]), cmp.Compare(i, j)) })
	first, ok := q.First()
	if ok != (len(rows) > 0) || ok && first != (deadline.Due{At: at[rows[0]], Row: rows[0]}) {
		t.Fatalf("the first is %v, %v, of %v", first, ok, at)
	}
	now := instant.Time(rapid.Int64Range(-1, 10).Draw(t, "now"))
	limit := rapid.IntRange(0, 50).Draw(t, "limit")
	rows = slices.DeleteFunc(rows, func(row int32) bool { return at[row] > now })
	for _, odd := range []bool{false, true} { // and then without the odd rows
		want := slices.Clone(rows)
		if odd {
			want = slices.DeleteFunc(want, func(row int32) bool { return row%2 == 1 })
		}
		want = want[:min(limit, len(want))]
		var got []int32
		for _, d := range q.Until(now, limit, func(row int32) bool { return odd && row%2 == 1 }) {
			got = append(got, d.Row)
		}
		if !slices.Equal(got, want) {
			t.Fatalf("due by %d: %v, want %v", now, got, want)
		}
	}
}
