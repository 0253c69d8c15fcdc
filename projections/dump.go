package projections

import (
	"io"
	"slices"
	"strings"

	"sandglass/domain/address"
	"sandglass/projections/dump"
)

// What a caller of [Views.DiffDump] meets.
type (
	// Difference is a figure on which two views do not agree.
	Difference = dump.Difference
	// FigureCounter counts the figures of a dump that is read through it.
	FigureCounter = dump.FigureCounter
)

// Dump writes every figure of every view, as the views stood at one position, as package
// dump describes it. The views are folded on meanwhile; memory is bounded by what changes
// in that time.
func (v *Views) Dump(w io.Writer) error {
	im, release := v.image()
	defer release()
	return dump.Write(w, im.lines)
}

// DumpHead reads the first line of a dump: [New] with its SettleEvery, and [Replay] up to
// its Position, make the views that it was made of.
func DumpHead(line []byte) (dump.Head, error) { return dump.ReadHead(line) }

// Diff compares two views figure by figure, and returns up to [dump.MaxDifferences].
func (v *Views) Diff(other *Views) []Difference {
	ours, release := v.image()
	defer release()
	theirs, release2 := other.image()
	defer release2()
	return dump.Compare(ours.lines, theirs.lines)
}

// DiffDump compares v with what [Views.Dump] of another wrote, which comes from someone
// who is not trusted: what is not a dump is an error. Both must be at one position, and
// settle alike; the dump's first line says how, which [DumpHead] reads.
func (v *Views) DiffDump(r io.Reader) ([]Difference, error) {
	im, release := v.image()
	defer release()
	return dump.Verify(im.lines, r)
}

// Check compares the ledger with the sums over all resources, as [dump.Check] does.
func (v *Views) Check() []Difference {
	im, release := v.image()
	defer release()
	return dump.Check(im.ledger, im.resources.All())
}

// lines are those of the image's dump.
func (im *image) lines(yield func(string, []byte) bool) {
	var l dump.Line
	if !yield(l.Sums(im.sums())) {
		return
	}
	byText := func(a, b address.State) int { return strings.Compare(a.Address, b.Address) }
	for _, s := range slices.SortedFunc(slices.Values(im.addresses), byText) {
		if !yield(l.Address(&s)) {
			return
		}
	}
	for _, p := range im.payments.List {
		if !yield(l.Payment(&p.State, p.Revision, p.Since)) {
			return
		}
	}
	for i := range im.plans {
		if p := &im.plans[i]; !yield(l.Plan(&p.state, p.revision)) {
			return
		}
	}
	for s, at := range im.resources.ByID() {
		if !yield(l.Resource(s, at, im.every)) {
			return
		}
	}
	for i := range im.wallets {
		if w := &im.wallets[i]; !yield(l.Wallet(&w.State, w.Revision)) {
			return
		}
	}
}

func (im *image) sums() *dump.Sums {
	counts := im.resources.Counts()
	return &dump.Sums{
		Head:     dump.Head{Position: im.at.pos, SettleEvery: im.every},
		Accounts: im.ledger,
		Counts:   counts[:],
		Unplaced: im.resources.Unplaced(),
		Plans:    len(im.plans),
		Payments: len(im.payments.List),
	}
}
