package billing

import (
	"context"
	"errors"

	"sandglass/domain/stream"
	"sandglass/domain/wallet"
)

// ErrServed says that a wallet can't be retired: this daemon serves it.
var ErrServed = errors.New("billing: this daemon serves the wallet: only one whose node is gone is retired")

// RetireWallet says that a node is gone for good: nobody waits for what is paid there. The
// wallet of this daemon is [ErrServed].
func (b *Service) RetireWallet(ctx context.Context, meta stream.Meta, node string) (stream.Outcome[wallet.State], error) {
	switch own := b.node(); own {
	case "": // it may be the one
		return stream.Outcome[wallet.State]{}, ErrStarting
	case node:
		return stream.Outcome[wallet.State]{}, ErrServed
	}
	return b.Wallets.Execute(ctx, node, meta, wallet.Retire{At: b.Now()})
}
