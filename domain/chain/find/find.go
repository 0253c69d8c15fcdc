// Package find looks for all that ever paid an address of the wallet: of one that the log does
// not know, and that an operator adopts.
package find

import (
	"context"
	"errors"
	"fmt"

	"sandglass/domain/chain"
)

// ErrNotOurs says that an address is not the wallet's: it sent money there.
var ErrNotOurs = errors.New("chain: the address is not the wallet's")

// FirstHeight returns a height before which no block of the active chain pays an address,
// however long ago it was made. An address that nobody has paid yet may be anybody's: of one
// that was paid the wallet tells whether it holds the key, and it is [ErrNotOurs] if not.
func FirstHeight(ctx context.Context, w chain.Wallet, address string) (height int64, err error) {
	tip, err := w.Tip(ctx) // before the blocks are read, so that none lies between
	if err != nil {
		return 0, err
	}
	f := finding{wallet: w, address: address, height: tip.Height}
	l := chain.Lister{Wallet: w, Keep: f.keep, Read: f.read, Unread: func(height int64, _ error) { f.lower(height) }}
	if err := l.List(ctx, 1, tip.Height); err != nil {
		return 0, err
	}
	mempool, err := w.Mempool(ctx)
	if err != nil {
		return 0, err
	}
	for _, o := range mempool {
		f.foreign = f.foreign || o.Address == address && !o.Ours
	}
	if f.foreign {
		return 0, fmt.Errorf("%w: %s was paid, and the wallet has not got it", ErrNotOurs, address)
	}
	return f.height, nil
}

// finding looks for what pays an address.
type finding struct {
	wallet  chain.Wallet
	address string
	height  int64
	foreign bool
}

// lower takes a height at which the address may have been paid.
func (f *finding) lower(height int64) { f.height = min(f.height, height) }

func (f *finding) keep(_ context.Context, outputs []chain.Output) error {
	for i := range outputs {
		if o := &outputs[i]; o.Address == f.address {
			f.lower(o.Height)
			f.foreign = f.foreign || !o.Ours
		}
	}
	return nil
}

// read reads the block of a height that the wallet can't list. Whose an address is it does
// not tell.
func (f *finding) read(ctx context.Context, height int64, _ error) error {
	hash, err := f.wallet.BlockHash(ctx, height)
	if err != nil {
		return err
	}
	b, err := f.wallet.Block(ctx, hash)
	if err != nil {
		return err
	}
	for i := range b.Outputs {
		if b.Outputs[i].Address == f.address {
			f.lower(height)
		}
	}
	return nil
}
