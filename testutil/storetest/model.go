package storetest

import (
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"testing"

	"sandglass/domain/stream"

	"pgregory.net/rapid"
)

// machine runs random operations on a store and on a model of it.
type machine struct {
	h       Harness
	open    Opener
	store   stream.EventStore
	closer  io.Closer
	log     []stream.Record // in commit order
	streams map[string][]stream.Record
	fresh   int
}

func model(t *testing.T, h Harness) {
	rapid.Check(t, func(rt *rapid.T) {
		m := &machine{h: h, open: h.New(t, NewClock().Now), streams: map[string][]stream.Record{}}
		m.store, m.closer = m.open()
		defer func() { m.closer.Close() }()
		rt.Repeat(map[string]func(*rapid.T){
			"append": m.append, "again": m.append, "read": m.read, "subscribe": m.subscribe, "reopen": m.reopen, "": m.check,
		})
	})
}

func (m *machine) append(t *rapid.T) {
	name := rapid.SampledFrom([]string{"toy-1", "toy-2", "toy-10"}).Draw(t, "stream")
	had := m.streams[name]
	last := stream.Revision(len(had)) - 1
	expected := last
	if rapid.IntRange(0, 2).Draw(t, "elsewhere") == 0 {
		expected = stream.Revision(rapid.IntRange(-1, len(had)+1).Draw(t, "expected"))
	}
	var batch []stream.Event
	for i := range rapid.IntRange(1, 5).Draw(t, "events") {
		batch = append(batch, m.event(t, name, had, expected+1+stream.Revision(i), batch))
	}
	want, wantErr := m.answer(had, last, expected, batch)
	res, err := m.store.Append(t.Context(), name, expected, batch)
	if !errors.Is(err, wantErr) || err == nil && wantErr == nil && want != nil && res != *want {
		t.Fatalf("%s ends at %d: appending %d events at %d answers %+v, %v; want %+v, %v",
			name, last, len(batch), expected, res, err, want, wantErr)
	}
	if err != nil || want != nil {
		return
	}
	written := read(t.Context(), t, m.store, name, last+1)
	same(t, written, name, last+1, batch)
	if end := written[len(written)-1]; res != (stream.Appended{Revision: end.Revision, Position: end.Position}) {
		t.Fatalf("%s ends with %d at %d, the append was answered %+v", name, end.Revision, end.Position, res)
	}
	m.streams[name] = append(had, written...)
	m.log = append(m.log, written...)
}

// event draws an event: new, the one that stands there, or any that the stream holds.
func (m *machine) event(t *rapid.T, name string, had []stream.Record, rev stream.Revision, batch []stream.Event) stream.Event {
	unused := func(id stream.EventID) bool {
		return !slices.ContainsFunc(batch, func(b stream.Event) bool { return b.ID == id })
	}
	kind := rapid.IntRange(0, 5).Draw(t, "kind")
	if kind <= 2 && int(rev) < len(had) && unused(had[rev].ID) {
		return had[rev].Event
	}
	if kind == 3 && m.h.UniqueIDs && len(had) > 0 {
		if e := had[rapid.IntRange(0, len(had)-1).Draw(t, "old")].Event; unused(e.ID) {
			return e
		}
	}
	m.fresh++
	e := Events(name, rev-1, fmt.Sprint(m.fresh), 1)[0]
	e.Data = rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(t, "data")
	e.ID = stream.NewID(name, rev, e)
	isThere := func(r stream.Record) bool { return r.ID == e.ID }
	if kind == 4 || !unused(e.ID) || slices.ContainsFunc(had, isThere) {
		e.ID = stream.EventID{14: byte(m.fresh >> 8), 15: byte(m.fresh)}
	}
	return e
}

// answer is what the append should answer: a result if it was committed before, an
// error if it is refused, and neither if it is to be written.
func (m *machine) answer(had []stream.Record, last, expected stream.Revision, batch []stream.Event) (*stream.Appended, error) {
	end := expected + stream.Revision(len(batch))
	switch {
	case expected == last:
		for _, e := range batch {
			if slices.ContainsFunc(had, func(r stream.Record) bool { return r.ID == e.ID }) {
				return nil, stream.ErrDuplicateID
			}
		}
		return nil, nil
	case end > last:
		return nil, stream.ErrWrongRevision
	}
	for i, e := range batch {
		if had[int(expected)+1+i].ID != e.ID {
			return nil, stream.ErrWrongRevision
		}
	}
	return &stream.Appended{Revision: end, Position: had[end].Position}, nil
}

func (m *machine) read(t *rapid.T) {
	name := rapid.SampledFrom([]string{"toy-1", "toy-2", "toy-10", "toy"}).Draw(t, "stream")
	had := m.streams[name]
	from := stream.Revision(rapid.IntRange(0, len(had)+1).Draw(t, "from"))
	equal(t, read(t.Context(), t, m.store, name, from), had[min(int(from), len(had)):])
}

func (m *machine) subscribe(t *rapid.T) {
	after, skip := stream.Position(0), rapid.IntRange(0, len(m.log)).Draw(t, "after")
	if skip > 0 {
		after = m.log[skip-1].Position
	}
	equal(t, collect(t.Context(), t, m.store, after), m.log[skip:])
}

// reopen is drawn as often as the rest, and takes a hundred times as long.
func (m *machine) reopen(t *rapid.T) {
	if rapid.IntRange(0, 5).Draw(t, "reopen") > 0 {
		t.Skip()
	}
	if err := m.closer.Close(); err != nil {
		t.Fatalf("closing the log: %v", err)
	}
	m.store, m.closer = m.open()
}

// check is what holds after each step.
func (m *machine) check(t *rapid.T) {
	want := stream.Position(0)
	if len(m.log) > 0 {
		want = m.log[len(m.log)-1].Position
	}
	if head, err := m.store.Head(t.Context()); head != want || err != nil {
		t.Fatalf("head %d, %v, want %d", head, err, want)
	}
}

// equal checks that two readings are the same, to the last field.
func equal(t tester, got, want []stream.Record) {
	t.Helper()
	if !slices.EqualFunc(got, want, func(a, b stream.Record) bool { return reflect.DeepEqual(a, b) }) {
		t.Fatalf("%d records were read, want %d: or others\n%+v\n%+v", len(got), len(want), got, want)
	}
}
