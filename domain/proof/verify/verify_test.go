package verify_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"sandglass/domain/instant"
	"sandglass/domain/pieces"
	"sandglass/domain/proof"
	"sandglass/domain/proof/checkpoint"
	"sandglass/domain/proof/verify"
	"sandglass/domain/stream"
	"sandglass/testutil/histories"
)

// times is how many random changes of each kind are looked for, and a tenth of the logs that were
// not changed.
var times = flag.Int("times", 10, "how often each kind of change is made: 100 for a long search")

// history returns the records of a random log of n events.
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
	return recs[:n]
}

// kept is what somebody has kept of a log: its leaves.
type kept []proof.Hash

func (k kept) Leaves(n int64) ([]proof.Hash, error) {
	from := min(n*proof.Width, int64(len(k)))
	return k[from:min(from+proof.Width, int64(len(k)))], nil
}

func leavesOf(recs []stream.Record) (k kept) {
	var h proof.Hasher
	for i := range recs {
		k = append(k, proof.Leaf(h.Add(&recs[i])))
	}
	return k
}

// at returns the checkpoint of a size.
func (k kept) at(size int) verify.Expected {
	var tree proof.Tree
	for _, leaf := range k[:size] {
		tree.AppendLeaf(leaf)
	}
	c := checkpoint.Checkpoint{Origin: "o", Size: int64(size), Root: tree.Root()}
	return verify.Expected{From: "a checkpoint", Checkpoint: c}
}

func (k kept) blocks() (roots []proof.Hash) {
	for n := 0; (n+1)*proof.Width <= len(k); n++ {
		roots = append(roots, proof.NodeOver((*[proof.Width]proof.Hash)(k[n*proof.Width:])))
	}
	return roots
}

// cut yields records in pieces of random lengths.
func cut(rng *rand.Rand, recs []stream.Record) pieces.Log {
	return func(yield func(pieces.Piece, error) bool) {
		for len(recs) > 0 {
			n := 1 + rng.IntN(min(len(recs), 300))
			run := recs[:n]
			if recs = recs[n:]; !yield(pieces.Whole(run), nil) {
				return
			}
		}
	}
}

func run(t *testing.T, l *verify.Log, rng *rand.Rand, recs []stream.Record) verify.Report {
	t.Helper()
	r, err := l.Run(t.Context(), cut(rng, recs))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// change is a kind of change: it returns the log that is changed, and the first event that is
// another than before.
type change struct {
	name string
	do   func(rng *rand.Rand, recs []stream.Record) ([]stream.Record, int)
}

// edit returns a kind of change of one field of one event.
func edit(field string, do func(*rand.Rand, *stream.Record)) change {
	return change{field, func(rng *rand.Rand, recs []stream.Record) ([]stream.Record, int) {
		i := rng.IntN(len(recs))
		do(rng, &recs[i])
		return recs, i
	}}
}

// flip changes a bit.
func flip(rng *rand.Rand, b []byte) []byte {
	b = slices.Clone(b)
	b[rng.IntN(len(b))] ^= 1 << rng.IntN(8)
	return b
}

// flipText changes a bit of a text of ASCII, which stays one: another can't be sent by a cluster.
func flipText(rng *rand.Rand, s string) string {
	b := []byte(s)
	b[rng.IntN(len(b))] ^= 1 << rng.IntN(7)
	return string(b)
}

var changes = []change{
	edit("id", func(rng *rand.Rand, r *stream.Record) { copy(r.ID[:], flip(rng, r.ID[:])) }),
	edit("stream", func(rng *rand.Rand, r *stream.Record) { r.Stream = flipText(rng, r.Stream) }),
	edit("revision", func(rng *rand.Rand, r *stream.Record) { r.Revision ^= 1 << rng.IntN(62) }),
	edit("type", func(rng *rand.Rand, r *stream.Record) { r.Type = flipText(rng, r.Type) }),
	edit("at", func(rng *rand.Rand, r *stream.Record) { r.At ^= 1 << rng.IntN(40) }),
	edit("recorded_at, later", func(rng *rand.Rand, r *stream.Record) { r.RecordedAt += 1 + instant.Time(rng.Int64N(1e10)) }),
	edit("data", func(rng *rand.Rand, r *stream.Record) { r.Data = flip(rng, r.Data) }),
	edit("meta", func(rng *rand.Rand, r *stream.Record) { r.Meta = flip(rng, r.Meta) }),
	edit("meta, gone", func(_ *rand.Rand, r *stream.Record) { r.Meta = nil }),
	{"dropped", func(rng *rand.Rand, recs []stream.Record) ([]stream.Record, int) {
		i := rng.IntN(len(recs) - 1)
		return slices.Delete(recs, i, i+1), i
	}},
	{"inserted", func(rng *rand.Rand, recs []stream.Record) ([]stream.Record, int) {
		i := rng.IntN(len(recs))
		r := recs[i]
		r.Meta = []byte(`{"actor":"thief"}`)
		return renumber(slices.Insert(recs, i, r)), i
	}},
	{"duplicated", func(rng *rand.Rand, recs []stream.Record) ([]stream.Record, int) {
		i := rng.IntN(len(recs))
		return renumber(slices.Insert(recs, i, recs[i])), i + 1
	}},
	{"swapped", func(rng *rand.Rand, recs []stream.Record) ([]stream.Record, int) {
		i := rng.IntN(len(recs) - 1)
		j := i + 1 + rng.IntN(len(recs)-i-1)
		recs[i], recs[j] = recs[j], recs[i]
		return renumber(recs), i
	}},
	{"cut", func(rng *rand.Rand, recs []stream.Record) ([]stream.Record, int) {
		i := rng.IntN(len(recs))
		return recs[:i], i
	}},
	{"rolled back, and gone on", func(rng *rand.Rand, recs []stream.Record) ([]stream.Record, int) {
		i := rng.IntN(len(recs))
		other := history(1000+rng.Uint64N(1000), len(recs)+rng.IntN(20))
		return append(recs[:i], other[i:]...), i
	}},
	{"another history from the first", func(rng *rand.Rand, recs []stream.Record) ([]stream.Record, int) {
		return history(1000+rng.Uint64N(1000), len(recs)+rng.IntN(20)), 0
	}},
}

// renumber gives records the positions that a store would, so that these tell nothing.
func renumber(recs []stream.Record) []stream.Record {
	for i := range recs {
		recs[i].Position = stream.Position(i + 1)
	}
	return recs
}

func TestEachChangeIsFoundAndNamed(t *testing.T) {
	const n = 1100
	whole := history(1, n)
	leaves := leavesOf(whole)
	for _, kind := range changes {
		t.Run(kind.name, func(t *testing.T) {
			for seed := range uint64(*times) {
				rng := rand.New(rand.NewPCG(seed, 7))
				recs, first := kind.do(rng, slices.Clone(whole))
				half := leaves.at(1 + rng.IntN(n-1))
				l := &verify.Log{Checkpoints: []verify.Expected{half, leaves.at(n)}, Tiles: leaves, Blocks: leaves.blocks()}
				r := run(t, l, rng, recs)
				if r.Count == 0 || !named(&r, recs, first) || n > first && r.Covered > int64(first) {
					t.Errorf("seed %d: of event %d it tells %+v", seed, first, r)
				}
				l = &verify.Log{Checkpoints: l.Checkpoints}
				if r = run(t, l, rng, recs); first < n && (len(r.Findings) == 0 || !within(&r, first)) {
					t.Errorf("seed %d: of event %d it tells without tiles %+v", seed, first, r.Findings)
				}
			}
		})
	}
}

// named reports whether the event that differs first is named: by its index, stream and
// revision, if the log has one there at all.
func named(r *verify.Report, recs []stream.Record, first int) bool {
	for _, f := range r.Findings {
		switch {
		case f.Index != int64(first):
		case first >= len(recs):
			return f.Kind == verify.Cut
		case f.Kind == verify.Event:
			where := fmt.Sprintf("%s revision %d", recs[first].Stream, recs[first].Revision)
			return f.Where == where && strings.Contains(f.Text, "is the first")
		}
	}
	return false
}

// within reports whether a finding is of the event that differs first.
func within(r *verify.Report, first int) bool {
	return slices.ContainsFunc(r.Findings, func(f verify.Finding) bool {
		return f.Index <= int64(first) && int64(first) <= max(f.Index, f.Until)
	})
}

func TestNoFalseAlarm(t *testing.T) {
	for seed := range uint64(10 * *times) {
		rng := rand.New(rand.NewPCG(seed, 8))
		n := 1 + rng.IntN(600)
		recs := history(seed, n)
		leaves := leavesOf(recs)
		l := &verify.Log{
			Checkpoints: []verify.Expected{leaves.at(rng.IntN(n + 1)), leaves.at(n), leaves.at(0)}, Tiles: leaves, Blocks: leaves.blocks(),
		}
		r := run(t, l, rng, recs)
		if r.Count != 0 || r.Events != int64(n) || r.Covered != int64(n) || r.Root != l.Checkpoints[1].Root || len(r.Checkpoints) != 3 {
			t.Fatalf("seed %d: of %d events it tells %+v", seed, n, r)
		}
	}
}

func kinds(r *verify.Report) (kinds []verify.Kind) {
	for _, f := range r.Findings {
		kinds = append(kinds, f.Kind)
	}
	return kinds
}

func TestWhatItIsHeldAgainst(t *testing.T) {
	recs := history(2, 600)
	leaves := leavesOf(recs)
	other := slices.Clone(leaves)
	other[300][0]++
	swapped := slices.Clone(leaves)
	copy(swapped, leaves[256:512])
	copy(swapped[256:], leaves[:256])
	earlier := slices.Clone(recs)
	earlier[100].RecordedAt = earlier[100].RecordedAt - 1000
	lower := slices.Clone(recs)
	lower[100].Position = 3
	held := func(tiles verify.Tiles, checkpoints ...verify.Expected) verify.Log {
		return verify.Log{Checkpoints: checkpoints, Tiles: tiles}
	}
	type kindsOf = []verify.Kind
	for name, test := range map[string]struct {
		log  verify.Log
		recs []stream.Record
		want []verify.Kind
	}{
		"nothing":                    {verify.Log{}, recs, nil},
		"an old checkpoint":          {held(nil, leaves.at(10)), recs, nil},
		"two roots of one size":      {held(nil, leaves.at(600), other.at(600)), recs, kindsOf{verify.Fork, verify.Root}},
		"another log's checkpoint":   {held(nil, other.at(400)), recs, kindsOf{verify.Root}},
		"a later one":                {held(nil, leaves.at(600)), recs[:599], kindsOf{verify.Cut}},
		"swapped tiles":              {held(kept(swapped), leaves.at(600)), recs, kindsOf{verify.Tile}},
		"swapped tiles of a cut log": {held(kept(swapped), leaves.at(600)), recs[:200], kindsOf{verify.Event, verify.Cut, verify.Tile}},
		"tiles of more":              {held(leaves, leaves.at(200)), recs[:300], kindsOf{verify.Cut}},
		"tiles of less":              {held(leaves[:250], leaves.at(200)), recs, nil},
		"blocks of another":          {verify.Log{Blocks: kept(other).blocks()}, recs, kindsOf{verify.Block}},
		"an earlier recorded_at":     {held(nil, leaves.at(50)), earlier, kindsOf{verify.Backwards}},
		"a position that was before": {held(nil, leaves.at(600)), lower, kindsOf{verify.Backwards}},
		"an empty log, of no events": {held(nil, leaves.at(0)), nil, nil},
		"an empty log, of some":      {held(nil, leaves.at(1)), nil, kindsOf{verify.Cut}},
		"an empty log, by the tiles": {verify.Log{Tiles: leaves}, nil, kindsOf{verify.Cut}},
	} {
		t.Run(name, func(t *testing.T) {
			r := run(t, &test.log, rand.New(rand.NewPCG(1, 2)), test.recs)
			if got := kinds(&r); !slices.Equal(got, test.want) || r.Count != int64(len(got)) {
				t.Errorf("it finds %v, want %v: %+v", got, test.want, r)
			}
		})
	}
}

func TestWhatCannotBeRead(t *testing.T) {
	recs := history(2, 300)
	broken := func(yield func(pieces.Piece, error) bool) {
		_ = yield(pieces.Whole(recs[:200]), nil) &&
			yield(func(p *stream.Page) error {
				p.Records = append(p.Records[:0], recs[200:250]...)
				return &pieces.UnreadError{Err: errors.New("no JSON")}
			}, nil) &&
			yield(pieces.Whole(recs[250:]), nil)
	}
	l := &verify.Log{Checkpoints: []verify.Expected{leavesOf(recs).at(300)}}
	r, err := l.Run(t.Context(), broken)
	if err != nil || r.Events != 250 || !slices.Equal(kinds(&r), []verify.Kind{verify.Unread}) || r.Findings[0].Index != 250 {
		t.Errorf("it tells %+v, %v", r, err)
	}
	failed := errors.New("a disk fails")
	_, err = (&verify.Log{}).Run(t.Context(), func(yield func(pieces.Piece, error) bool) { yield(nil, failed) })
	if !errors.Is(err, failed) {
		t.Errorf("a log that can't be read: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := (&verify.Log{}).Run(ctx, cut(rand.New(rand.NewPCG(1, 1)), recs)); !errors.Is(err, context.Canceled) {
		t.Errorf("after its end: %v", err)
	}
}
