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
func execute(t *testing.T, h *stream.Handler[string, jar, command, event], c command) stream.Outcome[jar] {
	t.Helper()
	out, err := h.Execute(t.Context(), "1", meta, c)
	if err != nil {
		t.Fatalf("%+v: %v", c, err)
	}
	return out
}

// holds checks the sum and the last revision of the jar.
func holds(t *testing.T, h *stream.Handler[string, jar, command, event], sum int64, last stream.Revision) {
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
		if !errors.Is(err, test.err) || out.State.sum != test.sum || out.Revision != test.revision ||
			out.Events != test.events || int(head-before) != test.events {
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
		m, err := rec.Metadata()
		if m.Salt = [16]byte{}; err != nil || m != meta || !stream.Follows("toy-1", rec.Revision, rec.Event) {
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
	type revs = []stream.Revision
	past := []command{add{"a", 60}, empty{}, add{"b", 30}} // revisions 0, 1, 2
	for _, test := range []struct {
		what           string
		state          jar
		at             stream.Revision
		c              command
		err            error
		sum            int64
		last           stream.Revision
		reads, appends revs
	}{
		{"a present state saves the read", jar{30, map[string]bool{"b": true}}, 2, add{"c", 5}, nil, 35, 3, nil, revs{2}},
		{"an old state is read on", jar{60, map[string]bool{"a": true}}, 0, add{"c", 5}, nil, 35, 3, revs{0}, revs{0, 2}},
		{"no state at all is old", newJar(""), stream.NoStream, add{"c", 5}, nil, 35, 3, revs{0}, revs{-1, 2}},
		{"an old refusal is not believed", full(), 0, add{"c", 5}, nil, 35, 3, revs{0}, revs{2}},
		{"an old no-op is not believed", full("a"), 0, add{"a", 5}, nil, 35, 3, revs{0}, revs{2}},
		{"a present refusal stays", jar{30, map[string]bool{"b": true}}, 2, add{"c", 99}, errFull, 30, 2, revs{2}, nil},
		{"a present no-op stays", jar{30, map[string]bool{"b": true}}, 2, add{"b", 30}, nil, 30, 2, revs{2}, nil},
		{"an old yes is a no-op today", jar{60, map[string]bool{"a": true}}, 0, add{"b", 30}, nil, 30, 2, revs{0}, revs{0}},
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

// TestManyExecuteThroughFaults has many callers execute the same commands until each
// is answered, over a store that loses appends and answers: each key is added once.
func TestManyExecuteThroughFaults(t *testing.T) {
	store, _ := storetest.SQLite(t)
	faulty := &storetest.Faulty{EventStore: store, OnAppend: storetest.RandomFaults(1, 40)}
	one, other := handler(faulty), handler(faulty) // two daemons, and many that were just started
	var wg sync.WaitGroup
	for i := range 9 {
		wg.Go(func() {
			for n := range int64(12) {
				c := add{fmt.Sprint(n), n}
				for tries := 0; ; tries++ {
					h := []*stream.Handler[string, jar, command, event]{one, other, handler(faulty)}[i%3]
					_, err := h.Execute(t.Context(), "1", meta, c)
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

// TestExecuteIf adds to a jar that holds 30, where that is allowed.
func TestExecuteIf(t *testing.T) {
	errAway := errors.New("it can't be asked")
	type answer struct {
		holds bool
		err   error
	}
	yes, no, away := answer{holds: true}, answer{}, answer{err: errAway}
	for _, test := range []struct {
		what    string
		warm    bool // the state is known without a read
		rival   bool // is faster once
		answers []answer
		err     error
		sum     int64
		last    stream.Revision
		reads   []int // so many when it was asked
	}{
		{"it holds", false, false, []answer{yes}, nil, 40, 1, []int{1}},
		{"it does not", false, false, []answer{no}, nil, 30, 0, []int{1}},
		{"nobody knows", false, false, []answer{away}, errAway, 30, 0, []int{1}},
		{"a rival changes nothing of it", false, true, []answer{yes, yes}, nil, 41, 2, []int{1, 2}},
		{"a rival makes it false", false, true, []answer{yes, no}, nil, 31, 1, []int{1, 2}},
		{"after a rival nobody knows", false, true, []answer{yes, away}, errAway, 31, 1, []int{1, 2}},
		{"warm, it holds", true, false, []answer{yes}, nil, 40, 1, []int{0}},
		{"warm, it does not, also of what is read", true, false, []answer{no, no}, nil, 30, 0, []int{0, 1}},
		{"warm, it does not, but does of what is read", true, false, []answer{no, yes}, nil, 40, 1, []int{0, 1}},
		{"warm, nobody knows", true, false, []answer{away, away}, errAway, 30, 0, []int{0, 1}},
		{"warm, a rival makes it false", true, true, []answer{yes, no}, nil, 31, 1, []int{0, 1}},
		{"warm, a rival changes nothing of it", true, true, []answer{yes, yes}, nil, 41, 2, []int{0, 1}},
	} {
		t.Run(test.what, func(t *testing.T) {
			store, _ := storetest.SQLite(t)
			execute(t, handler(store), add{"a", 30})
			o := &observed{EventStore: store}
			if test.rival {
				o.rival = sync.OnceFunc(func() { execute(t, handler(store), add{"rival", 1}) })
			}
			h := handler(o)
			h.Warm = func(string) (jar, stream.Revision, bool) { return jar{30, map[string]bool{"a": true}}, 0, test.warm }
			var reads []int
			out, err := h.ExecuteIf(t.Context(), "1", meta, add{"mine", 10}, func(context.Context) (bool, error) {
				reads = append(reads, len(o.reads))
				if len(reads) > len(test.answers) {
					t.Fatalf("asked %d times", len(reads))
				}
				a := test.answers[len(reads)-1]
				return a.holds, a.err
			})
			written := test.answers[len(test.answers)-1].holds
			if !errors.Is(err, test.err) || out.State.sum != test.sum || out.Revision != test.last ||
				(out.Events > 0) != written || (out.Position > 0) != written {
				t.Errorf("%+v, %v", out, err)
			}
			if !slices.Equal(reads, test.reads) {
				t.Errorf("asked after so many reads: %v, want %v", reads, test.reads)
			}
			holds(t, handler(store), test.sum, test.last)
		})
	}
}

// TestLast checks that an outcome names the stream's last event.
func TestLast(t *testing.T) {
	store, _ := storetest.SQLite(t)
	two := handler(store)
	two.Decide = func(jar, command) ([]event, error) {
		return []event{&emptied{stream.At{At: noon}}, &added{stream.At{At: noon}, "b", 2}}, nil
	}
	warm := handler(store)
	warm.Warm = func(string) (jar, stream.Revision, bool) { return jar{2, map[string]bool{"b": true}}, 2, true }
	cold := handler(store)
	if out, err := cold.Load(t.Context(), "1"); err != nil || out.Last != (stream.EventID{}) {
		t.Errorf("of an empty stream: %s, %v", out.Last, err)
	}
	for _, test := range []struct {
		what string
		h    *stream.Handler[string, jar, command, event]
		c    command
	}{
		{"written", cold, add{"a", 1}},
		{"read", cold, add{"a", 1}},
		{"refused", cold, add{"c", 100}},
		{"two written", two, nil},
		{"known, and nothing written", warm, add{"b", 2}},
		{"known, and written", warm, add{"c", 3}},
		{"known of old, and nothing written", warm, add{"c", 3}},
		{"known of old, and written", warm, add{"d", 4}},
	} {
		out, err := test.h.Execute(t.Context(), "1", meta, test.c)
		if err != nil && !errors.Is(err, errFull) {
			t.Fatalf("%s: %v", test.what, err)
		}
		var want stream.EventID
		for rec, err := range store.Read(t.Context(), "toy-1", 0) {
			if err != nil {
				t.Fatal(err)
			}
			want = rec.ID
		}
		if out.Last != want {
			t.Errorf("%s: the last event is %s, want %s", test.what, out.Last, want)
		}
	}
}
