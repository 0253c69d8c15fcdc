package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"sandglass/domain/instant"
	"sandglass/domain/stream"
)

func emptyLog(t *testing.T, h Harness) {
	s := h.open(t)
	if head, err := s.Head(t.Context()); head != 0 || err != nil {
		t.Errorf("head %d, %v", head, err)
	}
	if recs := read(t.Context(), t, s, "toy-1", 0); len(recs) != 0 {
		t.Errorf("an unknown stream holds %d events", len(recs))
	}
}

func roundTrip(t *testing.T, h Harness) {
	s := h.open(t)
	a, b := Events("toy-a", stream.NoStream, "a", 3), Events("toy-b", stream.NoStream, "b", 2)
	atA := appended(t.Context(), t, s, "toy-a", stream.NoStream, a...)
	atB := appended(t.Context(), t, s, "toy-b", stream.NoStream, b...)
	if atA.Position == 0 || atB.Position <= atA.Position {
		t.Errorf("positions %d and %d", atA.Position, atB.Position)
	}
	if head, err := s.Head(t.Context()); head != atB.Position || err != nil {
		t.Errorf("head %d, %v, want %d", head, err, atB.Position)
	}
	all := collect(t.Context(), t, s, 0)
	ordered(t, all)
	if len(all) != 5 {
		t.Fatalf("%d events in the log, want 5", len(all))
	}
	same(t, all[:3], "toy-a", 0, a)
	same(t, all[3:], "toy-b", 0, b)
	same(t, read(t.Context(), t, s, "toy-a", 0), "toy-a", 0, a)
	same(t, read(t.Context(), t, s, "toy-b", 0), "toy-b", 0, b)
	if all[2].Position != atA.Position || all[4].Position != atB.Position {
		t.Errorf("the last events stand at %d and %d, their appends were answered %d and %d",
			all[2].Position, all[4].Position, atA.Position, atB.Position)
	}
}

// same checks that recs are events, which stand in the stream from a revision on.
func same(t tester, recs []stream.Record, name string, from stream.Revision, events []stream.Event) {
	t.Helper()
	if len(recs) != len(events) {
		t.Fatalf("%d records of %s from %d, want %d", len(recs), name, from, len(events))
	}
	for i, r := range recs {
		e := events[i]
		if r.Stream != name || r.Revision != from+stream.Revision(i) {
			t.Fatalf("%s %d stands where %s %d should", r.Stream, r.Revision, name, from+stream.Revision(i))
		}
		if r.ID != e.ID || r.Type != e.Type || r.At != e.At || !bytes.Equal(r.Data, e.Data) || !bytes.Equal(r.Meta, e.Meta) {
			t.Fatalf("%s %d is %+v, want %+v", name, r.Revision, r.Event, e)
		}
	}
}

func expectedRevision(t *testing.T, h Harness) {
	s := h.open(t)
	appended(t.Context(), t, s, "toy-1", stream.NoStream, Events("toy-1", stream.NoStream, "first", 3)...)
	for _, test := range []struct {
		what     string
		stream   string
		expected stream.Revision
		err      error
	}{
		{"no stream, but there is one", "toy-1", stream.NoStream, stream.ErrWrongRevision},
		{"too low", "toy-1", 1, stream.ErrWrongRevision},
		{"too high", "toy-1", 3, stream.ErrWrongRevision},
		{"far too high", "toy-1", 1 << 40, stream.ErrWrongRevision},
		{"a revision of a stream that is not", "toy-2", 0, stream.ErrWrongRevision},
		{"no stream, and there is none", "toy-2", stream.NoStream, nil},
		{"the last", "toy-1", 2, nil},
		{"the last before", "toy-1", 2, stream.ErrWrongRevision},
		{"the new last", "toy-1", 4, nil},
	} {
		before := collect(t.Context(), t, s, 0)
		_, err := s.Append(t.Context(), test.stream, test.expected, Events(test.stream, test.expected, test.what, 2))
		if !errors.Is(err, test.err) {
			t.Errorf("%s: %v, want %v", test.what, err, test.err)
		}
		if after := collect(t.Context(), t, s, 0); err != nil && len(after) != len(before) {
			t.Errorf("%s: it was refused, and %d events were written", test.what, len(after)-len(before))
		}
	}
}

func allOrNothing(t *testing.T, h Harness) {
	s := h.open(t)
	events := Events("toy-1", stream.NoStream, "many", stream.MaxAppend)
	appended(t.Context(), t, s, "toy-1", stream.NoStream, events...)
	late := Events("toy-1", 7, "late", stream.MaxAppend)
	if _, err := s.Append(t.Context(), "toy-1", 7, late); !errors.Is(err, stream.ErrWrongRevision) {
		t.Errorf("a late append: %v", err)
	}
	same(t, read(t.Context(), t, s, "toy-1", 0), "toy-1", 0, events)
}

func retries(t *testing.T, h Harness) {
	s := h.open(t)
	events := Events("toy-1", stream.NoStream, "first", 6)
	first := appended(t.Context(), t, s, "toy-1", stream.NoStream, events[:3]...)
	again := appended(t.Context(), t, s, "toy-1", stream.NoStream, events[:3]...)
	if again != first {
		t.Errorf("the retry is answered %+v, the append was %+v", again, first)
	}
	second := appended(t.Context(), t, s, "toy-1", 2, events[3:]...)
	if again := appended(t.Context(), t, s, "toy-1", stream.NoStream, events[:3]...); again != first {
		t.Errorf("after more was appended the retry is answered %+v, the append was %+v", again, first)
	}
	if again := appended(t.Context(), t, s, "toy-1", 2, events[3:]...); again != second {
		t.Errorf("the second's retry is answered %+v, the append was %+v", again, second)
	}
	appended(t.Context(), t, s, "toy-1", stream.NoStream, events[:2]...) // a prefix of what stands there
	appended(t.Context(), t, s, "toy-1", 0, events[1:3]...)              // or a part
	salted := slices.Clone(events[3:])
	for i := range salted {
		salted[i].Meta = []byte(`{"salt":"00112233445566778899aabbccddeeff"}`)
	}
	if again := appended(t.Context(), t, s, "toy-1", 2, salted...); again != second { // what was kept stays: see same
		t.Errorf("with other metadata the retry is answered %+v, the append was %+v", again, second)
	}

	later := append(Events("toy-1", stream.NoStream, "first", 2), Events("toy-1", 1, "other", 1)...)
	longer := append(Events("toy-1", stream.NoStream, "first", 6), Events("toy-1", 5, "more", 1)...)
	for what, batch := range map[string][]stream.Event{
		"other events":                 Events("toy-1", stream.NoStream, "other", 3),
		"events that differ later":     later,
		"the same events and one more": longer,
	} {
		if _, err := s.Append(t.Context(), "toy-1", stream.NoStream, batch); !errors.Is(err, stream.ErrWrongRevision) {
			t.Errorf("%s: %v, want %v", what, err, stream.ErrWrongRevision)
		}
	}
	same(t, read(t.Context(), t, s, "toy-1", 0), "toy-1", 0, events)
	if all := collect(t.Context(), t, s, 0); len(all) != len(events) {
		t.Errorf("%d events in the log, want %d", len(all), len(events))
	}
}

func uniqueIDs(t *testing.T, h Harness) {
	s := h.open(t)
	events := Events("toy-1", stream.NoStream, "first", 3)
	appended(t.Context(), t, s, "toy-1", stream.NoStream, events...)
	refused := func(what string, expected stream.Revision, batch ...stream.Event) {
		t.Helper()
		before := collect(t.Context(), t, s, 0)
		if _, err := s.Append(t.Context(), "toy-1", expected, batch); !errors.Is(err, stream.ErrDuplicateID) {
			t.Errorf("%s: %v, want %v", what, err, stream.ErrDuplicateID)
		}
		if after := collect(t.Context(), t, s, 0); len(after) != len(before) {
			t.Errorf("%s: %d events were written", what, len(after)-len(before))
		}
	}
	fresh := Events("toy-1", 2, "fresh", 2)
	refused("the first id again", 2, events[0])
	refused("the last id again", 2, fresh[0], events[2])
	appended(t.Context(), t, s, "toy-2", stream.NoStream, events[1]) // another stream may hold it

	// An id that stands where another should: it is refused at its own place too.
	early := Events("toy-1", 3, "early", 1)[0]
	appended(t.Context(), t, s, "toy-1", 2, early)
	refused("an id at its own place, after it was put at another", 3, early)
	strange := stream.Event{ID: stream.EventID{15: 1}, Type: "toy.strange.v1", At: began}
	appended(t.Context(), t, s, "toy-1", 3, strange)
	refused("an id that nobody derived", 4, strange)
	appended(t.Context(), t, s, "toy-1", 4, Events("toy-1", 4, "on", 5)...)
	refused("the same, later", 9, strange)
}

func readFrom(t *testing.T, h Harness) {
	s := h.open(t)
	events := Events("toy-1", stream.NoStream, "first", 9)
	appended(t.Context(), t, s, "toy-1", stream.NoStream, events...)
	for from := range stream.Revision(9) {
		same(t, read(t.Context(), t, s, "toy-1", from), "toy-1", from, events[from:])
	}
	for _, from := range []stream.Revision{9, 10, 1 << 40} {
		if recs := read(t.Context(), t, s, "toy-1", from); len(recs) != 0 {
			t.Errorf("%d events from %d on, beyond the end", len(recs), from)
		}
	}
	for rec, err := range s.Read(t.Context(), "toy-1", 0) { // who stops reading may append
		if err != nil || rec.Revision > 0 {
			t.Fatal(rec, err)
		}
		appended(t.Context(), t, s, "toy-1", 8, Events("toy-1", 8, "while reading", 1)...)
		break
	}
}

func longAndMany(t *testing.T, h Harness) {
	s := h.open(t)
	var long []stream.Event
	for n := 0; n < 6; n++ {
		last := stream.Revision(len(long)) - 1
		batch := Events("toy-long", last, "long", stream.MaxAppend)
		appended(t.Context(), t, s, "toy-long", last, batch...)
		long = append(long, batch...)
		for i := range 20 {
			name := fmt.Sprintf("toy-%d", i*7)
			appended(t.Context(), t, s, name, stream.Revision(n)-1, Events(name, stream.Revision(n)-1, name, 1)...)
		}
	}
	same(t, read(t.Context(), t, s, "toy-long", 0), "toy-long", 0, long)
	same(t, read(t.Context(), t, s, "toy-long", 1500), "toy-long", 1500, long[1500:])
	for i := range 20 {
		name := fmt.Sprintf("toy-%d", i*7)
		same(t, read(t.Context(), t, s, name, 0), name, 0, Events(name, stream.NoStream, name, 6))
	}
	all := collect(t.Context(), t, s, 0)
	if ordered(t, all); len(all) != len(long)+120 {
		t.Errorf("%d events in the log, want %d", len(all), len(long)+120)
	}
	middle := collect(t.Context(), t, s, all[700].Position)
	if len(middle) != len(all)-701 || middle[0].Position != all[701].Position {
		t.Errorf("%d events after position %d, want %d", len(middle), all[700].Position, len(all)-701)
	}
}

func bounds(t *testing.T, h Harness) {
	s := h.open(t)
	one := func(change func(*stream.Event)) []stream.Event {
		events := Events("toy-1", stream.NoStream, "one", 1)
		change(&events[0])
		return events
	}
	ok := func(*stream.Event) {}
	for what, test := range map[string]struct {
		stream   string
		expected stream.Revision
		events   []stream.Event
	}{
		"no name":             {"", stream.NoStream, one(ok)},
		"a name with a space": {"toy 1", stream.NoStream, one(ok)},
		"a long name":         {strings.Repeat("x", stream.MaxName+1), stream.NoStream, one(ok)},
		"a revision below":    {"toy-1", -2, one(ok)},
		"no events":           {"toy-1", stream.NoStream, nil},
		"too many events":     {"toy-1", stream.NoStream, Events("toy-1", stream.NoStream, "", stream.MaxAppend+1)},
		"no type":             {"toy-1", stream.NoStream, one(func(e *stream.Event) { e.Type = "" })},
		"much data":           {"toy-1", stream.NoStream, one(func(e *stream.Event) { e.Data = make([]byte, stream.MaxData+1) })},
		"much metadata":       {"toy-1", stream.NoStream, one(func(e *stream.Event) { e.Meta = make([]byte, stream.MaxData+1) })},
		"a time before 1970":  {"toy-1", stream.NoStream, one(func(e *stream.Event) { e.At = instant.Min - 1 })},
		"an id twice":         {"toy-1", stream.NoStream, append(one(ok), one(ok)...)},
	} {
		if _, err := s.Append(t.Context(), test.stream, test.expected, test.events); !errors.Is(err, stream.ErrInvalid) {
			t.Errorf("%s: %v, want %v", what, err, stream.ErrInvalid)
		}
	}
	if head, err := s.Head(t.Context()); head != 0 || err != nil {
		t.Errorf("head %d, %v: something was written", head, err)
	}
	most := one(func(e *stream.Event) { e.Data = bytes.Repeat([]byte(`"`), stream.MaxData); e.At = instant.Max })
	name := strings.Repeat("x", stream.MaxName)
	appended(t.Context(), t, s, name, stream.NoStream, most...)
	same(t, read(t.Context(), t, s, name, 0), name, 0, most)
}

func bytesAsTheyAre(t *testing.T, h Harness) {
	s := h.open(t)
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	events := Events("toy-1", stream.NoStream, "bytes", 4)
	events[0].Data, events[0].Meta = all, all[128:]
	events[1].Data, events[1].Meta = nil, nil
	events[2].Data = []byte("{ \"b\" : 1,\r\n \"a\" : 2.50 , \"a\":\"\\u00e9é\" }\n")
	events[3].Data = []byte{0}
	appended(t.Context(), t, s, "toy-1", stream.NoStream, events...)
	same(t, read(t.Context(), t, s, "toy-1", 0), "toy-1", 0, events)
	same(t, collect(t.Context(), t, s, 0), "toy-1", 0, events)
}
