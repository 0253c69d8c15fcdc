package verify_test

import (
	"testing"

	"sandglass/domain/pieces"
	"sandglass/domain/proof/verify"
)

func BenchmarkVerify(b *testing.B) {
	recs := history(1, 4096)
	log := func(yield func(pieces.Piece, error) bool) {
		for range 16 {
			if !yield(pieces.Whole(recs), nil) {
				return
			}
		}
	}
	for b.Loop() {
		if _, err := (&verify.Log{}).Run(b.Context(), log); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*16*len(recs)), "ns/event")
}
