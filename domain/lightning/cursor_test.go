package lightning

import (
	"testing"

	"pgregory.net/rapid"
)

// A cursor is a set of numbers, however they come.
func TestCursorIsASetOfIndices(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		begin := rapid.Int64Range(0, 5).Draw(t, "cursor")
		c := newCursor(begin)
		told, handled := map[int64]bool{}, map[int64]bool{}
		for range rapid.IntRange(0, 40).Draw(t, "steps") {
			i := rapid.Int64Range(0, 30).Draw(t, "index")
			switch rapid.IntRange(0, 9).Draw(t, "step") {
			case 0:
				highest := highestOf(begin, told)
				for j := begin + 1; j <= min(i, highest); j++ {
					if !told[j] {
						told[j], handled[j] = true, true
					}
				}
				c.passGaps(i)
			case 1, 2, 3, 4:
				told[i] = true
				c.addTold(i)
			default:
				told[i], handled[i] = true, true
				c.addHandled(i)
			}
			upto := begin
			for handled[upto+1] {
				upto++
			}
			highest, gap := highestOf(begin, told), false
			for j := begin + 1; j < highest && j <= i; j++ {
				gap = gap || !told[j]
			}
			if c.handledTo() != upto || c.highest() != highest || c.hasGap(i) != gap {
				t.Fatalf("handled to %d, highest %d, gap to %d %t; want %d, %d, %t",
					c.handledTo(), c.highest(), i, c.hasGap(i), upto, highest, gap)
			}
		}
	})
}

func highestOf(begin int64, told map[int64]bool) int64 {
	highest := begin
	for i := range told {
		highest = max(highest, i)
	}
	return highest
}
