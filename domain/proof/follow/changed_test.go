package follow_test

import (
	"errors"
	"strings"
	"testing"

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
				c, changed := l.Changed()
				if changed != test.changed || changed && c != (follow.Change{From: test.from, Until: test.from + 256}) {
					t.Errorf("it tells %v, %t", c, changed)
				}
				l.stop()
			}
		})
	}
}

// What was changed below a block is no proof of anything: who meets it has the tree made again.
func TestEventsThatAreOthersThanTheyWere(t *testing.T) {
	recs := records(800)
	for name, ask := range map[string]func(followed) error{
		"a tile":   func(l followed) error { return second(l.Tile(t.Context(), 0, 1, 3)) },
		"entries":  func(l followed) error { return second(l.Entries(t.Context(), 1, 256)) },
		"a proof":  func(l followed) error { return second(l.Inclusion(t.Context(), 299, 800)) },
		"the root": func(l followed) error { return second(l.Root(t.Context(), 300)) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			start(t, logOf(t, recs), dir).stop()
			other := elsewhere(recs)
			other[300].At++
			l := start(t, logOf(t, other), dir)
			if _, changed := l.Changed(); changed {
				t.Error("the last block is the same: the rest was read")
			}
			if _, err := l.Tile(t.Context(), 0, 0, 3); err != nil {
				t.Error(err)
			}
			if err := ask(l); !errors.Is(err, follow.ErrChanged) || !strings.HasSuffix(err.Error(), ": one of index 256 to 511") {
				t.Errorf("it is told %v", err)
			}
			for n := range 2 { // it is still known after a restart
				if err := l.Caught(t.Context()); err != nil {
					t.Fatal(err)
				}
				c, changed := l.Changed()
				if tree := l.Tree(); !changed || c != (follow.Change{From: 256, Until: 512}) || tree.Root() != treeOf(t, other).root(t, 800) {
					t.Errorf("it tells %v, %t, and the root %s", c, changed, tree.Root())
				}
				if err := ask(l); err != nil {
					t.Errorf("of the tree that was made again: %v", err)
				}
				if n == 0 && l.Again() {
					t.Error("what was made of the events is made again")
				}
				l.stop()
				l = start(t, logOf(t, other), dir)
			}
		})
	}
}
