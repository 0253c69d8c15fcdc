package follow_test

import (
	"errors"
	"syscall"
	"testing"

	"sandglass/adapters/tilefiles"
	"sandglass/domain/proof/follow"
	"sandglass/domain/stream"
)

// elsewhere returns a log whose events have other positions: nothing before it is changed.
func elsewhere(recs []stream.Record) []stream.Record {
	recs = append([]stream.Record(nil), recs...)
	for i := range recs {
		recs[i].Position = 0 // the store's own
	}
	return recs
}

func TestAnotherLog(t *testing.T) {
	recs := records(800)
	change := func(i int) []stream.Record {
		other := elsewhere(recs)
		other[i].Meta = []byte(`{"actor":"thief"}`)
		return other
	}
	for name, test := range map[string]struct {
		log     []stream.Record
		changed bool
		from    int64
	}{
		"the same":               {log: recs},
		"cut, and shorter":       {log: recs[:400]},
		"cut by one":             {log: recs[:767]},
		"empty":                  {log: nil},
		"a copy that grew":       {log: records(1100)},
		"its last block changed": {change(600), true, 512},
		"its first, cut":         {change(255)[:600], true, 0},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			start(t, logOf(t, recs), dir).stop()
			store := logOf(t, test.log)
			for range 2 { // it is still known after a restart
				l := start(t, store, dir)
				n := int64(len(test.log))
				if tree := l.Tree(); tree.Size() != n || tree.Root() != treeOf(t, test.log).root(t, n) {
					t.Errorf("the tree has %d events", tree.Size())
				}
				from, until, changed := l.Changed()
				if changed != test.changed || changed && (from != test.from || until != from+256) {
					t.Errorf("it tells %d, %d, %t", from, until, changed)
				}
				l.stop()
			}
		})
	}
}

// What was changed below a block that is kept is no proof of anything: it is told.
func TestEventsThatAreOthersThanTheyWere(t *testing.T) {
	recs := records(800)
	dir := t.TempDir()
	start(t, logOf(t, recs), dir).stop()
	recs[300].At++
	l := start(t, logOf(t, recs), dir)
	if _, _, changed := l.Changed(); changed {
		t.Error("the last block is the same: the rest was read")
	}
	if _, err := l.Tile(t.Context(), 0, 1, 3); !errors.Is(err, follow.ErrChanged) {
		t.Errorf("tile 1 was read with %v", err)
	}
	if _, err := l.Inclusion(t.Context(), 299, 800); !errors.Is(err, follow.ErrChanged) {
		t.Errorf("event 299 was proven with %v", err)
	}
	if _, err := l.Tile(t.Context(), 0, 0, 3); err != nil {
		t.Error(err)
	}
}

// full are blocks on a disk that is full for the first so many appends.
type full struct {
	*tilefiles.Files
	times int
}

func (f *full) Append(blocks []follow.Block) error {
	if f.times--; f.times >= 0 {
		return syscall.ENOSPC
	}
	return f.Files.Append(blocks)
}

func TestAFullDiskStopsNothing(t *testing.T) {
	recs := records(2000) // 7 blocks
	want := treeOf(t, recs)
	store := logOf(t, recs)
	for _, times := range []int{0, 1, 6, 7, 8} {
		files, err := tilefiles.Open(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		told := 0
		log := follow.New(store, &full{files, times})
		log.Told = func(err error) {
			if told++; !errors.Is(err, syscall.ENOSPC) {
				t.Error(err)
			}
		}
		l := followed{log, files, nil}.with(t)
		for size := int64(1); size <= 2000; size += 333 {
			if root, err := l.Root(t.Context(), size); err != nil || root != want.root(t, size) {
				t.Errorf("after %d failures, the root of %d is %s, %v", times, size, root, err)
			}
		}
		if index, _, err := l.IndexOf(t.Context(), recs[1200].Stream, recs[1200].Revision); err != nil || index != 1200 {
			t.Errorf("after %d failures, event 1200 has index %d, %v", times, index, err)
		}
		if kept := files.Len(); told != min(times, 7) || times < 7 && kept != 7 || times >= 7 && kept != 0 {
			t.Errorf("of %d failures %d were told, and %d blocks are kept", times, told, kept)
		}
		l.stop()
	}
}
