package stream_test

import (
	"context"
	"errors"
	"iter"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"sandglass/domain/stream"
	"sandglass/testutil/storetest"
)

// A command on a stream that the handler wrote last takes one round trip; what it knows is
// read on only where that is old, or where nothing is to be written.
func TestWhatWasWrittenIsKnown(t *testing.T) {
	store, _ := storetest.SQLite(t)
	o := &observed{EventStore: store}
	h := handler(o)
	type revs = []stream.Revision
	rival := func(c command) { execute(t, handler(store), c) }
	for _, test := range []struct {
		what           string
		before, c      command
		err            error
		sum            int64
		last           stream.Revision
		reads, appends revs
	}{
		{"nothing is known", nil, add{"a", 1}, nil, 1, 0, revs{0}, revs{-1}},
		{"it was written", nil, add{"b", 2}, nil, 3, 1, nil, revs{0}},
		{"again", nil, add{"c", 3}, nil, 6, 2, nil, revs{1}},
		{"nothing is to be done", nil, add{"c", 3}, nil, 6, 2, revs{2}, nil},
		{"it is refused", nil, add{"d", 99}, errFull, 6, 2, revs{2}, nil},
		{"somebody else wrote", add{"e", 4}, add{"f", 5}, nil, 15, 4, revs{2}, revs{2, 3}},
		{"somebody else did it", add{"g", 6}, add{"g", 6}, nil, 21, 5, revs{4}, revs{4}},
		{"somebody else left no room", add{"h", 70}, add{"i", 10}, errFull, 91, 6, revs{5}, revs{5}},
		{"somebody else made room", empty{}, add{"i", 10}, nil, 10, 8, revs{6}, revs{7}},
	} {
		if test.before != nil {
			rival(test.before)
		}
		o.reads, o.appends = nil, nil
		out, err := h.Execute(t.Context(), "1", meta, test.c)
		if !errors.Is(err, test.err) || out.State.sum != test.sum || out.Revision != test.last {
			t.Errorf("%s: %+v, %v", test.what, out, err)
		}
		if !slices.Equal(o.reads, test.reads) || !slices.Equal(o.appends, test.appends) {
			t.Errorf("%s: reads from %v, appends at %v; want %v, %v", test.what, o.reads, o.appends, test.reads, test.appends)
		}
	}
	holds(t, h, 10, 8)
	holds(t, handler(store), 10, 8)
}

// What a handler knows is nobody's but its own.
func TestWhatIsKnownIsNotShared(t *testing.T) {
	store, _ := storetest.SQLite(t)
	h := handler(store)
	for _, n := range []string{"a", "b"} {
		out := execute(t, h, add{n, 1})
		out.State.keys["c"] = true
		out, err := h.Load(t.Context(), "1")
		if err != nil || out.State.keys["c"] {
			t.Errorf("%+v, %v", out, err)
		}
		out.State.keys["c"] = true
	}
	if out := execute(t, h, add{"c", 1}); out.Events != 1 || out.State.sum != 3 {
		t.Errorf("%+v", out)
	}
}

// A handler that many use at once, with rivals, decides as if each command read the stream.
func TestManyUseWhatIsKnown(t *testing.T) {
	store, _ := storetest.SQLite(t)
	h := handler(store)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for n := range 5 {
				user := h
				if i%4 == 0 {
					user = handler(store)
				}
				c := add{strconv.Itoa(8*n + i), 1}
				_, err := user.Execute(t.Context(), "1", meta, c)
				for errors.Is(err, stream.ErrWrongRevision) {
					_, err = user.Execute(t.Context(), "1", meta, c)
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	holds(t, h, 40, 39)
	holds(t, handler(store), 40, 39)
}

// late is a store whose reads show the stream without its last events, as a copy does that
// lags.
type late struct {
	stream.EventStore
	by int
}

func (l *late) Read(ctx context.Context, name string, from stream.Revision) iter.Seq2[stream.Record, error] {
	return func(yield func(stream.Record, error) bool) {
		var all []stream.Record
		for rec, err := range l.EventStore.Read(ctx, name, 0) {
			if err != nil {
				yield(rec, err)
				return
			}
			all = append(all, rec)
		}
		for _, rec := range all[:max(0, len(all)-l.by)] {
			if rec.Revision >= from && !yield(rec, nil) {
				return
			}
		}
	}
}

// A stream that is shorter than it was, for this process, is no fact but an error that passes;
// what is known is decided on meanwhile.
func TestAStreamIsNeverShorter(t *testing.T) {
	store, _ := storetest.SQLite(t)
	l := &late{EventStore: store}
	h := handler(l)
	behind := func(what string, err error) {
		t.Helper()
		if !errors.Is(err, stream.ErrBehind) || !errors.Is(err, stream.ErrUnavailable) {
			t.Errorf("%s: %v, want %v", what, err, stream.ErrBehind)
		}
	}
	for _, what := range []string{"written", "read"} {
		execute(t, h, add{what, 1})
		execute(t, h, add{what + ", too", 1})
		if what == "read" {
			h = handler(l)
			if _, err := h.Load(t.Context(), "1"); err != nil {
				t.Fatal(err)
			}
		}
		for l.by = range 10 {
			if l.by == 0 {
				continue
			}
			_, err := h.Load(t.Context(), "1")
			behind(what, err)
			_, err = h.Execute(t.Context(), "1", meta, add{what, 1})
			behind(what+", done already", err)
			_, err = h.Execute(t.Context(), "1", meta, add{"too much", 100})
			behind(what+", refused", err)
		}
		if out := execute(t, h, add{what + ", at last", 1}); out.Events != 1 {
			t.Errorf("%s: %+v", what, out)
		}
		l.by = 0
	}
	warm := handler(l)
	warm.Warm = func(string) (jar, stream.Revision, bool) { return jar{9, map[string]bool{"x": true}}, 9, true }
	_, err := warm.Execute(t.Context(), "1", meta, add{"x", 1})
	behind("what a view shows", err)
	holds(t, h, 6, 5)
}

// The same decision on an old state, at the same instant, is not taken for the retry of an
// earlier one.
func TestTheSameOnAnOldStateIsNoRetry(t *testing.T) {
	store, _ := storetest.SQLite(t)
	h, other := handler(store), handler(store)
	execute(t, h, add{"before", 1})
	other.Warm = func(string) (jar, stream.Revision, bool) { return jar{1, map[string]bool{"before": true}}, 0, true }
	execute(t, h, add{"a", 10})
	execute(t, h, empty{})
	out := execute(t, other, add{"a", 10})
	if out.Revision != 3 || out.Events != 1 || out.State.sum != 10 {
		t.Errorf("%+v", out)
	}
	holds(t, h, 10, 3)
}

// A fact is the same whoever tells it.
func TestAFactIsTheSameWhoeverTellsIt(t *testing.T) {
	store, _ := storetest.SQLite(t)
	var told []stream.EventID
	for range 2 {
		h := handler(store)
		h.Facts = true
		h.Warm = func(string) (jar, stream.Revision, bool) { return newJar(""), stream.NoStream, true }
		out := execute(t, h, add{"a", 10})
		told = append(told, out.Last)
	}
	if told[0] != told[1] {
		t.Errorf("told as %v", told)
	}
	holds(t, handler(store), 10, 0)
}

// What a handler keeps is bounded, by number and by size, and what it forgot it reads.
func TestWhatIsKnownIsBounded(t *testing.T) {
	store, _ := storetest.SQLite(t)
	o := &observed{EventStore: store}
	h := handler(o)
	size := 100
	h.Copy = func(s jar) (jar, int) { return jar{s.sum, map[string]bool{strings.Repeat("x", size): true}}, size }
	fill := func(n int) (kept int) {
		for i := range n {
			if _, err := h.Execute(t.Context(), strconv.Itoa(i), meta, empty{}); err != nil {
				t.Fatal(err)
			}
		}
		for i := range n {
			o.appends, o.reads = nil, nil
			if _, err := h.Execute(t.Context(), strconv.Itoa(n-1-i), meta, empty{}); err != nil {
				t.Fatal(err)
			}
			if len(o.reads) == 0 {
				kept++
			} else {
				break
			}
		}
		return kept
	}
	size = 1 << 20
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	if kept := fill(40); kept != 7 {
		t.Errorf("%d states of 1 MiB are kept", kept)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 12<<20 {
		t.Errorf("it takes %d bytes", grown)
	}
	size = 64 << 10
	if kept := fill(200); kept < 120 || kept > 128 {
		t.Errorf("%d states of 64 KiB are kept", kept)
	}
	size = 16 << 20 // more than all
	if kept := fill(1); kept != 0 {
		t.Error("a state is kept that is too large")
	}
}
