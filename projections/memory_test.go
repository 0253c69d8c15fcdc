package projections_test

import (
	"context"
	"iter"
	"slices"
	"sync"
	"testing"

	"sandglass/domain/instant"
	"sandglass/domain/stream"
	"sandglass/projections"
	"sandglass/testutil/histories"
)

// memory is a log in memory, for tests that make thousands of logs, or one inside a
// bubble of synctest. TestRunOverAFile does the same over the real store.
type memory struct {
	mu      sync.Mutex
	records []stream.Record
	streams map[string][]int
	news    chan struct{}
}

func newMemory() *memory {
	return &memory{streams: map[string][]int{}, news: make(chan struct{})}
}

func (m *memory) Append(
	_ context.Context, name string, expected stream.Revision, events []stream.Event,
) (stream.Appended, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if stream.Revision(len(m.streams[name])-1) != expected {
		return stream.Appended{}, stream.ErrWrongRevision
	}
	for _, e := range events {
		expected++
		m.streams[name] = append(m.streams[name], len(m.records))
		m.records = append(m.records, stream.Record{
			Event: e, Stream: name, Revision: expected, Position: stream.Position(3*len(m.records) + 2),
		})
	}
	close(m.news)
	m.news = make(chan struct{})
	return stream.Appended{Revision: expected, Position: m.head()}, nil
}

func (m *memory) head() stream.Position {
	if len(m.records) == 0 {
		return 0
	}
	return m.records[len(m.records)-1].Position
}

func (m *memory) Head(context.Context) (stream.Position, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.head(), nil
}

func (m *memory) Read(_ context.Context, name string, from stream.Revision) iter.Seq2[stream.Record, error] {
	return func(yield func(stream.Record, error) bool) {
		m.mu.Lock()
		places, records := m.streams[name], m.records
		m.mu.Unlock()
		for _, i := range places[min(int(from), len(places)):] {
			if !yield(records[i], nil) {
				return
			}
		}
	}
}

func (m *memory) Subscribe(ctx context.Context, after stream.Position) iter.Seq2[[]stream.Record, error] {
	return func(yield func([]stream.Record, error) bool) {
		for ctx.Err() == nil {
			m.mu.Lock()
			records, news := m.records, m.news
			m.mu.Unlock()
			from, found := slices.BinarySearchFunc(records, after, func(r stream.Record, p stream.Position) int {
				return int(r.Position) - int(p)
			})
			if found {
				from++
			}
			if records = records[from:]; len(records) > 0 {
				records = records[:min(512, len(records))]
				if after = records[len(records)-1].Position; !yield(records, nil) {
					return
				}
				continue
			}
			select {
			case <-news:
			case <-ctx.Done():
			}
		}
	}
}

// random returns the log of a random history, every other one of two hosts.
func random(t testing.TB, seed uint64, resources, steps int) *memory {
	if seed%2 == 1 {
		return randomOn(t, seed, resources, steps, "", "a", "b")
	}
	return randomOn(t, seed, resources, steps)
}

func randomOn(t testing.TB, seed uint64, resources, steps int, hosts ...string) *memory {
	m := newMemory()
	w := histories.New(seed, resources)
	w.Hosts = hosts
	for range steps {
		if err := histories.Write(t.Context(), m, w.Step()); err != nil {
			t.Fatal(err)
		}
	}
	return m
}

// replayed returns views of the log up to a position.
func replayed(t testing.TB, store stream.EventStore, until stream.Position) *projections.Views {
	t.Helper()
	v := projections.New(instant.Hour)
	if err := projections.Replay(t.Context(), store, v, until); err != nil {
		t.Fatal(err)
	}
	return v
}

// same fails the test where two views differ.
func same(t interface {
	Helper()
	Fatalf(string, ...any)
}, what string, v, w *projections.Views) {
	t.Helper()
	if diffs := v.Diff(w); len(diffs) > 0 {
		t.Fatalf("%s: %d differences, such as %v", what, len(diffs), diffs[0])
	}
}
