package lnd

import (
	"context"
	"slices"
	"strings"

	"github.com/lightningnetwork/lnd/lnrpc"
)

// Mend thaws or starts a node that is frozen or dead, and has a wallet that can't list its
// transactions any more read the chain anew.
func (d *Node) Mend(ctx context.Context) error {
	if err := d.Thaw(); err != nil {
		return err
	}
	if !d.Running() {
		if err := d.Restart(ctx); err != nil {
			return err
		}
	}
	return d.mendWallet(ctx)
}

// mendWallet mends what a reorg of several blocks can do to lnd, whose wallet then
// says for good that it misses a transaction: it reads the chain anew.
func (d *Node) mendWallet(ctx context.Context) error {
	_, err := d.Lightning.GetTransactions(ctx, &lnrpc.GetTransactionsRequest{})
	if err == nil || !strings.Contains(err.Error(), "missing transaction") {
		return err
	}
	usual := d.flags
	defer func() { d.flags = usual }()
	d.flags = append(slices.Clone(usual), "--reset-wallet-transactions")
	return d.Restart(ctx)
}
