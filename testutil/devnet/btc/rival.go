package btc

import (
	"context"
	"fmt"

	"github.com/btcsuite/btcd/wire"

	"sandglass/testutil/devnet/process"
)

// A Rival is a second btcd, which mines a chain of its own while it is parted from
// ours, and so makes reorgs as they happen in the wild. Its blocks pay our miner. Nobody
// follows it.
type Rival struct {
	chain *Chain
	btcd  *btcd
}

// StartRival starts a rival and waits until it has the whole chain. It is connected
// until [Rival.PartWays], and ends with the chain, or at [Rival.Close].
func (c *Chain) StartRival(ctx context.Context) (*Rival, error) {
	if c.opts.Nursery == nil {
		return nil, process.ErrNotOurs
	}
	r := &Rival{c, c.newBtcd(fmt.Sprintf("rival-%d", len(c.rivals)+1))}
	c.rivals = append(c.rivals, r)
	if err := c.startBtcd(ctx, r.btcd); err != nil {
		return nil, err
	}
	return r, r.Meet(ctx)
}

// PartWays cuts the connection. From then on neither hears of the other's blocks
// and transactions, but those that stand in both mempools stay there.
func (r *Rival) PartWays(ctx context.Context) error {
	if err := r.chain.btcd.call(ctx, nil, "addnode", r.btcd.p2p, "remove"); err != nil {
		return err
	}
	return r.waitPeers(ctx, 0)
}

// Meet connects the rival again and waits until both have the longer chain, and
// those who follow it have seen it. Between two of one length neither side gives way: that
// is an error.
func (r *Rival) Meet(ctx context.Context) error {
	ours, hash, err := r.chain.btcd.best(ctx)
	if err != nil {
		return err
	}
	theirs, other, err := r.btcd.best(ctx)
	if err != nil {
		return err
	}
	if ours == theirs && hash != other {
		return fmt.Errorf("the rival's chain has %d blocks, as ours: mine one more on either", ours)
	}
	if err := r.chain.btcd.call(ctx, nil, "addnode", r.btcd.p2p, "add"); err != nil {
		return err
	}
	if err := r.waitPeers(ctx, 1); err != nil {
		return err
	}
	err = r.btcd.proc.Until(ctx, "the rival has our chain or we his", func(ctx context.Context) error {
		_, hash, err := r.chain.btcd.best(ctx)
		if err != nil {
			return err
		}
		_, other, err := r.btcd.best(ctx)
		if err == nil && hash != other {
			err = fmt.Errorf("our last block is %s, the rival's %s", hash, other)
		}
		return err
	})
	if err != nil {
		return err
	}
	return r.chain.opts.Synced(ctx)
}

// waitPeers waits until the rival has so many peers.
func (r *Rival) waitPeers(ctx context.Context, want int) error {
	return r.btcd.proc.Until(ctx, fmt.Sprintf("the rival has %d peers", want), func(ctx context.Context) error {
		var got int
		err := r.btcd.call(ctx, &got, "getconnectioncount")
		if err == nil && got != want {
			err = fmt.Errorf("it has %d", got)
		}
		return err
	})
}

// Mine adds blocks to the rival's chain, with what is in its mempool. Nobody is
// waited for.
func (r *Rival) Mine(ctx context.Context, blocks int) error {
	_, err := r.btcd.generate(ctx, blocks)
	return err
}

// MineBranch is [Chain.MineBranch] on a block that the rival has. Nobody is
// waited for.
func (r *Rival) MineBranch(ctx context.Context, parent string, blocks int, txs ...*wire.MsgTx) ([]string, error) {
	return r.btcd.mineBranch(ctx, r.chain.miner, parent, blocks, txs)
}

// BestBlock returns the height and the hash of the last block of the rival's chain.
func (r *Rival) BestBlock(ctx context.Context) (height int64, hash string, err error) {
	return r.btcd.best(ctx)
}

// Close ends the rival. Another call changes nothing.
func (r *Rival) Close() error {
	if !r.btcd.proc.Running() {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), process.TryTime)
	defer cancel()
	// Else btcd would try to reach it for good. Once parted it is no peer, and
	// btcd says so.
	_ = r.chain.btcd.call(ctx, nil, "addnode", r.btcd.p2p, "remove")
	return r.btcd.proc.Kill()
}
