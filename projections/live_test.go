package projections_test

import (
	"bytes"
	"context"
	"errors"
	"iter"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"

	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/resource"
	"sandglass/domain/stream"
	"sandglass/projections"
	"sandglass/testutil/histories"
	"sandglass/testutil/storetest"
)

// TestRunLive writes while the views run: whoever waits for what was written reads it.
func TestRunLive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := random(t, 5, 10, 100)
		v := projections.New(instant.Hour)
		if _, ok := v.NextDeadline(-1); ok {
			t.Error("a deadline before anything was read")
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- projections.Run(ctx, m, v) }()
		<-v.CaughtUp()
		if v.Position() != m.head() {
			t.Errorf("caught up at %d, want %d", v.Position(), m.head())
		}
		w := histories.New(99, 10)
		for range 300 {
			if err := histories.Write(ctx, m, renamed(w.Step())); err != nil {
				t.Fatal(err)
			}
			if err := v.WaitFor(ctx, m.head()); err != nil || v.Position() < m.head() {
				t.Fatalf("waited for %d and got %d, %v", m.head(), v.Position(), err)
			}
		}
		compareDeadlines(t, v, fold(t, m.records))
		short, stop := context.WithCancel(ctx)
		go func() { synctest.Wait(); stop() }()
		if err := v.WaitFor(short, m.head()+1); err != context.Canceled {
			t.Errorf("waiting for what does not come: %v", err)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		same(t, "live", v, replayed(t, m, m.head()))
	})
}

// away is a log that does not answer as often as it says.
type away struct {
	*memory
	heads, reads, subscriptions int
}

func (a *away) Head(ctx context.Context) (stream.Position, error) {
	if a.heads--; a.heads >= 0 {
		return 0, stream.ErrUnavailable
	}
	return a.memory.Head(ctx)
}

func (a *away) Read(ctx context.Context, name string, from stream.Revision) iter.Seq2[stream.Record, error] {
	if a.reads--; a.reads >= 0 {
		return func(yield func(stream.Record, error) bool) { yield(stream.Record{}, stream.ErrUnavailable) }
	}
	return a.memory.Read(ctx, name, from)
}

func (a *away) Subscribe(ctx context.Context, after stream.Position) iter.Seq2[[]stream.Record, error] {
	if a.subscriptions--; a.subscriptions < 0 {
		return a.memory.Subscribe(ctx, after)
	}
	return func(yield func([]stream.Record, error) bool) {
		for run, err := range a.memory.Subscribe(ctx, after) { // a part, and no more
			if !yield(run[:min(len(run), 7)], err) {
				return
			}
			break
		}
		yield(nil, stream.ErrUnavailable)
	}
}

// A store that is away for a while ends nothing, and makes nothing be folded twice.
func TestRunWhileTheStoreIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := random(t, 7, 10, 200)
		a := &away{memory: m, heads: 3, reads: 2, subscriptions: 5}
		v := projections.New(instant.Hour)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- projections.Run(ctx, a, v) }()
		<-v.CaughtUp()
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if a.heads >= 0 || a.subscriptions >= 0 {
			t.Errorf("%d heads and %d subscriptions were not asked for again", a.heads+1, a.subscriptions+1)
		}
		same(t, "after a store that was away", v, replayed(t, m, m.head()))
	})
}

// renamed moves appends to streams of their own.
func renamed(apps []histories.Append) []histories.Append {
	for i := range apps {
		apps[i].Stream += "-live"
	}
	return apps
}

func TestWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		v := projections.New(instant.Hour)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- projections.Run(ctx, m, v) }()
		a, b, a2 := make(chan struct{}, 1), make(chan struct{}, 1), make(chan struct{}, 1)
		stopA, stopB, stopA2 := v.Watch("a", a), v.Watch("b", b), v.Watch("a", a2)
		has := func(c <-chan struct{}) bool {
			synctest.Wait()
			select {
			case <-c:
				return true
			default:
				return false
			}
		}
		open := stream.Encode(&resource.Opened{Plan: "p", Terms: resource.Terms{Price: money.Price{Msat: 1, Per: 1}}})
		append1(t, m, "resource-a", -1, open)
		if !has(a) || !has(a2) || has(b) || has(a) {
			t.Error("opening a told the wrong ones")
		}
		if !has(v.DeadlineMoved()) || has(v.DeadlineMoved()) {
			t.Error("the first deadline was not told once")
		}
		settled := []byte(`{"amount_msat":1,"via":"keysend","resource":"b"}`)
		append1(t, m, "payment-ln-1", -1, stream.Event{Type: "payment.settled.v1", Data: settled})
		if has(a) || !has(b) {
			t.Error("a payment told the wrong ones")
		}
		append1(t, m, "payment-ln-1", 0, stream.Event{Type: "payment.unallocated.v1", Data: []byte(`{"reason":"released"}`)})
		if !has(b) {
			t.Error("a payment that left b did not tell")
		}
		stopA()
		stopA()
		append1(t, m, "payment-ln-1", 1, stream.Event{Type: "payment.allocated.v1", Data: []byte(`{"resource":"a"}`)})
		if has(a) || !has(a2) || has(b) {
			t.Error("an allocation told the wrong ones")
		}
		stopB()
		stopA2()
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func append1(t *testing.T, m *memory, name string, at stream.Revision, e stream.Event) {
	t.Helper()
	if _, err := m.Append(t.Context(), name, at, []stream.Event{e}); err != nil {
		t.Fatal(err)
	}
}

// TestDumpStands folds on while a dump is being read: it is of one position all the same.
func TestDumpStands(t *testing.T) {
	m := newMemory()
	if err := histories.Fill(t.Context(), m, 700, 6000, 1); err != nil {
		t.Fatal(err)
	}
	v := replayed(t, m, m.records[4500].Position)
	dump := &folding{t: t, m: m, v: v}
	if err := v.Dump(dump); err != nil {
		t.Fatal(err)
	}
	if dump.writes < 3 || v.Position() != m.head() {
		t.Fatalf("%d writes, position %d of %d", dump.writes, v.Position(), m.head())
	}
	checkDump(t, m, &dump.Buffer)
	same(t, "after a dump", v, replayed(t, m, m.head()))
}

// folding is a buffer that folds the views on at each write.
type folding struct {
	bytes.Buffer
	t      *testing.T
	m      *memory
	v      *projections.Views
	writes int
}

func (f *folding) Write(b []byte) (int, error) {
	if f.writes++; f.writes == 1 {
		if err := projections.Replay(f.t.Context(), f.m, f.v, f.m.head()); err != nil {
			f.t.Fatal(err)
		}
		same(f.t, "during a dump", f.v, replayed(f.t, f.m, f.m.head()))
	}
	return f.Buffer.Write(b)
}

// checkDump compares a dump with a replay up to its position.
func checkDump(t *testing.T, store stream.EventStore, dump *bytes.Buffer) {
	t.Helper()
	line, _, _ := bytes.Cut(dump.Bytes(), []byte("\n"))
	h, err := projections.DumpHead(line)
	if err != nil {
		t.Fatal(err)
	}
	if diffs, err := replayed(t, store, h.Position).DiffDump(dump); err != nil || len(diffs) > 0 {
		t.Fatalf("at %d: %v, %v", h.Position, diffs, err)
	}
}

// TestRunOverAFile reads all views while a file is written to and folded.
func TestRunOverAFile(t *testing.T) {
	store, _ := storetest.SQLite(t)
	v := projections.New(instant.Hour)
	ctx, cancel := context.WithCancel(t.Context())
	var done, filled sync.WaitGroup
	done.Go(func() {
		if err := projections.Run(ctx, store, v); err != nil {
			t.Error(err)
		}
	})
	for seed := range uint64(2) {
		filled.Go(func() {
			if err := histories.Fill(ctx, store, 300, 4000, seed); err != nil {
				t.Error(err)
			}
		})
	}
	path := filepath.Join(t.TempDir(), "snapshot")
	for range 10 {
		var dump bytes.Buffer
		if err := errors.Join(v.Dump(&dump), v.Save(path, store.ID())); err != nil {
			t.Fatal(err)
		}
		checkDump(t, store, &dump)
		for _, s := range v.Resources("", 50, nil) {
			v.Remaining(s.ID, s.Last)
			v.PaymentsOf(s.ID)
		}
		dueAll(v, 50)
		v.OpenPayments()
		v.Unallocated("", 50)
	}
	filled.Wait()
	head, err := store.Head(ctx)
	if err := errors.Join(err, v.WaitFor(ctx, head)); err != nil {
		t.Fatal(err)
	}
	cancel()
	done.Wait()
	w := projections.New(instant.Hour)
	if err := errors.Join(w.Load(path, store.ID()), projections.Replay(t.Context(), store, w, head)); err != nil {
		t.Fatal(err)
	}
	same(t, "from a snapshot", v, w)
	var records []stream.Record
	for run, err := range store.Subscribe(t.Context(), 0) {
		if records = append(records, run...); err != nil || len(records) >= int(head) {
			break
		}
	}
	compare(t, v, fold(t, records))
	if diffs := v.Check(); len(diffs) > 0 {
		t.Error(diffs)
	}
}
