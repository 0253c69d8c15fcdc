package projections_test

import (
	"context"
	"fmt"
	"io"
	"iter"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"

	"sandglass/domain/instant"
	"sandglass/domain/resource"
	"sandglass/domain/stream"
	"sandglass/projections"
	"sandglass/testutil/histories"
	"sandglass/testutil/storetest"
)

const million = 1_000_000

// BenchmarkReplay folds a million events from nothing, and compares with reading them.
func BenchmarkReplay(b *testing.B) {
	for _, resources := range []int{1_000, 100_000} {
		log, _ := storetest.SQLite(b)
		for name, store := range map[string]stream.EventStore{"memory": newMemory(), "sqlite": log} {
			b.Run(fmt.Sprintf("%s/resources=%d", name, resources), func(b *testing.B) {
				if head, _ := store.Head(b.Context()); head == 0 {
					if err := histories.Fill(b.Context(), store, resources, million, 1); err != nil {
						b.Fatal(err)
					}
				}
				head, err := store.Head(b.Context())
				if err != nil {
					b.Fatal(err)
				}
				began, n := time.Now(), 0
				for run, err := range store.Subscribe(b.Context(), 0) {
					if n += len(run); err != nil || run[len(run)-1].Position >= head {
						break
					}
				}
				scan := time.Since(began)
				report := cpu(b)
				for b.Loop() {
					replayed(b, store, head)
				}
				report()
				took := b.Elapsed() / time.Duration(b.N)
				b.ReportMetric(float64(n)/took.Seconds(), "events/s")
				b.ReportMetric(float64(n)/scan.Seconds(), "scanned/s")
				b.ReportMetric(took.Seconds()/scan.Seconds(), "×scan")
			})
		}
	}
}

// made is a log that is made while it is read: a million resources, each paid once.
type made struct {
	resources, events int
}

func (m made) Append(context.Context, string, stream.Revision, []stream.Event) (stream.Appended, error) {
	return stream.Appended{}, stream.ErrReadOnly
}

func (m made) Read(context.Context, string, stream.Revision) iter.Seq2[stream.Record, error] {
	return func(func(stream.Record, error) bool) {}
}

func (m made) Head(context.Context) (stream.Position, error) { return stream.Position(m.events), nil }

func (m made) Subscribe(context.Context, stream.Position) iter.Seq2[[]stream.Record, error] {
	return func(yield func([]stream.Record, error) bool) {
		var run []stream.Record
		pos := stream.Position(0)
		for apps := range histories.Dull(m.resources, 1<<40, 1) {
			for _, a := range apps {
				for i, e := range a.Events {
					pos++
					run = append(run, stream.Record{Event: e, Stream: a.Stream, Revision: a.Expected + 1 + stream.Revision(i), Position: pos})
				}
			}
			if len(run) > 400 {
				if !yield(run, nil) {
					return
				}
				run = nil
			}
		}
	}
}

// large is views of a million resources of one plan, each paid once, with what they cost.
var large = sync.OnceValues(func() (*projections.Views, float64) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	v := projections.New(instant.Hour)
	store := made{million, 7*million + 1}
	if err := projections.Replay(context.Background(), store, v, stream.Position(store.events)); err != nil {
		panic(err)
	}
	v.Resources("", 1, nil) // builds the order of ids
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&after)
	return v, float64(after.HeapAlloc-before.HeapAlloc) / million
})

// BenchmarkMemory reports what a resource costs, with its lot and the payment's key.
func BenchmarkMemory(b *testing.B) {
	v, bytes := large()
	for b.Loop() {
		v.Counts()
	}
	b.ReportMetric(bytes, "B/resource")
}

// cpu reports the time that this process had on the processors, which on a busy machine
// says more than the clock on the wall.
func cpu(b *testing.B) func() {
	spent := func() time.Duration {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			b.Fatal(err)
		}
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	before := spent()
	return func() { b.ReportMetric(float64(spent()-before)/float64(b.N), "cpu-ns/op") }
}

// BenchmarkRemaining asks for one resource out of a million, another each time.
func BenchmarkRemaining(b *testing.B) {
	v, _ := large()
	ids := make([]resource.ID, 1<<16)
	for i := range ids {
		ids[i] = resource.ID(fmt.Sprintf("vm-1-%07d", rand.IntN(million)))
	}
	b.ReportAllocs()
	defer cpu(b)()
	i := 0
	for b.Loop() {
		if left, ok := v.Remaining(ids[i%len(ids)], histories.Start); !ok || left == 0 {
			b.Fatal(ids[i%len(ids)])
		}
		i++
	}
}

// BenchmarkSnapshot saves and loads a million resources.
func BenchmarkSnapshot(b *testing.B) {
	v, _ := large()
	path := filepath.Join(b.TempDir(), "snapshot")
	b.Run("save", func(b *testing.B) {
		defer cpu(b)()
		for b.Loop() {
			if err := v.Save(path, "log"); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("load", func(b *testing.B) {
		defer cpu(b)()
		for b.Loop() {
			w := projections.New(instant.Hour)
			if err := w.Load(path, "log"); err != nil {
				b.Fatal(err)
			}
			if _, ok := w.NextDeadline(-1); ok || w.Position() != v.Position() {
				b.Fatal("not as it was saved")
			}
		}
	})
	b.Run("dump", func(b *testing.B) {
		for b.Loop() {
			if err := v.Dump(io.Discard); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkResources lists a hundred resources from anywhere.
func BenchmarkResources(b *testing.B) {
	v, _ := large()
	for b.Loop() {
		if page := v.Resources(resource.ID(fmt.Sprintf("vm-1-%07d", rand.IntN(million-200))), 100, nil); len(page) != 100 {
			b.Fatal(len(page))
		}
	}
}
