package btc

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/btcsuite/btcd/blockchain"
	"github.com/btcsuite/btcd/btcutil"
	"github.com/btcsuite/btcd/chaincfg"
	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/btcsuite/btcd/integration/rpctest"
	"github.com/btcsuite/btcd/txscript"
	"github.com/btcsuite/btcd/wire"
)

const (
	// MaxDepth is how many blocks [Chain.Reorg], [Chain.Invalidate] and
	// [Chain.DoubleSpend] replace at most. The channel and the miner's coins
	// are buried deeper than that.
	MaxDepth = 20

	// blockVersion signals what every block of btcd's own does here.
	blockVersion = 0x20000007

	medianBlocks = 11 // a block must be younger than the median of so many before it
)

// A branch grows by crafted blocks.
type branch struct {
	btcd  *btcd
	miner *miner
	tip   block
	times []int64 // of its last blocks, medianBlocks at most, in Unix seconds
}

// branchFrom returns a branch that ends with any block that btcd has.
func (b *btcd) branchFrom(ctx context.Context, m *miner, parent string) (*branch, error) {
	br := &branch{btcd: b, miner: m}
	for blk, err := range b.back(ctx, parent, 0) {
		if err != nil {
			return nil, err
		}
		if br.tip.MsgBlock == nil {
			br.tip = blk
		}
		br.times = append(br.times, blk.Header.Timestamp.Unix())
		if len(br.times) == medianBlocks {
			break
		}
	}
	slices.Reverse(br.times)
	return br, nil
}

// grow adds a block with txs, which nobody asks the mempool about, and returns
// its hash. btcd makes the branch the active chain once it is the longest.
func (br *branch) grow(ctx context.Context, txs ...*wire.MsgTx) (string, error) {
	blk, err := br.craft(txs)
	if err != nil {
		return "", err
	}
	if err := br.btcd.submit(ctx, blk.MsgBlock); err != nil {
		return "", fmt.Errorf("block %d on %s: %w", blk.height, br.tip.hash, err)
	}
	br.tip = blk
	br.times = append(br.times, blk.Header.Timestamp.Unix())
	br.times = br.times[max(0, len(br.times)-medianBlocks):]
	return blk.hash, nil
}

func (br *branch) craft(txs []*wire.MsgTx) (block, error) {
	parent := btcutil.NewBlock(br.tip.MsgBlock)
	parent.SetHeight(int32(br.tip.height))
	var included []*btcutil.Tx
	for _, tx := range txs {
		included = append(included, btcutil.NewTx(tx))
	}
	// No two crafted blocks are the same, and no two coinbases.
	nonce := make([]byte, 16)
	rand.Read(nonce)
	mark, err := txscript.NullDataScript(nonce)
	if err != nil {
		return block{}, err
	}
	params := &chaincfg.RegressionNetParams
	height := int32(br.tip.height) + 1
	coinbase := []wire.TxOut{
		{Value: blockchain.CalcBlockSubsidy(height, params), PkScript: br.miner.script},
		{PkScript: mark},
	}
	blk, err := rpctest.CreateBlock(parent, included, blockVersion, br.nextTime(), br.miner.addr, coinbase, params)
	if err != nil {
		return block{}, err
	}
	return block{blk.MsgBlock(), blk.Hash().String(), int64(height)}, nil
}

// nextTime is now, or later if the branch is ahead of the clock.
func (br *branch) nextTime() time.Time {
	sorted := slices.Sorted(slices.Values(br.times))
	return time.Unix(max(time.Now().Unix(), sorted[len(sorted)/2]+1), 0)
}

// submit hands a block to btcd, which says in its result what it doesn't like.
func (b *btcd) submit(ctx context.Context, msg *wire.MsgBlock) error {
	var raw bytes.Buffer
	if err := msg.Serialize(&raw); err != nil {
		return err
	}
	var rejected *string
	err := b.call(ctx, &rejected, "submitblock", hex.EncodeToString(raw.Bytes()))
	if err == nil && rejected != nil {
		err = errors.New(*rejected)
	}
	return err
}

// mineBranch adds so many blocks to any block; txs are in the first of them.
func (b *btcd) mineBranch(ctx context.Context, m *miner, parent string, blocks int, txs []*wire.MsgTx) ([]string, error) {
	br, err := b.branchFrom(ctx, m, parent)
	if err != nil {
		return nil, err
	}
	var hashes []string
	for range blocks {
		hash, err := br.grow(ctx, txs...)
		if err != nil {
			return hashes, err
		}
		hashes, txs = append(hashes, hash), nil
	}
	return hashes, nil
}

// MineBranch adds crafted blocks to any block that btcd has, and returns their
// hashes. txs, which need not be in the mempool, are in the first of them; what
// is in the mempool stays there unless it is among txs or in conflict with them.
// The branch becomes the active chain once it is longer than that; if it does,
// MineBranch waits until those who follow the chain have seen it.
func (c *Chain) MineBranch(ctx context.Context, parent string, blocks int, txs ...*wire.MsgTx) ([]string, error) {
	hashes, err := c.btcd.mineBranch(ctx, c.miner, parent, blocks, txs)
	if err != nil {
		return hashes, err
	}
	return hashes, c.opts.Synced(ctx)
}

// A ReorgOption says what the blocks of a reorg hold; without one, nothing.
type ReorgOption func(*reorg)

type reorg struct {
	with []*wire.MsgTx
	keep bool
}

// With puts txs into the first of the new blocks, whatever the mempool says.
func With(txs ...*wire.MsgTx) ReorgOption {
	return func(r *reorg) { r.with = append(r.with, txs...) }
}

// KeepTxs has each new block hold what the old one at its height did, but for
// transactions that are in conflict with those of [With], or depend on such.
func KeepTxs() ReorgOption {
	return func(r *reorg) { r.keep = true }
}

// Reorg replaces the last depth blocks, 1 to [MaxDepth], by depth+1 crafted ones,
// whose hashes it returns, and waits until those who follow the chain have seen them. Transactions
// of the old blocks that the new ones don't hold go back to the mempool, and so
// into the next block of [Chain.Mine], unless they have become invalid.
func (c *Chain) Reorg(ctx context.Context, depth int, opts ...ReorgOption) ([]string, error) {
	var r reorg
	for _, opt := range opts {
		opt(&r)
	}
	old, err := c.last(ctx, depth)
	if err != nil {
		return nil, err
	}
	br, err := c.btcd.branchFrom(ctx, c.miner, old[0].Header.PrevBlock.String())
	if err != nil {
		return nil, err
	}
	var hashes []string
	for _, txs := range r.fill(old) {
		hash, err := br.grow(ctx, txs...)
		if err != nil {
			return hashes, err
		}
		hashes = append(hashes, hash)
	}
	return hashes, c.opts.Synced(ctx)
}

// last returns the last depth blocks of the active chain, the oldest first.
func (c *Chain) last(ctx context.Context, depth int) ([]block, error) {
	if depth < 1 || depth > MaxDepth {
		return nil, fmt.Errorf("replacing the last %d blocks: 1 to %d can be", depth, MaxDepth)
	}
	height, tip, err := c.btcd.best(ctx)
	if err != nil {
		return nil, err
	}
	var blocks []block
	for blk, err := range c.btcd.back(ctx, tip, height-int64(depth)+1) {
		if err != nil {
			return nil, err
		}
		blocks = append(blocks, blk)
	}
	slices.Reverse(blocks)
	return blocks, nil
}

// fill returns what the blocks in place of old hold, and the one more.
func (r *reorg) fill(old []block) [][]*wire.MsgTx {
	filled := make([][]*wire.MsgTx, len(old)+1)
	filled[0] = slices.Clone(r.with)
	if !r.keep {
		return filled
	}
	placed := make(map[chainhash.Hash]bool)
	lost := make(map[wire.OutPoint]bool) // outputs that nothing more can spend
	for _, tx := range r.with {
		placed[tx.TxHash()] = true
		for _, in := range tx.TxIn {
			lost[in.PreviousOutPoint] = true
		}
	}
	for i, blk := range old {
		for _, tx := range blk.Transactions[1:] {
			id := tx.TxHash()
			switch {
			case placed[id]:
			case slices.ContainsFunc(tx.TxIn, func(in *wire.TxIn) bool { return lost[in.PreviousOutPoint] }):
				for vout := range tx.TxOut {
					lost[wire.OutPoint{Hash: id, Index: uint32(vout)}] = true
				}
			default:
				filled[i] = append(filled[i], tx)
			}
		}
	}
	return filled
}

// Invalidate has btcd take the last depth blocks, 1 to [MaxDepth], for invalid, so
// that the chain is shorter until more are mined: what an operator's
// invalidateblock does, and no peer can. Branches beside the removed blocks, which
// could take their place, become invalid too. The nodes are not waited for: lnd
// says that it isn't synced until the chain has its former height again.
func (c *Chain) Invalidate(ctx context.Context, depth int) error {
	old, err := c.last(ctx, depth)
	if err != nil {
		return err
	}
	if err := c.btcd.pruneTips(ctx, old[0].height); err != nil {
		return err
	}
	return c.btcd.call(ctx, nil, "invalidateblock", old[0].hash)
}

// A chainTip ends the active chain or a branch beside it.
type chainTip struct {
	Hash   string
	Height int64
	Status string // "active", "invalid", "valid-fork"
}

func (b *btcd) tips(ctx context.Context) (tips []chainTip, err error) {
	err = b.call(ctx, &tips, "getchaintips")
	return tips, err
}

// pruneTips makes the ends of all branches from a height on invalid.
func (b *btcd) pruneTips(ctx context.Context, from int64) error {
	tips, err := b.tips(ctx)
	if err != nil {
		return err
	}
	for _, tip := range tips {
		if tip.Height < from || tip.Status == "active" || tip.Status == "invalid" {
			continue
		}
		if err := b.call(ctx, nil, "invalidateblock", tip.Hash); err != nil {
			return err
		}
	}
	return nil
}

// WasLonger reports whether the active chain was longer before [Chain.Invalidate]: no
// other branch has more blocks.
func (c *Chain) WasLonger(ctx context.Context) (bool, error) {
	height, _, err := c.btcd.best(ctx)
	if err != nil {
		return false, err
	}
	tips, err := c.btcd.tips(ctx)
	return slices.ContainsFunc(tips, func(t chainTip) bool { return t.Height > height }), err
}
