package storetest_test

import (
	"errors"
	"testing"

	"sandglass/domain/stream"
	"sandglass/testutil/storetest"
)

func TestFaultyAppends(t *testing.T) {
	store, _ := storetest.SQLite(t)
	f := &storetest.Faulty{EventStore: store, OnAppend: storetest.Faults(storetest.Lost, storetest.AnswerLost)}
	events := storetest.Events("toy-1", stream.NoStream, "one", 2)
	for i, want := range []struct {
		err  error
		head stream.Position
	}{{storetest.ErrFault, 0}, {storetest.ErrFault, 2}, {nil, 2}} {
		_, err := f.Append(t.Context(), "toy-1", stream.NoStream, events)
		if head, _ := f.Head(t.Context()); !errors.Is(err, want.err) || head != want.head {
			t.Errorf("append %d: %v, the log ends at %d; want %v, %d", i, err, head, want.err, want.head)
		}
	}
}

func TestRandomFaultsAreTheSameEachTime(t *testing.T) {
	a, b := storetest.RandomFaults(7, 40), storetest.RandomFaults(7, 40)
	seen := map[storetest.Fault]int{}
	for range 1000 {
		fault := a()
		if seen[fault]++; fault != b() {
			t.Fatal("the same seed gives other faults")
		}
	}
	lost, answerLost := seen[storetest.Lost], seen[storetest.AnswerLost]
	if n := lost + answerLost; n < 330 || n > 470 || lost < 120 || answerLost < 120 {
		t.Errorf("faults: %v", seen)
	}
}

func TestFaultySubscriptionsAndReads(t *testing.T) {
	store, _ := storetest.SQLite(t)
	events := storetest.Events("toy-1", stream.NoStream, "one", 3)
	if _, err := store.Append(t.Context(), "toy-1", stream.NoStream, events); err != nil {
		t.Fatal(err)
	}
	for cut := range 2 {
		f := &storetest.Faulty{EventStore: store, OnSubscribe: func() int { return cut }, OnRead: func() bool { return true }}
		runs, last := 0, error(nil)
		for _, err := range f.Subscribe(t.Context(), 0) {
			if last = err; err == nil {
				runs++
			}
		}
		if runs != cut || !errors.Is(last, storetest.ErrFault) {
			t.Errorf("cut after %d: %d runs, then %v", cut, runs, last)
		}
		for _, err := range f.Read(t.Context(), "toy-1", 0) {
			if !errors.Is(err, storetest.ErrFault) {
				t.Errorf("read: %v", err)
			}
		}
	}
}
