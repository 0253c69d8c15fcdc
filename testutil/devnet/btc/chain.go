package btc

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"iter"

	"github.com/btcsuite/btcd/blockchain"
	"github.com/btcsuite/btcd/btcutil"
	"github.com/btcsuite/btcd/chaincfg"
	"github.com/btcsuite/btcd/txscript"
	"github.com/btcsuite/btcd/wire"
)

// A block is one of btcd's, on the active chain or beside it.
type block struct {
	*wire.MsgBlock
	hash   string
	height int64
}

// best returns the height and the hash of the active chain's last block.
func (b *btcd) best(ctx context.Context) (height int64, hash string, err error) {
	var tip struct {
		Hash   string
		Height int64
	}
	err = b.call(ctx, &tip, "getbestblock")
	return tip.Height, tip.Hash, err
}

func (b *btcd) blockHash(ctx context.Context, height int64) (hash string, err error) {
	err = b.call(ctx, &hash, "getblockhash", height)
	return hash, err
}

// block returns any block that btcd has. Its height is read from the coinbase, as
// btcd doesn't tell that of a block beside the active chain.
func (b *btcd) block(ctx context.Context, hash string) (block, error) {
	var raw string
	if err := b.call(ctx, &raw, "getblock", hash, 0); err != nil {
		return block{}, fmt.Errorf("block %s: %w", hash, err)
	}
	data, err := hex.DecodeString(raw)
	if err != nil {
		return block{}, err
	}
	msg := new(wire.MsgBlock)
	if err := msg.Deserialize(bytes.NewReader(data)); err != nil {
		return block{}, err
	}
	if msg.BlockHash() == *chaincfg.RegressionNetParams.GenesisHash {
		return block{msg, hash, 0}, nil // its coinbase names none
	}
	height, err := blockchain.ExtractCoinbaseHeight(btcutil.NewTx(msg.Transactions[0]))
	return block{msg, hash, int64(height)}, err
}

// back yields the block named and those before it, down to a height. So what it
// yields is one chain, even if another becomes the active one meanwhile.
func (b *btcd) back(ctx context.Context, hash string, downTo int64) iter.Seq2[block, error] {
	return func(yield func(block, error) bool) {
		for {
			blk, err := b.block(ctx, hash)
			if err == nil && blk.height < downTo || !yield(blk, err) || err != nil || blk.height == 0 {
				return
			}
			hash = blk.Header.PrevBlock.String()
		}
	}
}

// Mine adds blocks to the chain, which hold what is in the mempool, and waits
// until those who follow it have seen them.
func (c *Chain) Mine(ctx context.Context, blocks int) error {
	if _, err := c.btcd.generate(ctx, blocks); err != nil {
		return err
	}
	return c.opts.Synced(ctx)
}

// BestBlock returns the height and the hash of the active chain's last block,
// as btcd has it: the nodes may not have seen it yet.
func (c *Chain) BestBlock(ctx context.Context) (height int64, hash string, err error) {
	return c.btcd.best(ctx)
}

// BlockHash returns the hash of the active chain's block at a height.
func (c *Chain) BlockHash(ctx context.Context, height int64) (string, error) {
	return c.btcd.blockHash(ctx, height)
}

// An ActiveOutput is an output in a block of the active chain, spent or not.
type ActiveOutput struct {
	Outpoint  string // "txid:vout"
	Addr      string
	Sat       int64
	Height    int64
	BlockHash string
}

// ActiveOutputs reads every block of the active chain, from the last down to one
// at height from, out of btcd itself, and returns all that pays one of addrs: what
// any wallet should say in the end. The order is the chain's. It takes 1 to 2 ms
// a block.
func (c *Chain) ActiveOutputs(ctx context.Context, from int64, addrs ...string) ([]ActiveOutput, error) {
	addrOf := make(map[string]string) // by script
	for _, addr := range addrs {
		script, err := payTo(addr)
		if err != nil {
			return nil, err
		}
		addrOf[string(script)] = addr
	}
	_, tip, err := c.btcd.best(ctx)
	if err != nil {
		return nil, err
	}
	var found []ActiveOutput
	for blk, err := range c.btcd.back(ctx, tip, from) {
		if err != nil {
			return nil, err
		}
		found = append(blk.outputs(addrOf), found...)
	}
	return found, nil
}

func (b block) outputs(addrOf map[string]string) (found []ActiveOutput) {
	for _, tx := range b.Transactions {
		for i, out := range tx.TxOut {
			if addr, ok := addrOf[string(out.PkScript)]; ok {
				outpoint := fmt.Sprintf("%s:%d", tx.TxHash(), i)
				found = append(found, ActiveOutput{outpoint, addr, out.Value, b.height, b.hash})
			}
		}
	}
	return found
}

// payTo returns the script that pays to addr.
func payTo(addr string) ([]byte, error) {
	to, err := btcutil.DecodeAddress(addr, &chaincfg.RegressionNetParams)
	if err != nil {
		return nil, fmt.Errorf("address %q: %w", addr, err)
	}
	return txscript.PayToAddrScript(to)
}
