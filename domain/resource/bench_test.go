package resource_test

import (
	"fmt"
	"testing"
	"unsafe"

	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/resource"
	"sandglass/domain/stream"
)

// A million resources are meant to stay in memory.
func TestSizes(t *testing.T) {
	if got := unsafe.Sizeof(resource.State{}); got > 304 {
		t.Errorf("a State has %d bytes, at most 304", got)
	}
}

// funded is a running resource with n lots of a minute each, half of them drawn.
func funded(n int) []resource.Event {
	events := opened(resource.Warn{Amount: 5_000})
	for i := range n {
		events = append(events, bought(0, fmt.Sprintf("ln-%064d", i), 60_000))
		if i == 0 {
			events = append(events, started(0, "paid"))
		}
	}
	half := instant.Time(n) * 30_000
	return append(events, debited(0, half))
}

func BenchmarkDecide(b *testing.B) {
	for _, n := range []int{1, 10, 1_000, 10_000} {
		s := fold(funded(n)...)
		now := s.DebitedTo + 1_000
		for name, c := range map[string]resource.Command{
			"settle": resource.Settle{When: resource.When{At: now}},
			"credit": resource.Credit{When: resource.When{At: now}, Payment: "new", Amount: money.Sat, Paid: now},
		} {
			b.Run(fmt.Sprintf("%s/%d_lots", name, n), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if _, err := resource.Decide(s, c); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// BenchmarkFold decodes and folds hourly debits, the usual life of a resource.
func BenchmarkFold(b *testing.B) {
	events := opened(resource.Warn{})
	events = append(events, bought(0, "p1", 36_000_000_000), started(0, "paid"))
	for h := range hour / 360 {
		events = append(events, debited(h*hour, h*hour+hour))
	}
	fold := func(records []stream.Record) (s resource.State) {
		for i := range records {
			e, err := resource.Decode(&records[i])
			if err != nil {
				b.Fatal(err)
			}
			s = resource.Evolve(s, e)
		}
		return s
	}
	records := make([]stream.Record, len(events))
	for i, e := range events {
		records[i].Event = stream.Encode(e)
	}
	for b.Loop() {
		fold(records)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(events)), "ns/event")
}

// BenchmarkFoldCredits folds the credits of a resource that is paid for by the second.
func BenchmarkFoldCredits(b *testing.B) {
	events := funded(10_000)
	for b.Loop() {
		fold(events...)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(events)), "ns/event")
}
