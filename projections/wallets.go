package projections

import (
	"maps"
	"slices"
	"strings"

	"sandglass/domain/stream"
	"sandglass/domain/wallet"
	"sandglass/domain/watch"
	"sandglass/projections/wallets"
)

func (v *Views) wallet(rec *stream.Record, e wallet.Event) error {
	node := rec.Stream[len(wallet.Prefix):]
	w, ok := v.wallets[node]
	if !ok {
		node = strings.Clone(node)
		w = wallets.Wallet{State: wallet.New(node), Revision: stream.NoStream}
	}
	if rec.Revision != w.Revision+1 {
		return errRevision
	}
	v.wallets[node] = wallets.Wallet{State: wallet.Evolve(w.State, e), Revision: rec.Revision}
	watch.Signal(v.swept)
	return nil
}

// Wallets returns the wallets that were ever watched, by node.
func (v *Views) Wallets() []wallet.State {
	v.mu.RLock()
	defer v.mu.RUnlock()
	list := make([]wallet.State, 0, len(v.wallets))
	for _, node := range slices.Sorted(maps.Keys(v.wallets)) {
		list = append(list, v.wallets[node].State)
	}
	return list
}

// WalletsMoved is a channel that gets a token when a wallet was swept, retired or adopted. It
// is for one reader.
func (v *Views) WalletsMoved() <-chan struct{} { return v.swept }

// AddressesOf returns how many addresses of a node's wallet were issued.
func (v *Views) AddressesOf(node string) int {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return v.addresses.ofNode[node]
}
