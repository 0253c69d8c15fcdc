package logcopy_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sandglass/adapters/eventstoredb"
	"sandglass/domain/instant"
	"sandglass/domain/logcopy"
	"sandglass/domain/stream"
	"sandglass/projections"
	"sandglass/testutil/esdbserver"
	"sandglass/testutil/histories"
	"sandglass/testutil/storetest"
)

// all returns the records of a log.
func all(t testing.TB, s stream.EventStore) (recs []stream.Record) {
	t.Helper()
	head, err := s.Head(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for rec, err := range stream.Between(context.Background(), s, 0, head) {
		if err != nil {
			t.Fatal(err)
		}
		recs = append(recs, rec)
	}
	return recs
}

// same reports whether logs have the same records, but for the positions.
func same(a, b []stream.Record) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		x, y := a[i], b[i]
		x.Position, y.Position = 0, 0
		if !reflect.DeepEqual(x, y) {
			return false
		}
	}
	return true
}

// history returns the records of a random log of about n events.
func history(seed uint64, n int) (recs []stream.Record) {
	w := histories.New(seed, 20)
	for len(recs) < n {
		for _, a := range w.Step() {
			for i, e := range a.Events {
				at := stream.Position(len(recs) + 1)
				recs = append(recs, stream.Record{
					Event: e, Stream: a.Stream, Revision: a.Expected + 1 + stream.Revision(i),
					Position: at, RecordedAt: histories.Start.Add(instant.Millis(at / 3)),
				})
			}
		}
	}
	return recs
}

// part returns a log of the records given, which it may change before.
func part(t testing.TB, recs []stream.Record, change func([]stream.Record)) logcopy.Destination {
	t.Helper()
	s, _ := storetest.SQLite(t)
	recs = append([]stream.Record(nil), recs...)
	if change != nil {
		change(recs)
	}
	if err := s.Import(t.Context(), recs); err != nil {
		t.Fatal(err)
	}
	return s
}

func newCopier(from stream.EventStore, to logcopy.Destination) *logcopy.Copier {
	return &logcopy.Copier{From: from, To: to, Batch: 50}
}

// wantCopy copies, and holds both sides and the report against each other.
func wantCopy(t *testing.T, from stream.EventStore, to logcopy.Destination, before int) {
	t.Helper()
	r, err := newCopier(from, to).Copy(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ours, theirs := all(t, from), all(t, to)
	if !same(ours, theirs) {
		t.Fatalf("%d records, and %d in the copy, are not the same", len(ours), len(theirs))
	}
	last, n := stream.Position(len(ours)), int64(0)
	for i := range ours {
		n += int64(len(ours[i].Data) + len(ours[i].Meta))
	}
	if r.Events != int64(len(ours)) || r.Before != int64(before) || r.Bytes != n || r.From.Digest != r.To.Digest ||
		r.From.Position != last || r.From.Head != last || r.To.Position != last || r.To.Head != last {
		t.Errorf("of %d events, of which %d were there, and %d bytes, it tells %+v", len(ours), before, n, r)
	}
}

func TestCopyGoesOnFromAnywhere(t *testing.T) {
	recs := history(1, 240)
	from := part(t, recs, nil)
	for _, before := range []int{0, 1, 17, 49, 50, 51, 99, 100, 101, 150, 200, len(recs) - 1, len(recs)} {
		t.Run(fmt.Sprint(before), func(t *testing.T) { wantCopy(t, from, part(t, recs[:before], nil), before) })
	}
	t.Run("of nothing", func(t *testing.T) { wantCopy(t, part(t, nil, nil), part(t, nil, nil), 0) })
	t.Run("of one", func(t *testing.T) { wantCopy(t, part(t, recs[:1], nil), part(t, nil, nil), 0) })
	t.Run("of a whole batch", func(t *testing.T) { wantCopy(t, part(t, recs[:50], nil), part(t, nil, nil), 0) })
	t.Run("twice", func(t *testing.T) {
		to := part(t, nil, nil)
		wantCopy(t, from, to, 0)
		wantCopy(t, from, to, len(recs))
	})
}

func TestCopyNamesWhatDiffers(t *testing.T) {
	recs := history(1, 240)
	from := part(t, recs, nil)
	const at = 120
	for name, c := range map[string]struct {
		change func(*stream.Record)
		wants  []string
	}{
		"stream": {
			func(r *stream.Record) { r.Stream, r.Revision = "toy-1", 0 },
			[]string{"stream " + recs[at].Stream[:min(50, len(recs[at].Stream))], "has toy-1"}, // long ones are cut
		},
		"type":       {func(r *stream.Record) { r.Type = "toy.told.v1" }, []string{"type", "has toy.told.v1"}},
		"at":         {func(r *stream.Record) { r.At++ }, []string{" at " + recs[at].At.String()}},
		"data":       {func(r *stream.Record) { r.Data = []byte(`{"x":1}`) }, []string{"data", `has {"x":1}`}},
		"data's end": {func(r *stream.Record) { r.Data = r.Data[:len(r.Data)-1] }, []string{"data"}},
		"id":         {func(r *stream.Record) { r.ID[0] ^= 1 }, []string{"id " + recs[at].ID.String()}},
		"meta":       {func(r *stream.Record) { r.Meta = nil }, []string{"meta"}},
		"recorded_at": {
			func(r *stream.Record) { r.RecordedAt++ },
			[]string{"recorded_at " + recs[at].RecordedAt.String()},
		},
	} {
		t.Run(name, func(t *testing.T) {
			to := part(t, recs[:at+1], func(recs []stream.Record) { c.change(&recs[at]) })
			before := all(t, to)
			_, err := newCopier(from, to).Copy(t.Context())
			if !errors.Is(err, logcopy.ErrDiffer) {
				t.Fatalf("got %v", err)
			}
			for _, want := range append(c.wants,
				fmt.Sprintf("at position %d of the source", at+1),
				fmt.Sprintf("position %d of the destination", at+1)) {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%v: does not say %q", err, want)
				}
			}
			if !same(all(t, to), before) {
				t.Error("the destination was changed")
			}
		})
	}
	t.Run("a longer log", func(t *testing.T) {
		_, err := newCopier(part(t, recs[:at], nil), from).Copy(t.Context())
		const want = "ends at position 120, and the destination goes on at position 121"
		if !errors.Is(err, logcopy.ErrDiffer) || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v", err)
		}
	})
}

// unsure is a store whose imports fail as its function says: n counts them, from 0.
type unsure struct {
	logcopy.Destination
	n        int
	onImport func(n int, records []stream.Record) (kept []stream.Record, err error)
}

func (u *unsure) Import(ctx context.Context, records []stream.Record) error {
	kept, err := u.onImport(u.n, records)
	u.n++
	return errors.Join(u.Destination.Import(ctx, kept), err)
}

func TestCopyFailsBothWays(t *testing.T) {
	from := part(t, history(2, 240), nil)
	for at := range 5 {
		for name, keep := range map[string]bool{"lost": false, "answer lost": true} {
			t.Run(fmt.Sprint(name, at), func(t *testing.T) {
				to := &unsure{Destination: part(t, nil, nil)}
				to.onImport = func(n int, recs []stream.Record) ([]stream.Record, error) {
					switch {
					case n != at:
						return recs, nil
					case keep:
						return recs, storetest.ErrFault
					}
					return nil, storetest.ErrFault
				}
				if _, err := newCopier(from, to).Copy(t.Context()); !errors.Is(err, storetest.ErrFault) {
					t.Fatalf("got %v", err)
				}
				there := len(all(t, to))
				if there < 50*at || there > 50*(at+1) {
					t.Errorf("%d records are there", there)
				}
				wantCopy(t, from, to, there)
			})
		}
	}
}

// A store that keeps something else than it was given, and says nothing, is found out.
func TestCopyIsReadBack(t *testing.T) {
	from := part(t, history(2, 240), nil)
	for name, spoil := range map[string]func([]stream.Record) []stream.Record{
		"a changed byte": func(recs []stream.Record) []stream.Record {
			recs[3].Data = bytes.ToUpper(recs[3].Data)
			return recs
		},
		"nothing":     func([]stream.Record) []stream.Record { return nil },
		"not the end": func(recs []stream.Record) []stream.Record { return recs[:len(recs)-1] },
		"more": func(recs []stream.Record) []stream.Record {
			e := storetest.Events("toy-1", stream.NoStream, "x", 1)[0]
			return append(recs, stream.Record{Event: e, Stream: "toy-1", RecordedAt: recs[len(recs)-1].RecordedAt})
		},
	} {
		t.Run(name, func(t *testing.T) {
			last := (len(all(t, from)) - 1) / 50
			to := &unsure{Destination: part(t, nil, nil)}
			to.onImport = func(n int, recs []stream.Record) ([]stream.Record, error) {
				recs = append([]stream.Record(nil), recs...)
				if n == last {
					recs = spoil(recs)
				}
				return recs, nil
			}
			if _, err := newCopier(from, to).Copy(t.Context()); !errors.Is(err, logcopy.ErrDiffer) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestSomebodyElseWritesToTheDestination(t *testing.T) {
	from := part(t, history(2, 240), nil)
	inner, clock := storetest.SQLite(t)
	clock.Set(histories.Start)
	to := &unsure{Destination: inner}
	to.onImport = func(_ int, batch []stream.Record) ([]stream.Record, error) {
		for _, rec := range batch[1:] {
			if rec.Revision == 0 { // it begins a stream, which another one begins before
				_, err := to.Append(t.Context(), rec.Stream, stream.NoStream, storetest.Events(rec.Stream, stream.NoStream, "mine", 1))
				return batch, err
			}
		}
		return batch, nil
	}
	_, err := newCopier(from, to).Copy(t.Context())
	if !errors.Is(err, stream.ErrWrongRevision) || !strings.Contains(err.Error(), "somebody else") {
		t.Errorf("got %v", err)
	}
}

// The source grows while it is copied: what it held at the start is copied, and the rest
// by the next copy.
func TestTheSourceGrows(t *testing.T) {
	head := history(3, 240)
	from := part(t, head, nil)
	to := &unsure{Destination: part(t, nil, nil)}
	to.onImport = func(n int, recs []stream.Record) ([]stream.Record, error) {
		last := stream.Revision(n) - 1
		_, err := from.Append(t.Context(), "toy-1", last, storetest.Events("toy-1", last, "x", 1))
		return recs, err
	}
	r, err := newCopier(from, to).Copy(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if r.Events != int64(len(head)) || int(r.From.Position) != len(head) ||
		int(r.From.Head) != len(head)+to.n || !same(all(t, to), head) {
		t.Errorf("of %d records it tells %+v", len(head), r)
	}
	to.onImport = func(_ int, recs []stream.Record) ([]stream.Record, error) { return recs, nil }
	wantCopy(t, from, to, len(head))
}

func TestCopyIsInterrupted(t *testing.T) {
	recs := history(3, 240)
	from, to := part(t, recs, nil), part(t, recs[:60], nil)
	for _, when := range []logcopy.Phase{logcopy.Compared, logcopy.Copied, logcopy.Verified} {
		ctx, cancel := context.WithCancel(t.Context())
		c := newCopier(from, to)
		c.Progress = func(did logcopy.Phase, n int64, _, _ stream.Position) {
			if did == when && n%30 == 0 {
				cancel()
			}
		}
		if _, err := c.Copy(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", when, err)
		}
		cancel()
	}
	wantCopy(t, from, to, len(all(t, to)))
}

// TestCopiesOfHistories copies random histories in random batches, from random states of
// the copy; both then have the same figures.
func TestCopiesOfHistories(t *testing.T) {
	for seed := range uint64(5) {
		rng := rand.New(rand.NewPCG(seed, 7))
		recs := history(seed, 600)
		from := part(t, recs, nil)
		before := rng.IntN(len(recs))
		to := part(t, recs[:before], nil)
		c := newCopier(from, to)
		c.Batch = 1 + rng.IntN(100)
		r, err := c.Copy(t.Context())
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if r.From.Digest != r.To.Digest || !same(recs, all(t, to)) {
			t.Errorf("seed %d: %+v", seed, r)
		}
		figures := dump(t, from, stream.Position(len(recs)))
		if copied := dump(t, to, stream.Position(len(recs))); !bytes.Equal(figures, copied) {
			t.Errorf("seed %d: the figures of the copy are others", seed)
		}
	}
}

// scavenged is a log in which a stream was truncated before a revision, and that was scavenged
// since: nobody finds what was before.
type scavenged struct {
	stream.EventStore
	name   string
	before stream.Revision
}

func (s scavenged) Subscribe(ctx context.Context, after stream.Position) iter.Seq2[[]stream.Record, error] {
	return func(yield func([]stream.Record, error) bool) {
		for run, err := range s.EventStore.Subscribe(ctx, after) {
			run = slices.DeleteFunc(slices.Clone(run), func(r stream.Record) bool { return r.Stream == s.name && r.Revision < s.before })
			if (len(run) > 0 || err != nil) && !yield(run, err) {
				return
			}
		}
	}
}

func (s scavenged) Read(ctx context.Context, name string, from stream.Revision) iter.Seq2[stream.Record, error] {
	if name == s.name {
		from = max(from, s.before)
	}
	return s.EventStore.Read(ctx, name, from)
}

// A source that lacks events is named, and nobody is blamed who would write to the destination.
func TestASourceThatIsNotWholeIsNamed(t *testing.T) {
	recs := history(1, 240)
	i := len(recs) - 1
	for recs[i].Revision == 0 { // a stream of one event loses nothing before it
		i--
	}
	name, last := recs[i].Stream, recs[i].Revision
	for _, before := range []stream.Revision{1, last} {
		_, err := newCopier(scavenged{part(t, recs, nil), name, before}, part(t, nil, nil)).Copy(t.Context())
		want := fmt.Sprintf("the source is not whole: %s goes on with revision %d", name, before)
		if !errors.Is(err, logcopy.ErrNotWhole) || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "somebody") {
			t.Errorf("without what is before revision %d: %v, want %q", before, err, want)
		}
	}
	to, from := part(t, nil, nil), part(t, recs, nil)
	other := recs[0]
	other.ID[0] ^= 1
	meddling := meddler{to, func() {
		if err := to.Import(t.Context(), []stream.Record{other}); err != nil {
			t.Error(err)
		}
	}}
	if _, err := newCopier(from, meddling).Copy(t.Context()); err == nil || !strings.Contains(err.Error(), "somebody else writes") {
		t.Errorf("somebody who writes to the destination: %v", err)
	}
}

// meddler is a destination that somebody else writes to as well, before the first import.
type meddler struct {
	logcopy.Destination
	meddle func()
}

func (m meddler) Import(ctx context.Context, recs []stream.Record) error {
	if head, err := m.Head(ctx); head == 0 && err == nil {
		m.meddle()
	}
	return m.Destination.Import(ctx, recs)
}

// A log goes from a file into a cluster, where nodes fail meanwhile, and back into another
// file: all three are the same, and an audit finds the same figures in each.
func TestCopyIntoAClusterAndBack(t *testing.T) {
	recs := history(11, 700)
	file := part(t, recs, nil)
	c := esdbserver.New(t, esdbserver.Options{Nodes: 3, SystemEvery: 7})
	o := eventstoredb.Options{Namespace: "copied"}
	if err := eventstoredb.Create(t.Context(), c.ConnectionString(), o); err != nil {
		t.Fatal(err)
	}
	shared, err := eventstoredb.Open(t.Context(), c.ConnectionString(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = shared.Close() })
	c.OnAppend(esdbserver.RandomFaults(11, 10, esdbserver.Lost, esdbserver.AnswerLost, esdbserver.Cut, esdbserver.AnswerCut))
	c.OnRead(esdbserver.RandomCuts(11, 10, 200))
	goTo := func(from stream.EventStore, to logcopy.Destination) (digest string, figures []byte) {
		t.Helper()
		r, err := newCopier(from, to).Copy(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		head, err := to.Head(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return r.To.Digest, dump(t, to, head)
	}
	there, want := goTo(file, shared)
	other, _ := storetest.SQLite(t)
	back, figures := goTo(shared, other)
	if there != back || there == "" {
		t.Errorf("the digest is %s there, and %s back", there, back)
	}
	if !same(all(t, file), all(t, other)) {
		t.Error("what came back is not the same")
	}
	position := regexp.MustCompile(`"(position|since)":\d+`) // where events stand is each store's own
	for what, got := range map[string][]byte{"in the cluster": want, "back in a file": figures} {
		head, err := file.Head(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if w, g := position.ReplaceAll(dump(t, file, head), nil), position.ReplaceAll(got, nil); !bytes.Equal(w, g) {
			for i, line := range bytes.Split(w, []byte("\n")) {
				if got := bytes.Split(g, []byte("\n")); i >= len(got) || !bytes.Equal(line, got[i]) {
					t.Fatalf("%s an audit finds other figures: line %d of %d is not %s", what, i+1, len(got), line)
				}
			}
		}
	}
}

// dump returns the figures of a log.
func dump(t testing.TB, s stream.EventStore, until stream.Position) []byte {
	t.Helper()
	views := projections.New(instant.Hour)
	var b bytes.Buffer
	if err := errors.Join(projections.Replay(t.Context(), s, views, until), views.Dump(&b)); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// BenchmarkCopy copies between two files: reading, importing and reading back.
func BenchmarkCopy(b *testing.B) {
	const batch = 2048
	recs := history(1, 20_000)
	from := part(b, nil, nil)
	for i := 0; i < len(recs); i += batch {
		if err := from.Import(b.Context(), recs[i:min(i+batch, len(recs))]); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		b.StopTimer()
		c := newCopier(from, part(b, nil, nil))
		c.Batch = 0
		b.StartTimer()
		if _, err := c.Copy(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N*len(recs))/b.Elapsed().Seconds(), "events/s")
}
