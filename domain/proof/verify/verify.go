// Package verify holds a log against what was kept of it elsewhere: checkpoints, and tiles.
//
// A checkpoint says of a log that it is the one that it was, or that it is not: between which
// checkpoints it was changed, and no more. The tiles of that checkpoint have the leaf of each event,
// and so say which one is another. A [Log] is read once, from its first event on, in memory that does
// not grow with it.
package verify

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"

	"sandglass/domain/instant"
	"sandglass/domain/pieces"
	"sandglass/domain/proof"
	"sandglass/domain/proof/checkpoint"
	"sandglass/domain/proof/fork"
	"sandglass/domain/stream"
)

// MaxFindings is how many findings are listed; all are counted.
const MaxFindings = 20

// maxOrigins bounds the names of a log that are listed.
const maxOrigins = 1000

// Expected is a checkpoint, and where it was found.
type Expected struct {
	From string
	checkpoint.Checkpoint
	Vouched
	Short bool // it is a [checkpoint.Brief] in full: of whichever fork
}

// is reports whether a root is that of the checkpoint, as far as that is known.
func (c *Expected) is(root proof.Hash) bool {
	n := len(root)
	if c.Short {
		n = checkpoint.BriefRoot
	}
	return bytes.Equal(root[:n], c.Root[:n])
}

func (c *Expected) root() string {
	if c.Short {
		return base64.StdEncoding.EncodeToString(c.Root[:checkpoint.BriefRoot]) + "…"
	}
	return c.Root.String()
}

// Tiles are what is kept of a log's tree.
type Tiles interface {
	// Leaves returns the leaves that tile n of the lowest level has, of which there are fewer than
	// [proof.Width] only at the end of the log, and none after it.
	Leaves(n int64) ([]proof.Hash, error)
}

// Kind is what a finding is about.
type Kind string

// The kinds of findings.
const (
	Event     Kind = "event"      // one is another than the tiles say
	Block     Kind = "block"      // one of these 256 is another than the blocks say
	Root      Kind = "root"       // the log is another than a checkpoint says
	Cut       Kind = "cut"        // the log ends before a checkpoint does
	Tile      Kind = "tiles"      // the tiles are not those of a checkpoint
	Fork      Kind = "fork"       // two checkpoints of one size have other roots
	Witnesses Kind = "witnesses"  // too few of them cosigned a checkpoint
	Backwards Kind = "backwards"  // an event is recorded, or stands, before the one before it
	Unread    Kind = "unreadable" // an event can't be read: nothing after it was
)

// Finding is what is not as it was, or as it can be.
type Finding struct {
	Kind  Kind   `json:"kind"`
	Index int64  `json:"index"`           // of the event, or of the first that it may be; of a checkpoint, the last
	Until int64  `json:"until,omitempty"` // of the last that it may be
	Where string `json:"where,omitempty"` // stream and revision of the event at Index, if it is known
	Text  string `json:"text"`            // a sentence for people
}

// Held is a checkpoint that the log was held against.
type Held struct {
	From   string     `json:"from"`
	Origin string     `json:"origin"`
	Size   int64      `json:"size"`
	Root   proof.Hash `json:"root"`
	Short  bool       `json:"short,omitempty"` // Root has 24 bytes and zeros, and Origin is empty: it is of whichever fork
	OK     bool       `json:"ok"`
	Vouched
}

// Report is what a verification comes to.
type Report struct {
	Events      int64      `json:"events"`
	Root        proof.Hash `json:"root"`
	Checkpoints []Held     `json:"checkpoints"` // by their size
	Covered     int64      `json:"covered"`     // events that a checkpoint agrees with
	Origins     []Origin   `json:"origins"`     // under which the log was signed, by itself
	Count       int64      `json:"count"`       // of findings
	Findings    []Finding  `json:"findings"`
}

// Origin is what the log itself says of a name under which it is signed, from an event on. Nobody
// outside could tell whether an event before the first was changed before that.
type Origin struct {
	Origin string `json:"origin"`
	Size   int64  `json:"size"`             // events before it
	Reason string `json:"reason,omitempty"` // why it has another name since
}

// Log verifies one log. Its fields are set before [Log.Run].
type Log struct {
	Checkpoints []Expected
	Tiles       Tiles                       // nil if there are none
	Blocks      []proof.Hash                // the roots of whole blocks, as a daemon keeps them
	Progress    func(events int64)          // told every now and then; it may be nil
	See         func(leaf proof.Hash) error // of each event, in their order; it may be nil

	report  Report
	tree    proof.Tree
	known   proof.Tree // of the tiles
	next    []Expected // not reached yet, by their size
	tile    []proof.Hash
	block   [proof.Width]proof.Hash
	last    stream.Record // its position and recorded time
	differs bool          // an event was named
	back    bool          // an event that is before the one before it was
}

// Run reads the log, and returns what was found. An error is of what could not be read at all,
// such as the tiles; what is wrong with the log is a finding.
func (l *Log) Run(ctx context.Context, log pieces.Log) (Report, error) {
	l.next = slices.Clone(l.Checkpoints)
	slices.SortStableFunc(l.next, func(a, b Expected) int { return cmp.Compare(a.Size, b.Size) })
	l.report = Report{Checkpoints: []Held{}, Origins: []Origin{}, Findings: []Finding{}}
	l.forks()
	l.tooFew()
	if err := l.reach(); err != nil {
		return l.report, err
	}
	err := pieces.Each(ctx, log, hash, l.take)
	var bad *pieces.UnreadError
	switch {
	case errors.As(err, &bad):
		l.found(Finding{Kind: Unread, Index: l.tree.Size(), Text: fmt.Sprintf("event %d can't be read: %v", l.tree.Size(), bad.Err)})
	case err != nil:
		return l.report, err
	default:
		if err := l.cut(); err != nil {
			return l.report, err
		}
	}
	l.report.Events, l.report.Root = l.tree.Size(), l.tree.Root()
	return l.report, nil
}

// found adds a finding.
func (l *Log) found(f Finding) {
	l.report.Count++
	if len(l.report.Findings) < MaxFindings {
		l.report.Findings = append(l.report.Findings, f)
	}
}

// unfind takes back what was found of a kind.
func (l *Log) unfind(kind Kind) {
	kept := slices.DeleteFunc(l.report.Findings, func(f Finding) bool { return f.Kind == kind })
	l.report.Count -= int64(len(l.report.Findings) - len(kept))
	l.report.Findings = kept
}

// forks finds checkpoints of one origin and size that have not one root: whoever signed them
// showed two logs.
func (l *Log) forks() {
	type name struct {
		origin string
		size   int64
	}
	seen := map[name]*Expected{}
	for i := range l.next {
		b := &l.next[i]
		if b.Short {
			continue // those of two forks may differ, and are held against the log each
		}
		a := seen[name{b.Origin, b.Size}]
		if a == nil {
			seen[name{b.Origin, b.Size}] = b
		} else if a.Root != b.Root {
			l.found(Finding{Kind: Fork, Index: a.Size - 1, Text: fmt.Sprintf("%s has two roots at size %d: %s in %s and %s in %s",
				a.Origin, a.Size, a.Root, a.From, b.Root, b.From)})
		}
	}
}

// hashed are the leaves of a piece of a log.
type hashed struct {
	leaves []proof.Hash
	proof.Hasher
}

// hash hashes a piece.
func hash(h *hashed, recs []stream.Record, recorded instant.Time) {
	h.Recorded, h.leaves = recorded, h.leaves[:0]
	for i := range recs {
		h.leaves = append(h.leaves, proof.Leaf(h.Add(&recs[i])))
	}
}

// take takes a piece, in the order of the log.
func (l *Log) take(h *hashed, recs []stream.Record) error {
	for i := range recs {
		if err := l.one(&recs[i], h.leaves[i]); err != nil {
			return err
		}
	}
	if l.Progress != nil {
		l.Progress(l.tree.Size())
	}
	return nil
}

// one takes an event.
func (l *Log) one(r *stream.Record, leaf proof.Hash) error {
	n := l.tree.Size()
	if r.Position <= l.last.Position || r.RecordedAt < l.last.RecordedAt {
		l.backwards(n, r)
	}
	l.last.Position, l.last.RecordedAt = r.Position, max(r.RecordedAt, l.last.RecordedAt)
	if strings.HasPrefix(r.Type, "log.") {
		l.named(r)
	}
	if l.See != nil {
		if err := l.See(leaf); err != nil {
			return err
		}
	}
	if err := l.compare(n, r, leaf); err != nil {
		return err
	}
	l.tree.AppendLeaf(leaf)
	if l.block[n%proof.Width] = leaf; n%proof.Width == proof.Width-1 {
		l.compareBlock(n/proof.Width, r)
	}
	if len(l.next) > 0 && l.next[0].Size == n+1 {
		return l.reach()
	}
	return nil
}

// named notes what the log says of the names that it was signed under.
func (l *Log) named(r *stream.Record) {
	e, err := fork.Decode(r)
	if err != nil || len(l.report.Origins) == maxOrigins {
		return
	}
	switch e := e.(type) {
	case *fork.Opened:
		l.report.Origins = append(l.report.Origins, Origin{Origin: e.Origin, Size: e.Size})
	case *fork.Forked:
		l.report.Origins = append(l.report.Origins, Origin{Origin: e.Origin, Size: e.Size, Reason: e.Reason})
	}
}

func where(r *stream.Record) string { return fmt.Sprintf("%s revision %d", r.Stream, r.Revision) }

// backwards finds the first event that is before the one before it: what was put among others makes
// many of them so.
func (l *Log) backwards(n int64, r *stream.Record) {
	if l.back {
		return
	}
	l.back = true
	text := fmt.Sprintf("event %d, %s, was recorded at %s, and one before it at %s: no store shows that, so one of them is another",
		n, where(r), r.RecordedAt, l.last.RecordedAt)
	if r.Position <= l.last.Position {
		text = fmt.Sprintf("event %d, %s, stands at position %d, and the one before it at %d: "+
			"no store shows that, so one of them is another", n, where(r), r.Position, l.last.Position)
	}
	l.found(Finding{Kind: Backwards, Index: n, Where: where(r), Text: text})
}

// leaf returns the leaf that the tiles have of the n'th event, if they have it. Each is asked
// for once, in their order.
func (l *Log) leaf(n int64) (leaf proof.Hash, ok bool, err error) {
	if l.Tiles == nil || l.known.Size() != n {
		return leaf, false, nil
	}
	if n%proof.Width == 0 {
		if l.tile, err = l.Tiles.Leaves(n / proof.Width); err != nil {
			return leaf, false, err
		}
	}
	if n%proof.Width >= int64(len(l.tile)) {
		return leaf, false, nil
	}
	leaf = l.tile[n%proof.Width]
	l.known.AppendLeaf(leaf)
	return leaf, true, nil
}

// compare holds an event against the tiles. What follows the first that differs is not listed:
// after one that is missing, all are others.
func (l *Log) compare(n int64, r *stream.Record, leaf proof.Hash) error {
	want, ok, err := l.leaf(n)
	if err == nil && ok && want != leaf && !l.differs {
		l.differs = true
		l.found(Finding{Kind: Event, Index: n, Where: where(r), Text: fmt.Sprintf(
			"event %d, %s at position %d, is the first that is not the one that the tiles have", n, where(r), r.Position)})
	}
	return err
}

// compareBlock holds a block against those that a daemon kept.
func (l *Log) compareBlock(n int64, r *stream.Record) {
	if n >= int64(len(l.Blocks)) || l.differs || proof.NodeOver(&l.block) == l.Blocks[n] {
		return
	}
	l.differs = true
	first, last := n*proof.Width, (n+1)*proof.Width-1
	l.found(Finding{Kind: Block, Index: first, Until: last, Text: fmt.Sprintf(
		"one of the events %d to %d, of which the last is %s at position %d, is not the one that the daemon's blocks have",
		first, last, where(r), r.Position)})
}

// reach holds the log against the checkpoints of the size that it has now.
func (l *Log) reach() error {
	for len(l.next) > 0 && l.next[0].Size == l.tree.Size() {
		c := l.next[0]
		l.next = l.next[1:]
		ok := c.is(l.tree.Root())
		if l.Tiles != nil && l.known.Size() == c.Size && !c.is(l.known.Root()) {
			if ok {
				l.unfind(Event) // it is the tiles that are others
			}
			l.tiles(c)
		}
		l.held(c, ok)
		if !ok {
			l.found(Finding{Kind: Root, Index: l.report.Covered, Until: c.Size - 1, Text: fmt.Sprintf(
				"the log is not that of %s: at size %d its root is %s, and by that %s; "+
					"one of the events %d to %d is another, or is where it was not",
				c.From, c.Size, l.tree.Root(), c.root(), l.report.Covered, c.Size-1)})
			continue
		}
		l.report.Covered = c.Size
	}
	return nil
}

// tiles finds that the tiles are not those of a checkpoint of their size.
func (l *Log) tiles(c Expected) {
	l.found(Finding{Kind: Tile, Index: c.Size - 1, Text: fmt.Sprintf(
		"the tiles are not those of %s: at size %d their root is %s, and by that %s", c.From, c.Size, l.known.Root(), c.root())})
}

func (l *Log) held(c Expected, ok bool) {
	l.report.Checkpoints = append(l.report.Checkpoints, Held{c.From, c.Origin, c.Size, c.Root, c.Short, ok, c.Vouched})
}

// cut finds what the log ends before.
func (l *Log) cut() error {
	size := l.tree.Size()
	for _, c := range l.next {
		l.held(c, false)
		from := l.report.Covered
		if l.known.Size() == size && !l.differs {
			from = size
		}
		l.found(Finding{Kind: Cut, Index: from, Until: c.Size - 1, Text: fmt.Sprintf(
			"the log ends after %s, and by %s it had %d: %s fewer; what is gone stood at index %d or later",
			proof.Events(size), c.From, c.Size, proof.Events(c.Size-size), from)})
	}
	for n := size; l.Tiles != nil; n++ { // the rest of the tiles, so that they are held against the checkpoints too
		for len(l.next) > 0 && l.next[0].Size == n {
			c := l.next[0]
			if l.next = l.next[1:]; l.known.Size() == n && !c.is(l.known.Root()) {
				l.tiles(c)
			}
		}
		if len(l.next) == 0 {
			return l.beyond()
		}
		if _, ok, err := l.leaf(n); err != nil || !ok {
			return err
		}
	}
	return nil
}

// beyond finds what the tiles have after the end of the log, where no checkpoint says so.
func (l *Log) beyond() error {
	n := l.tree.Size()
	if l.known.Size() != n {
		return nil // a checkpoint did
	}
	_, ok, err := l.leaf(n)
	if ok {
		l.found(Finding{Kind: Cut, Index: n, Until: n, Text: "the log ends after " + proof.Events(n) + ", and the tiles go on"})
	}
	return err
}
