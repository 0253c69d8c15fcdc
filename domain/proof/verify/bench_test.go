package verify_test

import (
	"testing"

	"sandglass/domain/proof/verify"
	"sandglass/domain/stream"
)

func BenchmarkVerify(b *testing.B) {
	recs := history(1, 4096)
	log := func(yield func(verify.Chunk, error) bool) {
		for range 16 {
			if !yield(func([]stream.Record) ([]stream.Record, error) { return recs, nil }, nil) {
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
