package projections_test

import (
	"context"
	"testing"
	"testing/synctest"

	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/resource"
	"sandglass/domain/stream"
	"sandglass/projections"
	"sandglass/testutil/histories"
)

// TestRunLive writes while the views run: who waits for what was written reads it.
func TestRunLive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := random(t, 5, 10, 100)
		v := projections.New(instant.Hour)
		if _, _, ok := v.NextDeadline(); ok {
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
		a, stopA := v.Watch("a")
		b, stopB := v.Watch("b")
		a2, stopA2 := v.Watch("a")
		has := func(c <-chan struct{}) bool {
			synctest.Wait()
			select {
			case <-c:
				return true
			default:
				return false
			}
		}
		open := resource.Encode(&resource.Opened{Plan: "p", Terms: resource.Terms{Price: money.Price{Msat: 1, Per: 1}}})
		append1(t, m, "resource-a", -1, open)
		if !has(a) || !has(a2) || has(b) || has(a) {
			t.Error("opening a told the wrong ones")
		}
		if !has(v.DeadlineMoved()) || has(v.DeadlineMoved()) {
			t.Error("the first deadline was not told once")
		}
		append1(t, m, "payment-ln-1", -1, stream.Event{Type: "payment.settled.v1", Data: []byte(`{"amount_msat":1,"via":"keysend","resource":"b"}`)})
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

// TestImagesStand reads dumps while the views are folded on: each is of one position.
func TestImagesStand(t *testing.T) {
	m := random(t, 11, 400, 6000)
	v := projections.New(instant.Hour)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- projections.Run(ctx, m, v) }()
	for range 20 {
		checkDump(t, m, v)
	}
	<-v.CaughtUp()
	checkDump(t, m, v)
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
