package lots_test

import (
	"slices"
	"testing"
	"unsafe"

	"pgregory.net/rapid"

	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/resource/lots"
)

// A million resources are meant to stay in memory.
func TestSizes(t *testing.T) {
	if got := unsafe.Sizeof(lots.Lot{}); got > 48 {
		t.Errorf("a Lot has %d bytes, at most 48", got)
	}
}

// TestUndrawing holds that what is given back is what was drawn: whatever was given back and
// drawn again, the lots are as if it had not been, to the millisatoshi.
func TestUndrawing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		small := rapid.Int64Range(0, 20)
		q, credited := lots.Queue{}, money.Msat(0)
		for range rapid.IntRange(1, 7).Draw(t, "lots") {
			l := lots.Lot{Amount: money.Msat(small.Draw(t, "amount")), Time: instant.Millis(small.Draw(t, "time"))}
			q.Add(l)
			credited += l.Amount
		}
		part := func(name string, most instant.Millis) instant.Millis {
			return instant.Millis(rapid.Int64Range(0, int64(most)).Draw(t, name))
		}
		before := part("before", q.Left())
		debited := q.Draw(before)
		was, first := slices.Clone(q.Lots), q.First
		for range rapid.IntRange(1, 4).Draw(t, "rounds") {
			back := part("back", before)
			now := debited - q.Undraw(back)
			if now < 0 || credited-now != q.Balance() || back == before && now != 0 || q.Drawn() != before-back {
				t.Fatalf("debited %s of %s, held %s, %d ms drawn", now, credited, q.Balance(), q.Drawn())
			}
			if now += q.Draw(back); now != debited || q.First != first || !slices.Equal(q.Lots, was) {
				t.Fatalf("debited %s, %+v\nnow %s, %+v", debited, was, now, q.Lots)
			}
		}
	})
}

// TestLeftAtBalance holds that it is the first instant of a drawing, millisecond by millisecond, at
// which the balance is no more than the target.
func TestLeftAtBalance(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		small := rapid.Int64Range(0, 20)
		var q lots.Queue
		for range rapid.IntRange(1, 5).Draw(t, "lots") {
			q.Add(lots.Lot{Amount: money.Msat(small.Draw(t, "amount")), Time: instant.Millis(small.Draw(t, "time"))})
		}
		q.Draw(instant.Millis(rapid.Int64Range(0, int64(q.Left())).Draw(t, "before")))
		target := money.Msat(small.Draw(t, "target"))
		want := q.LeftAtBalance(target)
		for q.Balance() > target && q.Left() > 0 {
			q.Draw(1)
		}
		if left := q.Left(); left != want {
			t.Fatalf("%s are left at %d ms, not at %d: %+v", target, left, want, q)
		}
	})
}
