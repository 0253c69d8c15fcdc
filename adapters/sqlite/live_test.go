package sqlite_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sandglass/adapters/sqlite"
	"sandglass/domain/stream"
	"sandglass/testutil/storetest"
)

func TestReadOnlySubscriptionLooksForNews(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := newLog(t)
		s := openLog(t, path, sqlite.Options{})
		ro, err := sqlite.OpenReadOnly(path)
		if err != nil {
			t.Fatal(err)
		}
		defer ro.Close()
		ctx, cancel := context.WithCancel(t.Context())
		seen := make(chan stream.Record)
		var wg sync.WaitGroup
		wg.Go(func() {
			for recs, err := range ro.Subscribe(ctx, 0) {
				if err != nil {
					t.Error(err)
				}
				for _, r := range recs {
					seen <- r
				}
			}
		})
		start := time.Now()
		for i := range stream.Revision(10) {
			if _, err := s.Append(ctx, "toy-1", i-1, storetest.Events("toy-1", i-1, "x", 1)); err != nil {
				t.Fatal(err)
			}
			if r := <-seen; r.Revision != i {
				t.Errorf("%d came, want %d", r.Revision, i)
			}
		}
		if took := time.Since(start); took > 2*time.Second {
			t.Errorf("ten events came within %s", took)
		}
		cancel()
		wg.Wait()
	})
}

func TestCloseEndsWhatGoesOn(t *testing.T) {
	path := newLog(t)
	s := openLog(t, path, sqlite.Options{})
	acknowledged := make([]stream.Revision, 16)
	ended := make(chan error, 1)
	seen := make(chan int, 1)
	var wg sync.WaitGroup
	wg.Go(func() {
		n := 0
		for recs, err := range s.Subscribe(ctx, 0) {
			if err != nil {
				ended <- err
				return
			}
			if n += len(recs); n >= 40 {
				select {
				case seen <- n:
				default:
				}
			}
		}
		ended <- nil
	})
	for g := range acknowledged {
		wg.Go(func() {
			name := fmt.Sprintf("toy-%d", g)
			for last := stream.NoStream; ; last++ {
				acknowledged[g] = last
				if _, err := s.Append(ctx, name, last, storetest.Events(name, last, "x", 1)); err != nil {
					if !errors.Is(err, sqlite.ErrClosed) {
						t.Errorf("append: %v", err)
					}
					return
				}
			}
		})
	}
	<-seen
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	wg.Wait()
	if err := <-ended; !errors.Is(err, sqlite.ErrClosed) {
		t.Errorf("the subscription ends with %v, want %v", err, sqlite.ErrClosed)
	}
	if _, err := os.Stat(path + "-wal"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the WAL is left: %v", err)
	}
	for _, err := range s.Read(ctx, "toy-1", 0) {
		if !errors.Is(err, sqlite.ErrClosed) {
			t.Errorf("read: %v", err)
		}
	}
	if _, err := s.Head(ctx); !errors.Is(err, sqlite.ErrClosed) {
		t.Errorf("head: %v", err)
	}
	s = openLog(t, path, sqlite.Options{})
	for g, last := range acknowledged {
		n := stream.NoStream
		for range s.Read(ctx, fmt.Sprintf("toy-%d", g), 0) {
			n++
		}
		if n != last {
			t.Errorf("toy-%d ends at %d, acknowledged was %d", g, n, last)
		}
	}
}

func TestSubscriptionBeyondTheEnd(t *testing.T) {
	s := openLog(t, newLog(t), sqlite.Options{})
	var last error
	for _, err := range s.Subscribe(ctx, 5) {
		last = err
	}
	if last == nil {
		t.Error("a cursor of another log is taken")
	}
}

// refuseRevision4 fails each transaction that writes an event of revision 4.
const refuseRevision4 = `CREATE TEMP TRIGGER refuse BEFORE INSERT ON events WHEN NEW.revision = 4
	BEGIN SELECT RAISE(ROLLBACK, 'refused'); END`

// TestFailedGroupLeavesNothing fails a transaction half way: what the writer remembers
// must then be what the file holds.
func TestFailedGroupLeavesNothing(t *testing.T) {
	s := openLog(t, newLog(t), sqlite.Options{}.Probing(time.Hour)) // which would find that it can write
	if _, err := s.Append(ctx, "toy-1", stream.NoStream, storetest.Events("toy-1", stream.NoStream, "x", 2)); err != nil {
		t.Fatal(err)
	}
	if err := s.WriterSQL(refuseRevision4); err != nil {
		t.Fatal(err)
	}
	batch := storetest.Events("toy-1", 1, "y", 4) // its third event fails, of a type that is new
	batch[0].Type = "toy.new.v1"
	batch[0].ID = stream.EventID{1}
	_, err := s.Append(ctx, "toy-1", 1, batch)
	if err == nil || errors.Is(err, stream.ErrWrongRevision) || errors.Is(err, stream.ErrReadOnly) {
		t.Errorf("append: %v", err)
	}
	if err := s.Writable(); !errors.Is(err, stream.ErrReadOnly) {
		t.Errorf("writable: %v", err)
	}
	if n := count(t, s); n != 2 {
		t.Errorf("%d events, want 2", n)
	}
	if err := s.WriterSQL(`DROP TRIGGER refuse`); err != nil {
		t.Fatal(err)
	}
	res, err := s.Append(ctx, "toy-1", 1, batch)
	if err != nil || res.Revision != 5 || s.Writable() != nil {
		t.Errorf("the same again: %+v, %v, writable %v", res, err, s.Writable())
	}
	if n := count(t, s); n != 6 {
		t.Errorf("%d events, want 6", n)
	}
}

// TestConflictsAmongNeighbours has appends that fail beside appends that don't.
func TestConflictsAmongNeighbours(t *testing.T) {
	t.Parallel()
	s := openLog(t, newLog(t), sqlite.Options{}.Hasty())
	const clients, each = 32, 30
	var wg sync.WaitGroup
	for g := range clients {
		wg.Go(func() {
			name := fmt.Sprintf("toy-%d", g)
			for last := stream.NoStream; last < each; last++ {
				if g%2 == 0 {
					early := storetest.Events(name, last+1, "early", 1)
					if _, err := s.Append(ctx, name, last+1, early); !errors.Is(err, stream.ErrWrongRevision) {
						t.Errorf("a conflict: %v", err)
					}
				}
				events := storetest.Events(name, last, "x", 1)
				res, err := s.Append(ctx, name, last, events)
				again, err2 := s.Append(ctx, name, last, events)
				if err != nil || err2 != nil || res != again || res.Revision != last+1 {
					t.Errorf("%s at %d: %+v, %v; again %+v, %v", name, last, res, err, again, err2)
				}
			}
		})
	}
	wg.Wait()
	if n := count(t, s); n != clients*(each+1) {
		t.Errorf("%d events, want %d", n, clients*(each+1))
	}
}

// TestCancelledAppends cancels at any moment: an append that says that it was cancelled
// wrote nothing.
func TestCancelledAppends(t *testing.T) {
	s := openLog(t, newLog(t), sqlite.Options{})
	var wg sync.WaitGroup
	var cancelled, written [16]int
	for g := range cancelled {
		wg.Go(func() {
			name := fmt.Sprintf("toy-%d", g)
			last := stream.NoStream
			for range 40 {
				ctx, cancel := context.WithCancel(ctx)
				go cancel()
				_, err := s.Append(ctx, name, last, storetest.Events(name, last, "x", 1))
				if cancel(); err == nil {
					last++
					written[g]++
				} else if errors.Is(err, context.Canceled) {
					cancelled[g]++
				} else {
					t.Errorf("append: %v", err)
				}
			}
		})
	}
	wg.Wait()
	total := 0
	for g := range cancelled {
		total += written[g]
	}
	if n := count(t, s); n != total {
		t.Errorf("%d events, want %d", n, total)
	}
	t.Logf("written %v, cancelled %v", written, cancelled)
}

// TestWALIsBounded appends much while subscribers and readers stand still.
func TestWALIsBounded(t *testing.T) {
	path := newLog(t)
	s := openLog(t, path, sqlite.Options{}.Hasty())
	last := stream.NoStream
	grow := func() {
		events := storetest.Events("toy-1", last, "x", stream.MaxAppend)
		if _, err := s.Append(ctx, "toy-1", last, events); err != nil {
			t.Fatal(err)
		}
		last += stream.MaxAppend
	}
	grow()
	for range s.Subscribe(ctx, 0) {
		for range s.Read(ctx, "toy-1", 0) {
			for range 40 {
				grow()
			}
			break
		}
		break
	}
	wal, err := os.Stat(path + "-wal")
	if err != nil {
		t.Fatal(err)
	}
	if size, err := s.Size(); err != nil || wal.Size() > 1<<20 || size < 2*wal.Size() {
		t.Errorf("the WAL has %d bytes of %d, %v", wal.Size(), size, err)
	}
}
