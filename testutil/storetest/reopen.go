package storetest

import (
	"context"
	"errors"
	"testing"

	"sandglass/domain/instant"
	"sandglass/domain/stream"
)

func reopened(t *testing.T, h Harness) {
	open := h.New(t, NewClock().Now)
	events := Events("toy-1", stream.NoStream, "kept", 8)
	var last stream.Appended
	for round := range 4 {
		s, c := open()
		if round > 0 {
			expected := stream.Revision(2*round) - 3
			if again := appended(t.Context(), t, s, "toy-1", expected, events[2*round-2:2*round]...); again != last {
				t.Errorf("after a restart the retry is answered %+v, the append was %+v", again, last)
			}
		}
		if head, err := s.Head(t.Context()); head != last.Position || err != nil {
			t.Errorf("round %d: head %d, %v, want %d", round, head, err, last.Position)
		}
		same(t, read(t.Context(), t, s, "toy-1", 0), "toy-1", 0, events[:2*round])
		next := appended(t.Context(), t, s, "toy-1", stream.Revision(2*round)-1, events[2*round:2*round+2]...)
		if next.Position <= last.Position {
			t.Errorf("round %d: position %d after %d", round, next.Position, last.Position)
		}
		last = next
		same(t, collect(t.Context(), t, s, 0), "toy-1", 0, events[:2*round+2])
		closeLog(t, c)
	}
}

func recordedAt(t *testing.T, h Harness) {
	clock := NewClock()
	open := h.New(t, clock.Now)
	s, c := open()
	var want []instant.Time
	latest := instant.Time(0)
	for i, at := range []instant.Time{began, began + 500, began - 1000, began + 499, began + 501, 5, began + 502} {
		if i == 3 || i == 6 {
			closeLog(t, c)
			s, c = open()
		}
		clock.Set(at)
		expected := stream.Revision(i) - 1
		appended(t.Context(), t, s, "toy-1", expected, Events("toy-1", expected, "tick", 1)...)
		latest = max(latest, at)
		want = append(want, latest)
	}
	defer func() { closeLog(t, c) }()
	last := instant.Time(0)
	for i, rec := range collect(t.Context(), t, s, 0) {
		if rec.RecordedAt < last {
			t.Errorf("event %d was recorded at %s, the one before at %s", i, rec.RecordedAt, last)
		}
		if last = rec.RecordedAt; h.Stamps && rec.RecordedAt != want[i] {
			t.Errorf("event %d was recorded at %s, want %s", i, rec.RecordedAt, want[i])
		}
	}
}

// endedContext asks with a context that has ended: nothing hangs, and what was to be
// appended can be appended all the same.
func endedContext(t *testing.T, h Harness) {
	s := h.open(t)
	appended(t.Context(), t, s, "toy-1", stream.NoStream, Events("toy-1", stream.NoStream, "first", 2)...)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	more := Events("toy-1", 1, "more", 1)
	if _, err := s.Append(ctx, "toy-1", 1, more); !errors.Is(err, context.Canceled) {
		t.Errorf("append: %v, want %v", err, context.Canceled)
	}
	if _, err := s.Head(ctx); err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("head: %v", err)
	}
	for _, err := range s.Read(ctx, "toy-1", 0) {
		if err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("read: %v", err)
		}
	}
	for _, err := range s.Subscribe(ctx, 0) {
		if err != nil {
			t.Errorf("subscribe: %v: the end of the context is no error", err)
		}
	}
	appended(t.Context(), t, s, "toy-1", 1, more...)
	if recs := read(t.Context(), t, s, "toy-1", 0); len(recs) != 3 {
		t.Errorf("%d events, want 3", len(recs))
	}
}
