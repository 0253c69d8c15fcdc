package stream_test

import (
	"regexp"
	"testing"

	"sandglass/domain/stream"

	"pgregory.net/rapid"
)

func TestNewIDDependsOnEachPart(t *testing.T) {
	e := stream.Event{Type: "toy.added.v1", At: noon, Data: []byte(`{"key":"a","n":1}`), Meta: []byte(`{}`)}
	with := func(change func(*stream.Event)) stream.Event {
		e := e
		change(&e)
		return e
	}
	ids := map[string]stream.EventID{
		"itself":   stream.NewID("toy-1", 0, e),
		"stream":   stream.NewID("toy-2", 0, e),
		"revision": stream.NewID("toy-1", 1, e),
		"type":     stream.NewID("toy-1", 0, with(func(e *stream.Event) { e.Type = "toy.added.v2" })),
		"time":     stream.NewID("toy-1", 0, with(func(e *stream.Event) { e.At++ })),
		"data":     stream.NewID("toy-1", 0, with(func(e *stream.Event) { e.Data = []byte(`{"key":"a","n":2}`) })),
		"a border": stream.NewID("toy-1t", 0, with(func(e *stream.Event) { e.Type = "oy.added.v1" })),
	}
	seen := map[stream.EventID]string{}
	for part, id := range ids {
		if other, ok := seen[id]; ok {
			t.Errorf("%s and %s have one id", part, other)
		}
		seen[id] = part
	}
	for part, e := range map[string]stream.Event{
		"metadata":  with(func(e *stream.Event) { e.Meta = nil }),
		"an old id": with(func(e *stream.Event) { e.ID[0] = 1 }),
	} {
		if stream.NewID("toy-1", 0, e) != ids["itself"] {
			t.Errorf("the id depends on %s", part)
		}
	}
	// Ids are kept for good: this one must never change.
	if got, want := ids["itself"].String(), "16415e7c-8d6d-5c8f-b201-cd512b00ea3f"; got != want {
		t.Errorf("the id is %s, and was %s", got, want)
	}
	attempt := stream.Attempt{1, 2, 3, 4, 5, 6, 7, 8}
	if got, want := stream.NewAttemptID(attempt, "toy-1", 0, e).String(), "01020304-0506-8708-9d87-4bfb38ae76ea"; got != want {
		t.Errorf("the id of an attempt is %s, and was %s", got, want)
	}
}

func TestNewIDIsAUUIDVersion5(t *testing.T) {
	form := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	rapid.Check(t, func(t *rapid.T) {
		e := stream.Event{Type: rapid.String().Draw(t, "type"), Data: rapid.SliceOf(rapid.Byte()).Draw(t, "data")}
		rev := stream.Revision(rapid.Int64().Draw(t, "revision"))
		if id := stream.NewID(rapid.String().Draw(t, "stream"), rev, e).String(); !form.MatchString(id) {
			t.Fatalf("%s is no UUID of version 5", id)
		}
	})
}

// An id says of which attempt it is, and follows from the content all the same.
func TestFollows(t *testing.T) {
	form := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	rapid.Check(t, func(t *rapid.T) {
		var attempts [2]stream.Attempt
		for i := range attempts {
			copy(attempts[i][:], rapid.SliceOfN(rapid.Byte(), 8, 8).Draw(t, "attempt"))
			attempts[i][0] = byte(i)
		}
		e := stream.Event{Type: "toy.added.v1", At: noon, Data: []byte(rapid.String().Draw(t, "data"))}
		one, other := stream.NewAttemptID(attempts[0], "toy-1", 7, e), stream.NewAttemptID(attempts[1], "toy-1", 7, e)
		if one == other || one != stream.NewAttemptID(attempts[0], "toy-1", 7, e) || !form.MatchString(one.String()) {
			t.Fatalf("%s and %s", one, other)
		}
		for _, id := range []stream.EventID{one, other, stream.NewID("toy-1", 7, e)} {
			e.ID = id
			changed := e
			changed.Data = append([]byte("x"), e.Data...)
			if !stream.Follows("toy-1", 7, e) || stream.Follows("toy-1", 8, e) || stream.Follows("toy-1", 7, changed) {
				t.Fatalf("%s", id)
			}
		}
	})
}
