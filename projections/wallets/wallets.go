// Package wallets holds the wallets of the nodes that were ever watched, as the views have them.
package wallets

import (
	"sandglass/domain/stream"
	"sandglass/domain/wallet"
	"sandglass/projections/snapshot"
)

// Wallet is a node's wallet with the revision that it stands at. There are as many as nodes
// were ever watched, which is the operator's doing alone.
type Wallet struct {
	State    wallet.State
	Revision stream.Revision
}

// Fields passes a wallet through a snapshot.
func (w *Wallet) Fields(f *snapshot.Fields) {
	s := &w.State
	snapshot.String(f, &s.Node)
	snapshot.Int(f, &s.Epoch)
	snapshot.String(f, &s.Network)
	snapshot.Int(f, &s.Since)
	snapshot.Int(f, &s.Began)
	snapshot.Int(f, &s.History)
	snapshot.Int(f, &s.Settle)
	snapshot.Int(f, &s.Add)
	snapshot.Int(f, &s.Invoices)
	snapshot.Int(f, &s.Chain)
	snapshot.Int(f, &s.Retired)
	snapshot.Int(f, &s.Last)
	snapshot.Int(f, &w.Revision)
}
