package devnet

import (
	"context"
	"io"

	"github.com/btcsuite/btcd/wire"

	"sandglass/testutil/devnet/btc"
	"sandglass/testutil/devnet/build"
	"sandglass/testutil/devnet/lnd"
	"sandglass/testutil/devnet/process"
)

// What a test says to the network and hears from it has its names here too, so that it
// imports this package alone.
type (
	Binaries = build.Binaries

	Node          = lnd.Node
	NodeInfo      = lnd.Info
	Hold          = lnd.Hold
	PaymentFailed = lnd.PaymentFailed

	Output       = btc.Output
	Tx           = btc.Tx
	ReorgOption  = btc.ReorgOption
	ActiveOutput = btc.ActiveOutput
)

// MaxDepth is [btc.MaxDepth].
const MaxDepth = btc.MaxDepth

// Build is [build.Nodes].
func Build(ctx context.Context, progress io.Writer) (Binaries, error) {
	return build.Nodes(ctx, progress)
}

// Until is [process.Until].
func Until(ctx context.Context, what string, try func(context.Context) error) error {
	return process.Until(ctx, what, try)
}

// To is [btc.To].
func To(addr string, sat int64) Output { return btc.To(addr, sat) }

// With is [btc.With].
func With(txs ...*wire.MsgTx) ReorgOption { return btc.With(txs...) }

// KeepTxs is [btc.KeepTxs].
func KeepTxs() ReorgOption { return btc.KeepTxs() }

// InParts is [lnd.InParts].
func InParts(parts uint32, shardMsat uint64) lnd.PayOption { return lnd.InParts(parts, shardMsat) }

// WithPreimage is [lnd.WithPreimage].
func WithPreimage(preimage [32]byte) lnd.PayOption { return lnd.WithPreimage(preimage) }
