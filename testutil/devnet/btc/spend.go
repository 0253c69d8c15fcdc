package btc

import (
	"context"
	"fmt"
	"slices"

	"github.com/btcsuite/btcd/wire"
)

// An Output is what a transaction of the miner's pays to an address.
type Output struct {
	Addr string
	Sat  int64
}

// To is an output of sat to addr.
func To(addr string, sat int64) Output { return Output{addr, sat} }

// A Tx is a transaction of the miner's. Its first outputs are those asked for, in
// their order; a last one may give the miner his change.
type Tx struct {
	*wire.MsgTx
	Txid string

	outputs  []Output
	coins    []coin // what it spends
	fee      int64  // sat
	sequence uint32
}

// Outpoints returns the "txid:vout" of the outputs that were asked for.
func (t *Tx) Outpoints() []string {
	var outpoints []string
	for i := range t.outputs {
		outpoints = append(outpoints, fmt.Sprintf("%s:%d", t.Txid, i))
	}
	return outpoints
}

// The sequence number of a transaction's inputs.
const (
	final       = wire.MaxTxInSequenceNum     // the mempool keeps the first that it sees
	replaceable = wire.MaxTxInSequenceNum - 2 // it takes another for a higher fee: BIP 125
)

// Send pays each of sats to addr from the miner's coins, in one transaction, and
// returns its id. It stands in the mempool until the next Mine.
func (c *Chain) Send(ctx context.Context, addr string, sats ...int64) (txid string, err error) {
	var outputs []Output
	for _, sat := range sats {
		outputs = append(outputs, To(addr, sat))
	}
	tx, err := c.miner.send(ctx, final, outputs)
	if err != nil {
		return "", err
	}
	return tx.Txid, nil
}

// Pay pays outputs from the miner's coins, in one transaction that [Chain.Bump]
// can replace while it stands in the mempool.
func (c *Chain) Pay(ctx context.Context, outputs ...Output) (*Tx, error) {
	return c.miner.send(ctx, replaceable, outputs)
}

// Draft signs what [Chain.Pay] would send, for [Chain.MineBranch] or [With].
// The mempool doesn't learn of it.
func (c *Chain) Draft(ctx context.Context, outputs ...Output) (*Tx, error) {
	c.miner.mu.Lock()
	defer c.miner.mu.Unlock()
	return c.miner.draft(ctx, replaceable, minerFeeSat, nil, outputs)
}

// Bump replaces a transaction of [Chain.Pay], or of Bump itself, in the mempool
// by one that spends the same coins, pays outputs, of which there may be none, and
// a higher fee.
func (c *Chain) Bump(ctx context.Context, tx *Tx, outputs ...Output) (*Tx, error) {
	if tx.sequence != replaceable {
		return nil, fmt.Errorf("bump %s: its inputs don't say that it can be replaced", tx.Txid)
	}
	c.miner.mu.Lock()
	defer c.miner.mu.Unlock()
	bumped, err := c.miner.conflict(ctx, tx, outputs)
	if err != nil {
		return nil, err
	}
	if err := c.miner.publish(ctx, bumped); err != nil {
		return nil, fmt.Errorf("bump %s: %w", tx.Txid, err)
	}
	return bumped, nil
}

// Conflict signs a transaction that spends the coins of tx, pays outputs, of which
// there may be none, and a higher fee, for [Chain.MineBranch] or [With]. The
// mempool doesn't learn of it.
func (c *Chain) Conflict(ctx context.Context, tx *Tx, outputs ...Output) (*Tx, error) {
	c.miner.mu.Lock()
	defer c.miner.mu.Unlock()
	return c.miner.conflict(ctx, tx, outputs)
}

// DoubleSpend mines a transaction that spends the coins of tx and pays outputs, of
// which there may be none: in a block on the last one while no block spends them,
// and else, as tx or what replaced it does, in a [Chain.Reorg] of that block,
// [MaxDepth] deep at most, and all after it. Only another reorg brings tx back.
func (c *Chain) DoubleSpend(ctx context.Context, tx *Tx, outputs ...Output) (*Tx, error) {
	other, err := c.Conflict(ctx, tx, outputs...)
	if err != nil {
		return nil, err
	}
	height, tip, err := c.btcd.best(ctx)
	if err != nil {
		return nil, err
	}
	for blk, err := range c.btcd.back(ctx, tip, height-MaxDepth+1) {
		if err != nil {
			return nil, err
		}
		if blk.spends(tx.coins[0]) {
			_, err = c.Reorg(ctx, int(height-blk.height)+1, With(other.MsgTx))
			return other, err
		}
	}
	_, err = c.MineBranch(ctx, tip, 1, other.MsgTx)
	return other, err
}

func (b block) spends(c coin) bool {
	return slices.ContainsFunc(b.Transactions, func(tx *wire.MsgTx) bool {
		return slices.ContainsFunc(tx.TxIn, func(in *wire.TxIn) bool { return in.PreviousOutPoint == c.outpoint })
	})
}
