package journal_test

import (
	"fmt"
	"io"
	"testing"

	"sandglass/adapters/journal"
	"sandglass/domain/stream"
	"sandglass/testutil/histories"
)

// BenchmarkWrite writes a dull log, which a goroutine reads meanwhile from memory.
func BenchmarkWrite(b *testing.B) {
	var records []stream.Record
	for apps := range histories.Dull(1000, 200_000, 1) {
		for _, a := range apps {
			for i, e := range a.Events {
				records = append(records, stream.Record{
					Event: e, Stream: a.Stream, Revision: a.Expected + 1 + stream.Revision(i),
					Position: stream.Position(len(records) + 1), RecordedAt: e.At,
				})
			}
		}
	}
	for _, f := range journal.Formats {
		for _, by := range []journal.By{journal.ByEvent, journal.ByDay} {
			b.Run(fmt.Sprint(f, " ", by), func(b *testing.B) {
				for b.Loop() {
					if err := journal.Write(b.Context(), io.Discard, each(records), journal.Options{Format: f, By: by}); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(records)), "ns/event")
			})
		}
	}
}
