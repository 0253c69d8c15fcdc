package sqlite_test

import (
	"slices"
	"testing"

	"sandglass/adapters/sqlite"
	"sandglass/domain/instant"
	"sandglass/domain/pieces"
	"sandglass/domain/stream"
)

// TestALogIsReadByPages: whatever somebody did to its positions, of records that are far apart too.
func TestALogIsReadByPages(t *testing.T) {
	path := newLog(t)
	s := openLog(t, path, sqlite.Options{})
	last := stream.NoStream
	for range 1500 {
		must(t, appendOne(s, last))
		last++
	}
	must(t, s.Close())
	for what, script := range map[string]string{
		"nothing":             "SELECT 1",
		"a hole":              "DELETE FROM events WHERE position = 70",
		"a hole of pages":     "DELETE FROM events WHERE position BETWEEN 10 AND 1490",
		"the first are gone":  "DELETE FROM events WHERE position <= 1300",
		"the last is far off": "UPDATE events SET position = 9223372036854775807 WHERE position = 1500",
		"a million apart":     "UPDATE events SET position = position * 1000000 WHERE position > 1000",
		"a negative position": "UPDATE events SET position = -4 WHERE position = 4",
		"nothing is left":     "DELETE FROM events",
	} {
		t.Run(what, func(t *testing.T) {
			copied := newLog(t)
			copyOf(t, path, copied)
			sql(t, copied, script)
			s, err := sqlite.OpenReadOnly(copied)
			must(t, err)
			defer s.Close()
			head, err := s.Head(t.Context())
			must(t, err)
			var want, got []stream.Position
			for after := stream.Position(0); after < head; {
				for run, err := range s.Subscribe(t.Context(), after) {
					must(t, err)
					for i := range run {
						want = append(want, run[i].Position)
					}
					after = run[len(run)-1].Position
					break
				}
			}
			take := func(_ *int, recs []stream.Record) error {
				for i := range recs {
					got = append(got, recs[i].Position)
				}
				return nil
			}
			must(t, pieces.Each(t.Context(), pieces.Of(t.Context(), s, head), func(*int, []stream.Record, instant.Time) {}, take))
			if !slices.Equal(got, want) {
				t.Errorf("%d records are read, want %d", len(got), len(want))
			}
		})
	}
}

// TestAPageIsUsedAgain: it has what it was asked for last, as Subscribe has it.
func TestAPageIsUsedAgain(t *testing.T) {
	s := openLog(t, newLog(t), sqlite.Options{})
	last := stream.NoStream
	for range 50 {
		must(t, appendOne(s, last))
		last++
	}
	var all []stream.Record
	for run, err := range s.Subscribe(t.Context(), 0) {
		must(t, err)
		if all = append(all, run...); len(all) == 50 {
			break
		}
	}
	var page stream.Page
	for _, r := range [][2]stream.Position{{0, 50}, {10, 13}, {12, 40}, {49, 50}, {50, 60}, {0, 1}} {
		next, err := s.Page(t.Context(), &page, r[0], r[1])
		must(t, err)
		want := all[r[0]:min(r[1], 50)]
		if !same(page.Records, want) || next < r[1] {
			t.Errorf("%v: got %d records and %d, want %d", r, len(page.Records), next, len(want))
		}
	}
	must(t, s.Close())
	if _, err := s.Page(t.Context(), &page, 0, 1); err == nil || len(page.Records) > 0 {
		t.Errorf("a page of a closed store: %d records, %v", len(page.Records), err)
	}
}
