package projections

import (
	"maps"
	"slices"
	"strings"

	"sandglass/domain/stream"
	"sandglass/domain/wallet"
	"sandglass/domain/watch"
	"sandglass/projections/snapshot"
)

// walletRow is a node's wallet with the revision that it stands at. There are as many as nodes
// were ever watched, which is the operator's doing alone.
type walletRow struct {
	state    wallet.State
	revision stream.Revision
}

// fields passes a wallet through a snapshot.
func (w *walletRow) fields(f *snapshot.Fields) {
	snapshot.String(f, &w.state.Node)
	snapshot.Int(f, &w.state.Epoch)
	snapshot.String(f, &w.state.Network)
	snapshot.Int(f, &w.state.Since)
	snapshot.Int(f, &w.state.Began)
	snapshot.Int(f, &w.state.History)
	snapshot.Int(f, &w.state.Settle)
	snapshot.Int(f, &w.state.Add)
	snapshot.Int(f, &w.state.Invoices)
	snapshot.Int(f, &w.state.Chain)
	snapshot.Int(f, &w.state.Retired)
	snapshot.Int(f, &w.state.Last)
	snapshot.Int(f, &w.revision)
}

func (v *Views) wallet(rec *stream.Record, e wallet.Event) error {
	node := rec.Stream[len(wallet.Prefix):]
	w, ok := v.wallets[node]
	if !ok {
		node = strings.Clone(node)
		w = walletRow{wallet.New(node), stream.NoStream}
	}
	if rec.Revision != w.revision+1 {
		return errRevision
	}
	v.wallets[node] = walletRow{wallet.Evolve(w.state, e), rec.Revision}
	watch.Signal(v.swept)
	return nil
}

// Wallets returns the wallets that were ever watched, by node.
func (v *Views) Wallets() []wallet.State {
	v.mu.RLock()
	defer v.mu.RUnlock()
	list := make([]wallet.State, 0, len(v.wallets))
	for _, node := range slices.Sorted(maps.Keys(v.wallets)) {
		list = append(list, v.wallets[node].state)
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
