package follow_test

import (
	"errors"
	"testing"

	"sandglass/domain/proof"
	"sandglass/domain/proof/follow"

	"golang.org/x/mod/sumdb/tlog"
)

// TestSalted asks of a log of which some events have no salt, in the middle of a tile, at both ends of one, and at the
// log's end.
func TestSalted(t *testing.T) {
	recs := records(5*proof.Width + 10)
	for i := range recs {
		recs[i].Meta = []byte(`{"salt":"00112233445566778899aabbccddeeff"}`)
	}
	const first, last, middle, end = proof.Width, 3*proof.Width - 1, 3*proof.Width + 7, 5*proof.Width + 9
	for _, i := range []int{first, last, middle} {
		recs[i].Meta = []byte(`{"actor":"watcher"}`)
	}
	want := []bool{true, false, false, false, true, true}
	for _, plain := range []bool{false, true} {
		if plain {
			recs[end].Meta, want[5] = nil, false
		}
		l := start(t, logOf(t, recs), t.TempDir())
		for n, want := range want {
			if got, err := l.Salted(t.Context(), int64(n)); got != want || err != nil {
				t.Errorf("tile %d: %v, %v", n, got, err)
			}
		}
		if _, err := l.Salted(t.Context(), 6); !errors.Is(err, follow.ErrNotYet) {
			t.Errorf("a tile that is not there yet: %v", err)
		}
	}
}

// TestWhatAProofShowsOfSingleEvents: a proof that the log goes on has the hash of no other event than the last of what was
// there, the one that came next, and the last. So witnesses are shown none of before the log was signed, which has no salt:
// to sign it first is to append to it.
func TestWhatAProofShowsOfSingleEvents(t *testing.T) {
	const most = 70
	all := treeOf(t, records(most))
	leaves := map[tlog.Hash]int64{}
	for i, r := range records(most) {
		leaves[proof.Leaf(proof.Entry(&r, r.RecordedAt))] = int64(i)
	}
	shown := 0
	for size := int64(1); size <= most; size++ {
		for old := int64(1); old <= size; old++ {
			p, err := tlog.ProveTree(size, old, all)
			if err != nil {
				t.Fatal(err)
			}
			for _, h := range p {
				i, ok := leaves[h]
				if !ok {
					continue
				}
				if shown++; i != old-1 && i != old && i != size-1 {
					t.Errorf("from %d to %d: it has the hash of index %d", old, size, i)
				}
			}
		}
	}
	if shown == 0 {
		t.Error("no proof has the hash of an event")
	}
}
