package sqlite_test

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"sandglass/adapters/sqlite"
	"sandglass/domain/instant"
	"sandglass/domain/stream"

	zombiezen "zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

var ctx = context.Background()

// benchEvent is an event as the domain writes them: about 250 bytes with all columns.
func benchEvent(name string, rev stream.Revision) stream.Event {
	e := stream.Event{
		Type: "resource.debited.v1",
		At:   1_700_000_000_000 + instant.Time(rev),
		Data: fmt.Appendf(nil, `{"from":"2026-01-02T03:04:05.678Z","to":"2026-01-02T04:04:05.678Z",`+
			`"time_ms":3600000,"amount_msat":%d,"draws":[{"lot":1}]}`, rev),
		Meta: []byte(`{"actor":"meter","$correlationId":"0123456789abcdef"}`),
	}
	e.ID = stream.NewID(name, rev, e)
	return e
}

func benchStore(b *testing.B) *sqlite.Store {
	path := filepath.Join(b.TempDir(), "log")
	if err := sqlite.Create(path); err != nil {
		b.Fatal(err)
	}
	s, err := sqlite.Open(path, sqlite.Options{Now: func() instant.Time { return instant.Of(time.Now()) }})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { s.Close() })
	return s
}

// BenchmarkAppend appends one event at a time from clients with a stream each.
func BenchmarkAppend(b *testing.B) {
	for _, clients := range []int{1, 16, 256} {
		b.Run(fmt.Sprintf("clients=%d", clients), func(b *testing.B) {
			s := benchStore(b)
			took := make([][]time.Duration, clients)
			b.ResetTimer()
			var wg sync.WaitGroup
			for c := range clients {
				wg.Go(func() {
					name := fmt.Sprintf("resource-%020d", c)
					for rev := range stream.Revision((b.N + clients - 1 - c) / clients) {
						e := benchEvent(name, rev)
						start := time.Now()
						if _, err := s.Append(ctx, name, rev-1, []stream.Event{e}); err != nil {
							b.Error(err)
							return
						}
						took[c] = append(took[c], time.Since(start))
					}
				})
			}
			wg.Wait()
			b.StopTimer()
			report(b, b.N, slices.Concat(took...))
			if size, err := s.Size(); err == nil {
				b.ReportMetric(float64(size)/float64(b.N), "bytes/event")
			}
		})
	}
}

func report(b *testing.B, events int, took []time.Duration) {
	slices.Sort(took)
	b.ReportMetric(float64(events)/b.Elapsed().Seconds(), "events/s")
	if len(took) > 0 {
		b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
		b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
	}
}

// BenchmarkBareCommit commits the bytes of one event to a table without an index: the
// least that SQLite can do for them.
func BenchmarkBareCommit(b *testing.B) {
	conn, err := zombiezen.OpenConn(filepath.Join(b.TempDir(), "bare"))
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	for _, q := range []string{"PRAGMA synchronous=FULL", "CREATE TABLE t(n INTEGER PRIMARY KEY, b BLOB NOT NULL) STRICT"} {
		if err := sqlitex.ExecuteTransient(conn, q, nil); err != nil {
			b.Fatal(err)
		}
	}
	e := benchEvent("resource-1", 1)
	row := slices.Concat(e.ID[:], []byte("resource-00000000000000000001"), make([]byte, 16), e.Data, e.Meta)
	insert := conn.Prep("INSERT INTO t(b) VALUES(?)")
	var took []time.Duration
	b.ResetTimer()
	for range b.N {
		start := time.Now()
		insert.BindBytes(1, row)
		if _, err := insert.Step(); err != nil {
			b.Fatal(err)
		}
		if err := insert.Reset(); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(start))
	}
	b.StopTimer()
	report(b, b.N, took)
}

// BenchmarkScan reads a log of scanned events from its beginning.
func BenchmarkScan(b *testing.B) {
	const scanned = 300_000
	path := filepath.Join(b.TempDir(), "log")
	if err := sqlite.Create(path); err != nil {
		b.Fatal(err)
	}
	s, err := sqlite.Open(path, sqlite.Options{Now: func() instant.Time { return 1_700_000_000_000 }})
	if err != nil {
		b.Fatal(err)
	}
	var wg sync.WaitGroup
	for c := range 12 {
		wg.Go(func() {
			for i := c; i < scanned/100; i += 12 {
				name := fmt.Sprintf("resource-%020d", i)
				events := make([]stream.Event, 100)
				for rev := range events {
					events[rev] = benchEvent(name, stream.Revision(rev))
				}
				if _, err := s.Append(ctx, name, stream.NoStream, events); err != nil {
					b.Error(err)
				}
			}
		})
	}
	wg.Wait()
	b.Run("Subscribe", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			n, bytes := 0, 0
			for recs, err := range s.Subscribe(ctx, 0) {
				if err != nil {
					b.Fatal(err)
				}
				for i := range recs {
					bytes += len(recs[i].Data)
				}
				if n += len(recs); n == scanned {
					break
				}
			}
		}
		report(b, b.N*scanned, nil)
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*scanned), "ns/event")
	})
	b.Run("bare", func(b *testing.B) { bareScan(b, path, scanned) })
	s.Close()
}

func bareScan(b *testing.B, path string, scanned int) {
	conn, err := zombiezen.OpenConn(path, zombiezen.OpenReadOnly)
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	buf := make([]byte, 1<<10)
	b.ReportAllocs()
	for b.Loop() {
		st := conn.Prep("SELECT position, stream, revision, type, at, recorded_at, id, data, meta FROM events ORDER BY position")
		n := 0
		for {
			row, err := st.Step()
			if err != nil {
				b.Fatal(err)
			}
			if !row {
				break
			}
			for _, col := range []int{0, 2, 3, 4, 5} {
				st.ColumnInt64(col)
			}
			for _, col := range []int{1, 6, 7, 8} {
				st.ColumnBytes(col, buf)
			}
			n++
		}
		if n != scanned {
			b.Fatalf("%d events, want %d", n, scanned)
		}
	}
	report(b, b.N*scanned, nil)
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*scanned), "ns/event")
}
