package pieces_test

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"sort"
	"testing"

	"sandglass/domain/instant"
	"sandglass/domain/pieces"
	"sandglass/domain/stream"
	"sandglass/testutil/storetest"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// each returns the positions of a log as they are taken, and why it ended. It holds that what work
// made of a piece is what take gets, and that work knows the latest recorded time before it.
func each(t *testing.T, log pieces.Log) (taken []stream.Position, err error) {
	t.Helper()
	type seen struct {
		recorded instant.Time
		at       []stream.Position
	}
	var latest instant.Time
	work := func(s *seen, recs []stream.Record, recorded instant.Time) {
		s.recorded, s.at = recorded, s.at[:0]
		for i := range recs {
			s.at = append(s.at, recs[i].Position)
		}
	}
	take := func(s *seen, recs []stream.Record) error {
		if s.recorded != latest || len(s.at) != len(recs) {
			t.Errorf("%d of %d were worked on, after %s, which is %s", len(s.at), len(recs), s.recorded, latest)
		}
		for i := range recs {
			latest = max(latest, recs[i].RecordedAt)
		}
		taken = append(taken, s.at...)
		return nil
	}
	err = pieces.Each(t.Context(), log, work, take)
	return taken, err
}

// records returns records at some positions, whose clocks are at odds.
func records(rng *rand.Rand, n int, gap stream.Position) (recs []stream.Record) {
	var at stream.Position
	for range n {
		at += 1 + stream.Position(rng.Uint64N(uint64(gap)))
		recs = append(recs, stream.Record{Position: at, RecordedAt: instant.Time(1000 + int64(at) - rng.Int64N(100))})
	}
	return recs
}

func positions(recs []stream.Record) (at []stream.Position) {
	for i := range recs {
		at = append(at, recs[i].Position)
	}
	return at
}

// paged is a store that has pages.
type paged struct {
	stream.EventStore
	recs  []stream.Record
	fails stream.Position // the page of it
	asked chan struct{}
}

func (s paged) Page(_ context.Context, p *stream.Page, after, until stream.Position) (stream.Position, error) {
	s.asked <- struct{}{}
	if s.fails > after && s.fails <= until {
		return 0, io.ErrUnexpectedEOF
	}
	from, to := s.past(after), s.past(until)
	p.Records = append(p.Records[:0], s.recs[from:to]...)
	if from == to && to < len(s.recs) {
		return s.recs[to].Position - 1, nil
	}
	return until, nil
}

// past returns how many records are up to a position.
func (s paged) past(at stream.Position) int {
	return sort.Search(len(s.recs), func(i int) bool { return s.recs[i].Position > at })
}

func TestPagesAreTakenInTheirOrder(t *testing.T) {
	for seed := range uint64(10) {
		rng := rand.New(rand.NewPCG(seed, 1))
		for _, gap := range []stream.Position{1, 2, 1400, 1 << 50} {
			recs := records(rng, rng.IntN(1500), gap)
			s := paged{recs: recs, asked: make(chan struct{}, 10_000)}
			n := len(recs)
			if n == 0 {
				recs = []stream.Record{{}}
			}
			got, err := each(t, pieces.Of(t.Context(), s, recs[len(recs)-1].Position))
			if err != nil || !slices.Equal(got, positions(s.recs)) {
				t.Fatalf("seed %d: of %d records with gaps up to %d were %d taken, %v", seed, n, gap, len(got), err)
			}
			if asked := len(s.asked); asked > 4*n+20 {
				t.Errorf("%d pages were asked for, of %d records with gaps up to %d", asked, n, gap)
			}
		}
	}
}

func TestWhatIsBeforeAPageThatFailsIsTaken(t *testing.T) {
	recs := records(rand.New(rand.NewPCG(1, 1)), 5000, 1)
	got, err := each(t, pieces.Of(t.Context(), paged{recs: recs, fails: 3000, asked: make(chan struct{}, 100)}, 5000))
	if !errors.Is(err, io.ErrUnexpectedEOF) || !slices.Equal(got, positions(recs[:2048])) {
		t.Errorf("%d were taken, %v", len(got), err)
	}
}

func TestAStoreWithoutPages(t *testing.T) {
	s, _ := storetest.SQLite(t)
	for last := stream.NoStream; last < 2399; last += 100 {
		var events []stream.Event
		for n := range stream.Revision(100) {
			e := stream.Event{Type: "a.b.v1", Data: []byte("{}")}
			e.ID = stream.NewID("a-1", last+1+n, e)
			events = append(events, e)
		}
		if _, err := s.Append(t.Context(), "a-1", last, events); err != nil {
			t.Fatal(err)
		}
	}
	hidden := struct{ stream.EventStore }{s}
	for _, until := range []stream.Position{0, 1, 1023, 1024, 1025, 2400} {
		for name, log := range map[string]pieces.Log{
			"pages": pieces.Of(t.Context(), s, until), "a subscription": pieces.Of(t.Context(), hidden, until),
		} {
			got, err := each(t, log)
			if err != nil || len(got) != int(until) || until > 0 && got[until-1] != until {
				t.Errorf("%s up to %d: %d were taken, %v", name, until, len(got), err)
			}
		}
	}
}

// TestItEnds: with what is taken, with the log, and with its context.
func TestItEnds(t *testing.T) {
	recs := records(rand.New(rand.NewPCG(2, 2)), 100, 1)
	failed := errors.New("failed")
	endless := func(yield func(pieces.Piece, error) bool) {
		for yield(pieces.Whole(recs), nil) {
		}
	}
	none := func(*int, []stream.Record, instant.Time) {}
	n := 0
	err := pieces.Each(t.Context(), endless, none, func(*int, []stream.Record) error {
		if n++; n == 50 {
			return failed
		}
		return nil
	})
	if !errors.Is(err, failed) || n != 50 {
		t.Errorf("after the %d. was taken: %v", n, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	err = pieces.Each(ctx, endless, none, func(*int, []stream.Record) error {
		cancel()
		return nil
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("after its context: %v", err)
	}
	got, err := each(t, func(yield func(pieces.Piece, error) bool) {
		_ = yield(pieces.Whole(recs[:60]), nil) && yield(pieces.Whole(recs[60:]), nil) && yield(nil, failed)
	})
	if !errors.Is(err, failed) || len(got) != 100 {
		t.Errorf("%d of a log that can't be read further: %v", len(got), err)
	}
}

// TestRecords: up to an event that can't be read, which is named, or as far as they are wanted.
// whole makes of a record the record.
func whole(r *stream.Record) stream.Record { return *r }

func TestMade(t *testing.T) {
	recs := records(rand.New(rand.NewPCG(3, 3)), 100, 1)
	log := func(yield func(pieces.Piece, error) bool) {
		_ = yield(pieces.Whole(recs[:60]), nil) && yield(func(p *stream.Page) error {
			p.Records = append(p.Records[:0], recs[60:70]...)
			return &pieces.UnreadError{Err: io.ErrUnexpectedEOF}
		}, nil) && yield(pieces.Whole(recs[70:]), nil)
	}
	for _, most := range []int{1, 60, 65, 70, 100} {
		var got []stream.Record
		var failed error
		for r, err := range pieces.Made(t.Context(), log, whole) {
			if failed = err; err != nil {
				continue // it has to end by itself
			}
			if got = append(got, *r); len(got) == most {
				break
			}
		}
		if want := min(most, 70); !slices.Equal(positions(got), positions(recs[:want])) {
			t.Errorf("of %d were %d yielded, want %d", most, len(got), want)
		}
		if most <= 70 && failed != nil || most > 70 && (!errors.Is(failed, io.ErrUnexpectedEOF) ||
			failed.Error() != "event 71 of the log: unexpected EOF") {
			t.Errorf("of %d: %v", most, failed)
		}
	}
}
