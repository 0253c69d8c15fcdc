package projections

import (
	"maps"
	"slices"
	"strings"

	"sandglass/domain/address"
	"sandglass/domain/instant"
	"sandglass/projections/open"
	"sandglass/projections/table"
	"sandglass/projections/wallets"
)

// image is the views as they stood at one position, to be read at leisure: while it is
// held, a fold copies what it changes.
type image struct {
	every     instant.Millis
	at        position
	ledger    Ledger
	resources *table.Image
	plans     []planRow // by name
	payments  open.Image
	addresses []address.State  // as they were issued
	wallets   []wallets.Wallet // by node
}

// image returns an image, which the caller ends with release.
func (v *Views) image() (im *image, release func()) {
	v.mu.Lock()
	t := v.resources
	im = &image{
		every:     v.every,
		at:        v.at,
		ledger:    v.ledger,
		resources: t.Hold(),
		plans:     slices.Collect(maps.Values(v.plans)),
		payments:  v.payments.Image(),
		addresses: v.addresses.all,
		wallets:   slices.Collect(maps.Values(v.wallets)),
	}
	v.mu.Unlock()
	slices.SortFunc(im.plans, func(p, q planRow) int { return strings.Compare(p.state.Name, q.state.Name) })
	im.payments.Sort()
	slices.SortFunc(im.wallets, func(a, b wallets.Wallet) int { return strings.Compare(a.State.Node, b.State.Node) })
	return im, func() {
		v.mu.Lock()
		defer v.mu.Unlock()
		t.Release()
	}
}
