package qr

import (
	"fmt"
	"testing"
)

// What is kept is the code of its text, and no more of them than there is room for.
func TestCodesAreKept(t *testing.T) {
	most := len(last.texts)
	for round := range 2 {
		for i := range 2 * most {
			text := fmt.Sprint("lightning:", i)
			want := draw(text)
			for _, got := range []any{SVG(text), SVG(text)} {
				if got != want {
					t.Fatalf("round %d: the code of %s is another one's", round, text)
				}
			}
		}
		if n := len(last.byText); n != most {
			t.Errorf("%d codes are kept, want %d", n, most)
		}
	}
}

func BenchmarkSVG(b *testing.B) {
	for name, texts := range map[string]int{"drawn": 100_000, "kept": 1} {
		b.Run(name, func(b *testing.B) {
			for i := range b.N {
				SVG(fmt.Sprint("lightning:LNBC", i%texts))
			}
		})
	}
}
