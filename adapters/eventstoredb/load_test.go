package eventstoredb_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"sandglass/adapters/eventstoredb"
	"sandglass/domain/stream"
	"sandglass/testutil/storetest"
)

// load appends from many writers, to streams of their own and to one that all share, and
// follows the log from many places, while something is done to the cluster.
type load struct {
	store   *eventstoredb.Store
	mu      sync.Mutex
	acked   map[stream.EventID]stream.Appended
	retries int
}

// write appends until done, trying each append again until it is answered.
func (l *load) write(ctx context.Context, t *testing.T, writer int, done <-chan struct{}) {
	name, shared := fmt.Sprintf("toy-%d", writer), writer%4 == 0
	if shared {
		name = "toy-shared"
	}
	expected := stream.NoStream
	for n := 0; ; n++ {
		select {
		case <-done:
			return
		default:
		}
		events := storetest.Events(name, expected, fmt.Sprintf("writer %d, %d", writer, n), 1+n%3)
		for {
			res, err := l.store.Append(ctx, name, expected, events)
			if errors.Is(err, stream.ErrUnavailable) {
				l.mu.Lock()
				l.retries++
				l.mu.Unlock()
				continue // the very same
			}
			if shared && errors.Is(err, stream.ErrWrongRevision) {
				expected = l.end(ctx, t, name, expected)
				break
			}
			if err != nil {
				t.Errorf("writer %d: %v", writer, err)
				return
			}
			l.mu.Lock()
			for i, e := range events {
				l.acked[e.ID] = stream.Appended{Revision: res.Revision - stream.Revision(len(events)-1-i), Position: res.Position}
			}
			l.mu.Unlock()
			expected = res.Revision
			break
		}
	}
}

// end returns where a stream that others write to ends, from a revision on.
func (l *load) end(ctx context.Context, t *testing.T, name string, from stream.Revision) stream.Revision {
	for rec, err := range l.store.Read(ctx, name, from+1) {
		if err != nil {
			if !errors.Is(err, stream.ErrUnavailable) {
				t.Error(err)
			}
			break
		}
		from = rec.Revision
	}
	return from
}

// check compares what was answered, what two followers saw and what is in the log.
func (l *load) check(t *testing.T, all []stream.Record, seen [][]stream.Record) {
	t.Helper()
	at, last := map[stream.EventID]stream.Record{}, map[string]stream.Revision{}
	for i, r := range all {
		if _, twice := at[r.ID]; twice {
			t.Errorf("%s %d is in the log twice", r.Stream, r.Revision)
		}
		if before, ok := last[r.Stream]; ok && r.Revision != before+1 || !ok && r.Revision != 0 {
			t.Errorf("%s has revision %d after %d", r.Stream, r.Revision, before)
		}
		if i > 0 && (r.Position <= all[i-1].Position || r.RecordedAt < all[i-1].RecordedAt) {
			t.Errorf("position %d, recorded at %s, follows %d, %s",
				r.Position, r.RecordedAt, all[i-1].Position, all[i-1].RecordedAt)
		}
		at[r.ID], last[r.Stream] = r, r.Revision
	}
	for id, res := range l.acked {
		if r, ok := at[id]; !ok || r.Revision != res.Revision || r.Position > res.Position {
			t.Errorf("an event that was answered %+v is in the log %v, %s %d at %d", res, ok, r.Stream, r.Revision, r.Position)
		}
	}
	for i, recs := range seen {
		for j := range max(len(recs), len(all)) {
			if j >= len(recs) || j >= len(all) || recs[j].ID != all[j].ID || recs[j].Position != all[j].Position {
				t.Fatalf("follower %d saw %d events, %d are there; they part at %d", i, len(recs), len(all), j)
			}
		}
	}
	t.Logf("%d events answered, %d in the log, %d appends given up and tried again", len(l.acked), len(all), l.retries)
}

// follow collects the log until ctx ends, or all of it was seen once end is known.
func follow(ctx context.Context, t *testing.T, s *eventstoredb.Store, end <-chan stream.Position) (recs []stream.Record) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	until := make(chan stream.Position, 1)
	var reached stream.Position
	var mu sync.Mutex
	var wg sync.WaitGroup
	wg.Go(func() {
		select {
		case p := <-end:
			until <- p
			mu.Lock()
			defer mu.Unlock()
			if reached >= p {
				cancel()
			}
		case <-ctx.Done():
		}
	})
	goal := ^stream.Position(0)
	for run, err := range s.Subscribe(ctx, 0) {
		if err != nil {
			t.Errorf("subscription: %v", err)
			break
		}
		recs = append(recs, run...)
		mu.Lock()
		reached = recs[len(recs)-1].Position
		mu.Unlock()
		select {
		case goal = <-until:
		default:
		}
		if reached >= goal {
			break
		}
	}
	cancel()
	wg.Wait()
	return recs
}

// under runs a load while trouble makes its trouble, and then checks the whole log.
func under(t *testing.T, conn string, o eventstoredb.Options, trouble func(*rand.Rand)) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	// The trouble bounds its own steps; what comes after it are two.
	ends := func(what string, wait func()) {
		late := time.AfterFunc(patience, func() { t.Errorf("%s does not end", what); cancel() })
		defer late.Stop()
		wait()
	}
	o.Namespace = newLog(t, conn)
	l := &load{store: open(t, conn, o), acked: map[stream.EventID]stream.Appended{}}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	done := make(chan struct{})
	var writing, reading sync.WaitGroup
	for w := range 16 {
		writing.Go(func() { l.write(ctx, t, w, done) })
	}
	seen, heads := make([][]stream.Record, 2), make([]chan stream.Position, 2)
	other := open(t, conn, o) // another daemon
	for i, s := range []*eventstoredb.Store{l.store, other} {
		heads[i] = make(chan stream.Position, 1)
		reading.Go(func() { seen[i] = follow(ctx, t, s, heads[i]) })
	}
	trouble(rand.New(rand.NewPCG(seed, 1)))
	close(done)
	ends("the writing", writing.Wait)
	all := everything(t, conn, o)
	for _, head := range heads {
		head <- all[len(all)-1].Position
	}
	ends("the reading of what was written", reading.Wait)
	l.check(t, all, seen)
}

// grown waits until some more events were answered, so that trouble falls among them.
func grown(t *testing.T, s func() int, more int) {
	t.Helper()
	want := s() + more
	until(t, "more was written", func() error {
		if n := s(); n < want {
			return fmt.Errorf("%d of %d", n, want)
		}
		return nil
	})
}

// counter counts from many goroutines.
type counter struct {
	mu sync.Mutex
	n  int
}

func (c *counter) add() { c.mu.Lock(); defer c.mu.Unlock(); c.n++ }

func (c *counter) get() int { c.mu.Lock(); defer c.mu.Unlock(); return c.n }
