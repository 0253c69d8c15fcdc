package stream_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"sandglass/domain/stream"
	"sandglass/testutil/storetest"
)

var meta = stream.Meta{Actor: "operator", Correlation: "c-1"}

// execute fails the test on an error.
func execute(t *testing.T, h *stream.Handler[jar, command, event], c command) stream.Outcome[jar] {
	t.Helper()
	out, err := h.Execute(t.Context(), "1", meta, c)
	if err != nil {
		t.Fatalf("%+v: %v", c, err)
	}
	return out
}

// holds checks the sum and the last revision of the jar.
func holds(t *testing.T, h *stream.Handler[jar, command, event], sum int64, last stream.Revision) {
	t.Helper()
	out, err := h.Load(t.Context(), "1")
	if err != nil || out.State.sum != sum || out.Revision != last {
		t.Errorf("the jar holds %d at revision %d, %v; want %d at %d", out.State.sum, out.Revision, err, sum, last)
	}
}

func TestExecute(t *testing.T) {
	store, _ := storetest.SQLite(t)
	h := handler(store)
	for _, test := range []struct {
		what     string
		c        command
		err      error
		sum      int64
		revision stream.Revision
		events   int
	}{
		{"the first", add{"a", 40}, nil, 40, 0, 1},
		{"the same again", add{"a", 40}, nil, 40, 0, 0},
		{"another", add{"b", 50}, nil, 90, 1, 1},
		{"one too many", add{"c", 20}, errFull, 90, 1, 0},
		{"emptied", empty{}, nil, 0, 2, 1},
		{"now it fits", add{"c", 20}, nil, 20, 3, 1},
	} {
		before, _ := store.Head(t.Context())
		out, err := h.Execute(t.Context(), "1", meta, test.c)
		head, _ := store.Head(t.Context())
		if !errors.Is(err, test.err) || out.State.sum != test.sum || out.Revision != test.revision || out.Events != test.events || int(head-before) != test.events {
			t.Errorf("%s: %+v, %v", test.what, out, err)
		}
		if out.Events > 0 && out.Position != head {
			t.Errorf("%s: position %d, the log ends at %d", test.what, out.Position, head)
		}
	}
	for rec, err := range store.Read(t.Context(), "toy-1", 0) {
		if err != nil {
			t.Fatal(err)
		}
		if m, err := rec.Metadata(); err != nil || m != meta || rec.ID != stream.NewID("toy-1", rec.Revision, rec.Event) {
			t.Errorf("revision %d: %+v, %v, id %s", rec.Revision, m, err, rec.ID)
		}
	}
}

func TestARivalIsFaster(t *testing.T) {
	for rivals := range stream.Attempts + 2 {
		store, _ := storetest.SQLite(t)
		o := &observed{EventStore: store}
		left := rivals
		o.rival = func() {
			if left--; left >= 0 {
				execute(t, handler(store), add{fmt.Sprintf("rival %d", left), 1})
			}
		}
		out, err := handler(o).Execute(t.Context(), "1", meta, add{"mine", 10})
		if rivals < stream.Attempts {
			if err != nil || out.Revision != stream.Revision(rivals) || out.State.sum != int64(10+rivals) {
				t.Errorf("%d rivals: %+v, %v", rivals, out, err)
			}
			continue
		}
		if !errors.Is(err, stream.ErrWrongRevision) || len(o.appends) != stream.Attempts {
			t.Errorf("%d rivals: %d attempts, %v", rivals, len(o.appends), err)
		}
		holds(t, handler(store), stream.Attempts, stream.Attempts-1)
	}
}

func TestARivalDoesTheSame(t *testing.T) {
	store, _ := storetest.SQLite(t)
	o := &observed{EventStore: store}
	o.rival = sync.OnceFunc(func() {
		execute(t, handler(store), add{"other", 1})
		execute(t, handler(store), add{"mine", 10})
	})
	if out := execute(t, handler(o), add{"mine", 10}); out.Events != 0 || out.State.sum != 11 {
		t.Errorf("it was done already: %+v", out)
	}
	holds(t, handler(store), 11, 1)
}

func TestWarm(t *testing.T) {
	full := func(keys ...string) jar {
		s := jar{sum: 100, keys: map[string]bool{}}
		for _, k := range keys {
			s.keys[k] = true
		}
		return s
	}
	past := []command{add{"a", 60}, empty{}, add{"b", 30}} // revisions 0, 1, 2
	for _, test := range []struct {
		what           string
		state          jar
		at             stream.Revision
		c              command
		err            error
		sum            int64
		last           stream.Revision
		reads, appends []stream.Revision
	}{
		{"a present state saves the read", jar{30, map[string]bool{"b": true}}, 2, add{"c", 5}, nil, 35, 3, nil, []stream.Revision{2}},
		{"an old state is read on", jar{60, map[string]bool{"a": true}}, 0, add{"c", 5}, nil, 35, 3, []stream.Revision{1}, []stream.Revision{0, 2}},
		{"no state at all is old", newJar(""), stream.NoStream, add{"c", 5}, nil, 35, 3, []stream.Revision{0}, []stream.Revision{-1, 2}},
		{"an old refusal is not believed", full(), 0, add{"c", 5}, nil, 35, 3, []stream.Revision{1}, []stream.Revision{2}},
		{"an old no-op is not believed", full("a"), 0, add{"a", 5}, nil, 35, 3, []stream.Revision{1}, []stream.Revision{2}},
		{"a present refusal stays", jar{30, map[string]bool{"b": true}}, 2, add{"c", 99}, errFull, 30, 2, []stream.Revision{3}, nil},
		{"a present no-op stays", jar{30, map[string]bool{"b": true}}, 2, add{"b", 30}, nil, 30, 2, []stream.Revision{3}, nil},
		{"an old yes is a no-op today", jar{60, map[string]bool{"a": true}}, 0, add{"b", 30}, nil, 30, 2, []stream.Revision{1}, []stream.Revision{0}},
	} {
		t.Run(test.what, func(t *testing.T) {
			store, _ := storetest.SQLite(t)
			for _, c := range past {
				execute(t, handler(store), c)
			}
			o := &observed{EventStore: store}
			h := handler(o)
			h.Warm = func(id string) (jar, stream.Revision, bool) { return test.state, test.at, id == "1" }
			out, err := h.Execute(t.Context(), "1", meta, test.c)
			if !errors.Is(err, test.err) || out.State.sum != test.sum || out.Revision != test.last {
				t.Errorf("%+v, %v", out, err)
			}
			if !slices.Equal(o.reads, test.reads) || !slices.Equal(o.appends, test.appends) {
				t.Errorf("reads from %v, appends at %v; want %v, %v", o.reads, o.appends, test.reads, test.appends)
			}
			holds(t, handler(store), test.sum, test.last)
		})
	}
}

func TestNoWarmState(t *testing.T) {
	store, _ := storetest.SQLite(t)
	h := handler(store)
	h.Warm = func(string) (jar, stream.Revision, bool) { return jar{}, 0, false }
	if out := execute(t, h, add{"a", 1}); out.Revision != 0 || out.State.sum != 1 {
		t.Errorf("%+v", out)
	}
}

func TestExecutedAgainAfterAFault(t *testing.T) {
	for _, fault := range []storetest.Fault{storetest.Lost, storetest.AnswerLost} {
		store, _ := storetest.SQLite(t)
		execute(t, handler(store), add{"before", 1})
		h := handler(&storetest.Faulty{EventStore: store, OnAppend: storetest.Faults(fault)})
		if _, err := h.Execute(t.Context(), "1", meta, add{"a", 10}); !errors.Is(err, storetest.ErrFault) {
			t.Errorf("fault %d: %v", fault, err)
		}
		if out := execute(t, h, add{"a", 10}); out.State.sum != 11 {
			t.Errorf("fault %d, again: %+v", fault, out)
		}
		holds(t, handler(store), 11, 1)
	}
}

func TestErrorsOfTheStore(t *testing.T) {
	store, _ := storetest.SQLite(t)
	h := handler(&storetest.Faulty{EventStore: store, OnRead: func() bool { return true }})
	if _, err := h.Execute(t.Context(), "1", meta, add{"a", 1}); !errors.Is(err, storetest.ErrFault) {
		t.Errorf("a read that fails: %v", err)
	}
	h = handler(store)
	h.Decode = func(*stream.Record) (event, error) { return nil, errFull }
	execute(t, handler(store), add{"a", 1})
	if _, err := h.Execute(t.Context(), "1", meta, add{"b", 1}); !errors.Is(err, errFull) {
		t.Errorf("an event that can't be read: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := handler(store).Execute(ctx, "1", meta, add{"b", 1}); !errors.Is(err, context.Canceled) {
		t.Errorf("a context that has ended: %v", err)
	}
	holds(t, handler(store), 1, 0)
}

// TestManyExecuteThroughFaults has many who execute the same commands until each is
// answered, over a store that loses appends and answers: each key is added once.
func TestManyExecuteThroughFaults(t *testing.T) {
	store, _ := storetest.SQLite(t)
	faulty := &storetest.Faulty{EventStore: store, OnAppend: storetest.RandomFaults(1, 40)}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for n := range int64(12) {
				c := add{fmt.Sprint(n), n}
				for tries := 0; ; tries++ {
					_, err := handler(faulty).Execute(t.Context(), "1", meta, c)
					if err == nil {
						break
					}
					if tries > 200 || !errors.Is(err, storetest.ErrFault) && !errors.Is(err, stream.ErrWrongRevision) {
						t.Errorf("%+v: %v", c, err)
						return
					}
				}
			}
		})
	}
	wg.Wait()
	holds(t, handler(store), 66, 11)
}
