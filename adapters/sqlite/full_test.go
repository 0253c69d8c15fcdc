package sqlite_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"sandglass/adapters/sqlite"
	"sandglass/domain/stream"
	"sandglass/testutil/storetest"
)

func TestFloorOfFreeSpace(t *testing.T) {
	var free atomic.Int64
	s := openLog(t, newLog(t), sqlite.Options{
		FreeSpaceFloor: 1000,
		FreeSpace:      func(string) (int64, error) { return free.Load(), nil },
	})
	last := stream.NoStream
	for _, step := range []struct {
		free int64
		ok   bool
	}{
		{5000, true},
		{1000, true},
		{999, false},
		{1000, false},
		{1249, false},
		{1250, true},
		{1000, true},
		{10, false},
		{5000, true},
	} {
		free.Store(step.free)
		events := storetest.Events("toy-1", last, "x", 1)
		_, err := s.Append(ctx, "toy-1", last, events)
		writable := s.Writable()
		if step.ok != (err == nil) || step.ok != (writable == nil) {
			t.Fatalf("%d bytes are free: append %v, writable %v", step.free, err, writable)
		}
		readOnly := errors.Is(err, stream.ErrReadOnly) && errors.Is(writable, stream.ErrReadOnly)
		if err == nil {
			last++
		} else if !readOnly || !strings.Contains(err.Error(), "make room") {
			t.Errorf("%d bytes are free: %v", step.free, err)
		}
		if n := count(t, s); n != int(last)+1 {
			t.Errorf("%d bytes are free: %d events are read, want %d", step.free, n, last+1)
		}
	}
}

// count reads the whole log.
func count(t *testing.T, s *sqlite.Store) (n int) {
	t.Helper()
	if err := s.Verify(ctx); err != nil {
		t.Fatal(err)
	}
	head, err := s.Head(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if head == 0 {
		return 0 // a subscription would wait for the first event
	}
	for recs, err := range s.Subscribe(ctx, 0) {
		if err != nil {
			t.Fatal(err)
		}
		if n += len(recs); recs[len(recs)-1].Position >= head {
			break
		}
	}
	return n
}

// fill appends from many goroutines until each has been refused, and returns how many
// events were acknowledged.
func fill(t *testing.T, s *sqlite.Store, last []stream.Revision) (n int) {
	t.Helper()
	var wg sync.WaitGroup
	var acknowledged atomic.Int64
	for g := range last {
		wg.Go(func() {
			name := fmt.Sprintf("toy-%d", g)
			for {
				events := storetest.Events(name, last[g], strings.Repeat("x", 400), 1+g%3)
				res, err := s.Append(ctx, name, last[g], events)
				if err != nil {
					if !errors.Is(err, stream.ErrReadOnly) {
						t.Errorf("%s: %v", name, err)
					}
					return
				}
				last[g] = res.Revision
				acknowledged.Add(int64(len(events)))
			}
		})
	}
	wg.Wait()
	return int(acknowledged.Load())
}

func TestFileIsFull(t *testing.T) {
	t.Parallel()
	path := newLog(t)
	// What it writes to find out whether it can, a second later, needs no page more: it would say so.
	s := openLog(t, path, sqlite.Options{FreeSpaceFloor: -1}.Hasty().Probing(time.Hour))
	last := make([]stream.Revision, 8)
	for i := range last {
		last[i] = stream.NoStream
	}
	total := 0
	for range 5 {
		if err := s.LimitPages(40); err != nil {
			t.Fatal(err)
		}
		n := fill(t, s, last)
		if total += n; n == 0 {
			t.Error("nothing was written though there was room")
		}
		if err := s.Writable(); !errors.Is(err, stream.ErrReadOnly) {
			t.Errorf("writable: %v", err)
		}
		if got := count(t, s); got != total {
			t.Fatalf("%d events are there, %d were acknowledged", got, total)
		}
		if err := s.LimitPages(0); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Append(ctx, "toy-0", last[0], storetest.Events("toy-0", last[0], "room", 1)); err != nil {
			t.Fatalf("there is room again: %v", err)
		}
		last[0]++
		total++
		if err := s.Writable(); err != nil {
			t.Errorf("there is room again: %v", err)
		}
	}
	s.Close()
	if got := count(t, openLog(t, path, sqlite.Options{})); got != total {
		t.Errorf("after a restart %d events are there, %d were acknowledged", got, total)
	}
}

// TestDiskIsFull fills a small disk, where the WAL has no room for a COMMIT.
func TestDiskIsFull(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=1m"); err != nil {
		t.Skipf("mounting a small disk: %v", err)
	}
	t.Cleanup(func() { syscall.Unmount(dir, syscall.MNT_DETACH) })
	path := filepath.Join(dir, "log")
	if err := sqlite.Create(path); err != nil {
		t.Fatal(err)
	}
	s := openLog(t, path, sqlite.Options{FreeSpaceFloor: -1})
	last := make([]stream.Revision, 8)
	for i := range last {
		last[i] = stream.NoStream
	}
	total := fill(t, s, last)
	if n := count(t, s); total == 0 || n != total {
		t.Fatalf("%d events are there, %d were acknowledged", n, total)
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT, "size=16m"); err != nil {
		t.Fatal(err)
	}
	for g := range last {
		name := fmt.Sprintf("toy-%d", g)
		if _, err := s.Append(ctx, name, last[g], storetest.Events(name, last[g], "room", 1)); err != nil {
			t.Fatalf("there is room again: %v", err)
		}
		total++
	}
	s.Close()
	if n := count(t, openLog(t, path, sqlite.Options{})); n != total {
		t.Errorf("after a restart %d events are there, %d were acknowledged", n, total)
	}
}
