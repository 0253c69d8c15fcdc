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
