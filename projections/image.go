package projections

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"sandglass/domain/address"
	"sandglass/domain/instant"
	"sandglass/domain/resource"
)

// image is the views as they stood at one position, to be read at leisure: while it is
// held, a fold copies the pages of rows that it writes to.
type image struct {
	every    instant.Millis
	at       position
	ledger   Ledger
	pages    []*page
	n        int32
	shared   common
	unplaced int
	counts   [resource.StatusReleased + 1]int
	plans    []planRow      // by name
	payments []*openPayment // by key
	issued   []address.State
}

// image returns an image, which the caller ends with release.
func (v *Views) image() (im *image, release func()) {
	v.mu.Lock()
	defer v.mu.Unlock()
	t := &v.resources
	t.images++
	t.epoch++
	im = &image{
		every: v.every, at: v.at, ledger: v.ledger,
		pages: slices.Clone(t.pages), n: t.n, shared: t.shared, unplaced: t.placed[0], counts: t.counts,
		plans:    slices.Collect(maps.Values(v.plans)),
		payments: slices.Collect(maps.Values(v.payments.byKey)),
		issued:   v.addresses.all,
	}
	return im, func() {
		v.mu.Lock()
		defer v.mu.Unlock()
		t.images--
	}
}

// sort brings what the maps gave into the order of its names.
func (im *image) sort() {
	slices.SortFunc(im.plans, func(p, q planRow) int { return strings.Compare(p.state.Name, q.state.Name) })
	slices.SortFunc(im.payments, func(p, q *openPayment) int { return cmp.Compare(p.state.Key, q.state.Key) })
}

func (im *image) row(i int32) *row { return &im.pages[i/pageRows].rows[i%pageRows] }
