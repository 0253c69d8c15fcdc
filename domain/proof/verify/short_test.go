package verify_test

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"sandglass/domain/proof/verify"
)

// short returns what an invoice says of a log: less than the checkpoint of that size.
func short(of verify.Expected) verify.Expected {
	return verify.Expected{From: "an invoice", Checkpoint: of.Brief().Full(), Short: true}
}

func TestWhatPayersKeep(t *testing.T) {
	recs := history(2, 600)
	leaves := leavesOf(recs)
	other := slices.Clone(leaves)
	other[300][0]++
	type kindsOf = []verify.Kind
	for name, test := range map[string]struct {
		held  []verify.Expected
		tiles verify.Tiles
		want  []verify.Kind
	}{
		"of the past":                 {[]verify.Expected{short(leaves.at(10)), short(leaves.at(599))}, nil, nil},
		"with a checkpoint":           {[]verify.Expected{short(leaves.at(600)), leaves.at(600)}, leaves, nil},
		"of a log that was rewritten": {[]verify.Expected{short(leaves.at(300)), short(other.at(400))}, nil, kindsOf{verify.Root}},
		"of two logs":                 {[]verify.Expected{short(leaves.at(400)), short(other.at(400))}, nil, kindsOf{verify.Root}},
		"beside a checkpoint":         {[]verify.Expected{leaves.at(400), short(other.at(400))}, nil, kindsOf{verify.Root}},
		"of another log, with tiles":  {[]verify.Expected{short(other.at(400))}, leaves, kindsOf{verify.Tile, verify.Root}},
		"with another's tiles":        {[]verify.Expected{short(leaves.at(600))}, other, kindsOf{verify.Tile}},
	} {
		t.Run(name, func(t *testing.T) {
			l := verify.Log{Checkpoints: test.held, Tiles: test.tiles}
			r := run(t, &l, rand.New(rand.NewPCG(1, 2)), recs)
			if got := kinds(&r); !slices.Equal(got, test.want) || len(r.Checkpoints) != len(test.held) {
				t.Errorf("it finds %v, want %v: %+v", got, test.want, r)
			}
		})
	}
	cut := verify.Log{Checkpoints: []verify.Expected{short(leaves.at(600))}}
	r := run(t, &cut, rand.New(rand.NewPCG(1, 2)), recs[:599])
	if got := kinds(&r); !slices.Equal(got, kindsOf{verify.Cut}) || !strings.Contains(r.Findings[0].Text, "1 event fewer") {
		t.Errorf("of a log that was cut it finds %v", got)
	}
	wrong := verify.Log{Checkpoints: []verify.Expected{short(other.at(400))}}
	r = run(t, &wrong, rand.New(rand.NewPCG(1, 2)), recs)
	point := other.at(400)
	text, held := r.Findings[0].Text, r.Checkpoints[0]
	if !strings.Contains(text, point.Root.String()[:32]+"…") || !held.Short || held.OK {
		t.Errorf("it says %q, %+v", text, r.Checkpoints)
	}
}

// TestEachByteOfAShortRootCounts, and no more than those are known.
func TestEachByteOfAShortRootCounts(t *testing.T) {
	recs := history(3, 20)
	point := short(leavesOf(recs).at(20))
	for i := range point.Root {
		point.Root[i] ^= 1
		l := verify.Log{Checkpoints: []verify.Expected{point}}
		r := run(t, &l, rand.New(rand.NewPCG(1, 2)), recs)
		point.Root[i] ^= 1
		if want := i >= 24; r.Checkpoints[0].OK != want {
			t.Errorf("with another byte %d it is held to agree: %t", i, !want)
		}
	}
}
