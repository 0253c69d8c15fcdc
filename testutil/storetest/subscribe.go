package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"sandglass/domain/stream"
)

// patience bounds a test that would else hang. No test waits for it.
const patience = 2 * time.Minute

func racingWriters(t *testing.T, h Harness) {
	const writers = 64
	s := h.open(t)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	revisions := make([]stream.Revision, writers)
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for expected := stream.NoStream; ; expected++ { // what is there was put there by others
				events := Events("toy-1", expected, fmt.Sprintf("writer %d", w), 1)
				res, err := s.Append(ctx, "toy-1", expected, events)
				if errors.Is(err, stream.ErrWrongRevision) {
					continue
				}
				if err != nil {
					t.Errorf("writer %d: %v", w, err)
				}
				revisions[w] = res.Revision
				return
			}
		})
	}
	wg.Wait()
	recs := read(ctx, t, s, "toy-1", 0)
	if len(recs) != writers {
		t.Fatalf("%d events of %d writers", len(recs), writers)
	}
	for w, rev := range revisions {
		if want := Events("toy-1", rev-1, fmt.Sprintf("writer %d", w), 1)[0].ID; recs[rev].ID != want {
			t.Errorf("writer %d was answered revision %d, where %s stands", w, rev, recs[rev].Data)
		}
	}
	slices.Sort(revisions)
	for i, rev := range revisions {
		if rev != stream.Revision(i) {
			t.Fatalf("revisions %v", revisions)
		}
	}
}

// follower is a subscription and what it has seen.
type follower struct {
	after stream.Position
	seen  []stream.Record
	err   error
}

// follow collects what comes until the last position, or ctx ends.
func (f *follower) follow(ctx context.Context, s stream.EventStore, last <-chan stream.Position) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var mu sync.Mutex // guards until and the end of seen
	until, reached := ^stream.Position(0), stream.Position(0)
	var wg sync.WaitGroup
	wg.Go(func() {
		select {
		case end := <-last:
			mu.Lock()
			defer mu.Unlock()
			if until = end; reached >= end {
				cancel()
			}
		case <-ctx.Done():
		}
	})
	for recs, err := range s.Subscribe(ctx, f.after) {
		if f.err = err; err != nil {
			break
		}
		f.seen = append(f.seen, recs...)
		mu.Lock()
		reached = recs[len(recs)-1].Position
		done := reached >= until
		mu.Unlock()
		if done {
			break
		}
	}
	cancel()
	wg.Wait()
}

func liveSubscribers(t *testing.T, h Harness) {
	const writers, each = 16, 40
	s := h.open(t)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for i := range 30 {
		expected := stream.Revision(20*i) - 1
		appended(ctx, t, s, "toy-old", expected, Events("toy-old", expected, "old", 20)...)
	}
	old := collect(ctx, t, s, 0)
	followers := []*follower{
		{after: 0},
		{after: old[299].Position},
		{after: old[598].Position},
		{after: old[599].Position},
		{after: 0},
	}
	ends := make([]chan stream.Position, len(followers))
	var reading sync.WaitGroup
	for i, f := range followers {
		ends[i] = make(chan stream.Position, 1)
		reading.Go(func() { f.follow(ctx, s, ends[i]) })
	}
	cancelled, stop := context.WithCancel(ctx) // one that leaves early
	reading.Go(func() {
		for _, err := range s.Subscribe(cancelled, 0) {
			if err != nil {
				t.Errorf("a subscriber that leaves: %v", err)
			}
			stop()
		}
	})
	writeMuch(ctx, t, s, writers, each)
	all := collect(ctx, t, s, 0)
	for _, end := range ends {
		end <- all[len(all)-1].Position
	}
	reading.Wait()
	stop()
	if ordered(t, all); len(all) != 600+writers*each {
		t.Errorf("%d events in the log, want %d", len(all), 600+writers*each)
	}
	for i, f := range followers {
		if f.err != nil {
			t.Errorf("subscriber %d: %v", i, f.err)
		}
		want := all[slices.IndexFunc(all, func(r stream.Record) bool { return r.Position > f.after }):]
		alike := func(a, b stream.Record) bool {
			return a.Position == b.Position && a.ID == b.ID && a.Stream == b.Stream
		}
		if !slices.EqualFunc(f.seen, want, alike) {
			t.Errorf("subscriber %d saw %d events after %d, want %d: or in another order", i, len(f.seen), f.after, len(want))
		}
	}
}

// writeMuch appends from many writers with a stream each.
func writeMuch(ctx context.Context, t *testing.T, s stream.EventStore, writers, each int) {
	var writing sync.WaitGroup
	for w := range writers {
		writing.Go(func() {
			name := fmt.Sprintf("toy-%d", w)
			for i := range each {
				expected := stream.Revision(i) - 1
				if _, err := s.Append(ctx, name, expected, Events(name, expected, "live", 1)); err != nil {
					t.Errorf("%s at %d: %v", name, expected, err)
					return
				}
			}
		})
	}
	writing.Wait()
}

// waitingSubscriber checks that one who waits at the head is told of each append.
func waitingSubscriber(t *testing.T, h Harness) {
	s := h.open(t)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	seen := make(chan stream.Record)
	var wg sync.WaitGroup
	wg.Go(func() {
		for recs, err := range s.Subscribe(ctx, 0) {
			if err != nil {
				t.Errorf("subscription: %v", err)
				return
			}
			for _, r := range recs {
				seen <- r
			}
		}
	})
	for i := range 20 {
		expected := stream.Revision(i) - 1
		res := appended(ctx, t, s, "toy-1", expected, Events("toy-1", expected, "tick", 1)...)
		if rec := <-seen; rec.Revision != stream.Revision(i) || rec.Position != res.Position {
			t.Errorf("%d at %d came, want %d at %d", rec.Revision, rec.Position, i, res.Position)
		}
	}
	cancel()
	wg.Wait()
}
