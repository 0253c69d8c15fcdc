package esdbserver_test

import (
	"runtime"
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
)

// BenchmarkAppend appends one event at a time.
func BenchmarkAppend(b *testing.B) {
	_, client := single(b)
	n := uint64(0)
	for b.Loop() {
		expected := esdb.ExpectedRevision(esdb.NoStream{})
		if n > 0 {
			expected = esdb.Revision(n - 1)
		}
		appendTo(b, client, "a", expected, events(1)...)
		n++
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

// BenchmarkCatchUp reads a log through a subscription with a filter.
func BenchmarkCatchUp(b *testing.B) {
	_, client := single(b)
	const size = 100_000
	for range size / 500 {
		appendTo(b, client, "a", esdb.Any{}, events(500)...)
	}
	for b.Loop() {
		sub, err := client.SubscribeToAll(b.Context(), esdb.SubscribeToAllOptions{
			From: esdb.Start{}, CheckpointInterval: 100,
			Filter: &esdb.SubscriptionFilter{Type: esdb.StreamFilterType, Prefixes: []string{"a"}},
		})
		if err != nil {
			b.Fatal(err)
		}
		for sub.Recv().CaughtUp == nil {
		}
		_ = sub.Close()
	}
	b.ReportMetric(float64(b.N)*size/b.Elapsed().Seconds(), "events/s")
}

// BenchmarkMemory says what an event costs beside its data.
func BenchmarkMemory(b *testing.B) {
	_, client := single(b)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for b.Loop() {
		appendTo(b, client, "a", esdb.Any{}, events(1000)...)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	b.ReportMetric((float64(after.HeapAlloc)-float64(before.HeapAlloc))/float64(b.N*1000), "bytes/event")
	b.ReportMetric(float64(b.N*1000)/b.Elapsed().Seconds(), "events/s")
}
