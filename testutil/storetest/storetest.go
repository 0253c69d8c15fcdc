// Package storetest is the contract of an event store: what [stream.EventStore] says,
// as tests that every store passes.
//
// [Run] asks for nothing that EventStoreDB could not give, but for what a [Harness] says
// that its store can do beyond. [Faulty] makes any store fail as a network or a crash
// would; [SQLite] opens a real store for the tests of other packages.
package storetest

import (
	"context"
	"io"
	"testing"

	"sandglass/domain/instant"
	"sandglass/domain/stream"
)

// Harness makes the logs that [Run] tests a store with.
type Harness struct {
	// New makes an empty log and returns what opens it. A test closes what it opened
	// before it opens the log again.
	New func(t *testing.T, now func() instant.Time) Opener
	// UniqueIDs says that the store refuses an event id that stands elsewhere in the
	// stream. EventStoreDB doesn't.
	UniqueIDs bool
	// Stamps says that RecordedAt comes from now.
	Stamps bool
}

// Opener opens a log as it was left.
type Opener func() (stream.EventStore, io.Closer)

// Run tests the stores that h makes.
func Run(t *testing.T, h Harness) {
	tests := []struct {
		name string
		run  func(*testing.T, Harness)
	}{
		{"an empty log", emptyLog},
		{"what is appended is read", roundTrip},
		{"the expected revision", expectedRevision},
		{"all or nothing", allOrNothing},
		{"a retry is answered as before", retries},
		{"reading from a revision", readFrom},
		{"long streams and many streams", longAndMany},
		{"bounds", bounds},
		{"bytes are kept as they are", bytesAsTheyAre},
		{"reopened, it goes on", reopened},
		{"recorded_at never runs backwards", recordedAt},
		{"a context that has ended", endedContext},
		{"writers race on one stream", racingWriters},
		{"subscribers while writers append", liveSubscribers},
		{"a subscriber waits", waitingSubscriber},
		{"a model of random operations", model},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) { test.run(t, h) })
	}
	if h.UniqueIDs {
		t.Run("an id is not twice in a stream", func(t *testing.T) { uniqueIDs(t, h) })
	}
}

// open opens an empty log for one test.
func (h Harness) open(t *testing.T) stream.EventStore {
	t.Helper()
	store, c := h.New(t, NewClock().Now)()
	t.Cleanup(func() { closeLog(t, c) })
	return store
}

// tester is a [testing.T], a [testing.B] or a [rapid.T].
type tester interface {
	Helper()
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
}

func closeLog(t *testing.T, c io.Closer) {
	t.Helper()
	if err := c.Close(); err != nil {
		t.Errorf("closing the log: %v", err)
	}
}

// collect returns all that is in the log after a position, by a subscription.
func collect(ctx context.Context, t tester, s stream.EventStore, after stream.Position) []stream.Record {
	t.Helper()
	head, err := s.Head(ctx)
	if err != nil {
		t.Fatalf("head: %v", err)
	}
	var all []stream.Record
	if head <= after {
		return nil
	}
	for recs, err := range s.Subscribe(ctx, after) {
		if err != nil {
			t.Fatalf("subscription after %d, %d events later: %v", after, len(all), err)
		}
		if len(recs) == 0 {
			t.Fatalf("a subscription yields an empty run")
		}
		if all = append(all, recs...); all[len(all)-1].Position >= head {
			break
		}
	}
	return all
}

// read returns the stream from a revision on.
func read(ctx context.Context, t tester, s stream.EventStore, name string, from stream.Revision) []stream.Record {
	t.Helper()
	var all []stream.Record
	for rec, err := range s.Read(ctx, name, from) {
		if err != nil {
			t.Fatalf("reading %s from %d: %v", name, from, err)
		}
		all = append(all, rec)
	}
	return all
}

// appended appends and fails the test if that fails.
func appended(
	ctx context.Context, t tester, s stream.EventStore, name string, expected stream.Revision, events ...stream.Event,
) stream.Appended {
	t.Helper()
	res, err := s.Append(ctx, name, expected, events)
	if err != nil {
		t.Fatalf("appending %d events to %s at %d: %v", len(events), name, expected, err)
	}
	if want := expected + stream.Revision(len(events)); res.Revision != want {
		t.Fatalf("appending %d events to %s at %d: answered revision %d, want %d",
			len(events), name, expected, res.Revision, want)
	}
	return res
}

// ordered checks the order of what a subscription yields: positions grow, and each
// stream's revisions follow each other from where they begin.
func ordered(t tester, recs []stream.Record) {
	t.Helper()
	var last stream.Position
	revisions := map[string]stream.Revision{}
	for _, r := range recs {
		if r.Position <= last {
			t.Errorf("position %d follows %d", r.Position, last)
		}
		if before, ok := revisions[r.Stream]; ok && r.Revision != before+1 {
			t.Errorf("%s has revision %d after %d", r.Stream, r.Revision, before)
		}
		last, revisions[r.Stream] = r.Position, r.Revision
	}
}
