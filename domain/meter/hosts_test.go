package meter_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"sandglass/domain/instant"
	"sandglass/domain/meter"
	"sandglass/domain/money"
	"sandglass/domain/resource"
	"sandglass/domain/stream"
	"sandglass/projections"
	"sandglass/testutil/storetest"
)

// settles is the log as one meter writes to it: its appends are counted.
type settles struct {
	stream.EventStore
	n atomic.Int64
}

func (s *settles) Append(ctx context.Context, name string, at stream.Revision, events []stream.Event) (stream.Appended, error) {
	out, err := s.EventStore.Append(ctx, name, at, events)
	if err == nil {
		s.n.Add(1)
	}
	return out, err
}

// join runs the meter of another host on the log of h.
func (h *host) join(name string) (*projections.Views, *settles) { return h.joinOn(h.store, name) }

func (h *host) joinOn(store stream.EventStore, name string) (*projections.Views, *settles) {
	log := &settles{EventStore: store}
	views := projections.NewFor(name, instant.Hour)
	m := &meter.Meter{
		Resources: &resource.Handler{Aggregate: resource.Aggregate(), Store: log, Warm: views.Resource},
		Deadlines: views, Now: h.now, Known: h.known, Ready: []<-chan struct{}{views.CaughtUp()},
		Failed:  func(id resource.ID, err error) { h.t.Errorf("%s settles %s: %v", name, id, err) },
		Settled: func(int, instant.Millis) {},
	}
	ctx, stop := context.WithCancel(h.t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { _ = projections.Run(ctx, store, views) })
	wg.Go(func() { _ = m.Run(ctx) })
	h.t.Cleanup(func() { stop(); wg.Wait() })
	return views, log
}

func (h *host) place(id resource.ID, host string) {
	h.t.Helper()
	h.do(id, resource.Place{When: resource.When{At: h.now()}, Host: host})
}

// TestEachHostMetersItsOwn moves a resource between two meters that share a log: one goes
// on where the other left off, and what is nobody's stands still.
func TestEachHostMetersItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, _ := storetest.SQLite(t)
		h := newHost(t, store) // a third, whose meter never gets ready: it only gives commands
		_, a := h.join("a")
		_, b := h.join("b")
		h.order("vm", 5*instant.Hour)
		h.order("nobodys", 5*instant.Hour)
		h.place("vm", "a")
		h.pass(90 * instant.Minute)
		if a.n.Load() != 1 || b.n.Load() != 0 {
			t.Errorf("a settled %d times, b %d", a.n.Load(), b.n.Load())
		}
		h.place("vm", "b")
		h.pass(5 * instant.Hour)
		if a.n.Load() != 1 || b.n.Load() == 0 {
			t.Errorf("after the move a settled %d times, b %d", a.n.Load(), b.n.Load())
		}
		h.want("vm",
			"opened 0s", "credited 0s", "started 0s", "placed 0s", "debited 1h0m0s", "debited 1h30m0s", "placed 1h30m0s",
			"debited 2h30m0s", "debited 3h30m0s", "debited 4h30m0s", "warned 4h50m0s", "debited 4h50m0s",
			"debited 5h0m0s", "exhausted 5h0m0s", "released 6h0m0s")
		h.want("nobodys", "opened 0s", "credited 0s", "started 0s")
		h.place("nobodys", "a") // late, and yet at the computed instants
		h.pass(2 * instant.Hour)
		h.want("nobodys",
			"opened 0s", "credited 0s", "started 0s", "warned 4h50m0s", "debited 5h0m0s", "exhausted 5h0m0s",
			"placed 6h30m0s", "released 6h30m0s")
	})
}

// TestMovingWhileBothMeter moves resources to and fro just when they are due, while both
// meters wake: each millisecond is debited once, by whomever.
func TestMovingWhileBothMeter(t *testing.T) {
	const n, hours = 16, 12
	synctest.Test(t, func(t *testing.T) {
		store, _ := storetest.SQLite(t)
		h := newHost(t, store)
		h.join("a")
		h.join("b")
		ids := make([]resource.ID, n)
		for i := range ids {
			ids[i] = resource.ID(fmt.Sprintf("vm-%02d", i))
			h.order(ids[i], hours*instant.Hour)
			h.place(ids[i], "a")
		}
		for hour := range hours - 1 {
			time.Sleep(instant.Hour.Std()) // and no longer: the meters are at work
			var wg sync.WaitGroup
			for i, id := range ids {
				wg.Go(func() { h.place(id, []string{"b", "a"}[(hour+i)%2]) })
			}
			wg.Wait()
		}
		h.pass(3 * instant.Hour)
		for _, id := range ids {
			if s, _, _ := h.views.Resource(id); s.Status != resource.StatusReleased || s.Debited != money.Msat(hours*instant.Hour) {
				t.Errorf("%s is %s, %s debited", id, s.Status, s.Debited)
			}
			isWhole(t, h.store, id)
		}
	})
}

// isWhole holds that each debit of a resource begins where the one before it ended.
func isWhole(t *testing.T, store stream.EventStore, id resource.ID) {
	t.Helper()
	var from instant.Time
	for rec, err := range store.Read(t.Context(), resource.Prefix+string(id), 0) {
		if err != nil {
			t.Fatal(err)
		}
		e, err := resource.Decode(&rec)
		if err != nil {
			t.Fatal(err)
		}
		switch e := e.(type) {
		case *resource.Started:
			from = rec.At
		case *resource.Debited:
			if e.From != from {
				t.Errorf("%s is debited from %s, not %s", id, e.From, from)
			}
			from = rec.At
		}
	}
}

// behind is a log whose news come when they are let through. It gives so many reads.
type behind struct {
	stream.EventStore
	through chan struct{}
	reads   atomic.Int64
}

func (b *behind) Subscribe(ctx context.Context, after stream.Position) iter.Seq2[[]stream.Record, error] {
	return func(yield func([]stream.Record, error) bool) {
		for run, err := range b.EventStore.Subscribe(ctx, after) {
			select {
			case <-b.through:
			case <-ctx.Done():
				return
			}
			if !yield(run, err) {
				return
			}
		}
	}
}

func (b *behind) Read(ctx context.Context, name string, from stream.Revision) iter.Seq2[stream.Record, error] {
	if b.reads.Add(-1) < 0 {
		return func(yield func(stream.Record, error) bool) {
			yield(stream.Record{}, errors.New("asked too often"))
		}
	}
	return b.EventStore.Read(ctx, name, from)
}

// A meter whose views do not know yet that another daemon took away what is due to them
// asks the log now and then, and not as fast as it answers.
func TestViewsThatAreBehindAreWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, _ := storetest.SQLite(t)
		h := newHost(t, store)
		h.order("vm", 5*instant.Hour)
		h.place("vm", "a")
		slow := &behind{EventStore: store, through: make(chan struct{}, 1)}
		slow.reads.Store(700)
		slow.through <- struct{}{} // what is there
		_, a := h.joinOn(slow, "a")
		h.pass(59 * instant.Minute)
		h.do("vm", resource.Pause{When: resource.When{At: h.now()}})
		h.pass(11 * instant.Minute)
		close(slow.through)
		h.pass(4 * instant.Hour)
		h.want("vm", "opened 0s", "credited 0s", "started 0s", "placed 0s", "debited 59m0s", "paused 59m0s")
		if left := slow.reads.Load(); a.n.Load() > 0 || left > 200 {
			t.Errorf("a settled %d times, and had %d reads left", a.n.Load(), left)
		}
	})
}
