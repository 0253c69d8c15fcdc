// Package simchain is a chain of blocks in memory. Its blocks, transactions and addresses
// have the formats of regtest; nothing in them is signed or mined.
//
// A [Chain] says what every node would see of it. What a wallet makes of that is left to
// testutil/fakelnd.
package simchain

import (
	"crypto/rand"
	"fmt"
	"slices"
	"time"

	"github.com/btcsuite/btcd/blockchain"
	"github.com/btcsuite/btcd/btcutil"
	"github.com/btcsuite/btcd/chaincfg"
	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/btcsuite/btcd/txscript"
	"github.com/btcsuite/btcd/wire"
)

// Params are the rules of the chain.
var Params = &chaincfg.RegressionNetParams

// Block is a block of the active chain, or one that left it.
type Block struct {
	*wire.MsgBlock
	Hash   chainhash.Hash
	Height int32
}

// Holds reports whether a transaction is in the block.
func (b *Block) Holds(txid chainhash.Hash) bool {
	return slices.ContainsFunc(b.Transactions, func(tx *wire.MsgTx) bool { return tx.TxHash() == txid })
}

// Chain is the active chain, the blocks that left it, and the mempool. It must not be used
// by two goroutines at once.
type Chain struct {
	active  []*Block // by height
	blocks  map[chainhash.Hash]*Block
	mempool []*wire.MsgTx
}

// New returns a chain that holds the first block alone.
func New() *Chain {
	first := &Block{MsgBlock: Params.GenesisBlock, Hash: *Params.GenesisHash}
	return &Chain{active: []*Block{first}, blocks: map[chainhash.Hash]*Block{first.Hash: first}}
}

// Tip returns the last block of the active chain.
func (c *Chain) Tip() *Block { return c.active[len(c.active)-1] }

// At returns the block of the active chain at a height, or nil.
func (c *Chain) At(height int64) *Block {
	if height < 0 || height >= int64(len(c.active)) {
		return nil
	}
	return c.active[height]
}

// Block returns the block with a hash, be it of the active chain or not, or nil.
func (c *Chain) Block(hash chainhash.Hash) *Block { return c.blocks[hash] }

// Mempool returns the transactions that wait for a block, the oldest first.
func (c *Chain) Mempool() []*wire.MsgTx { return c.mempool }

// Pay puts a transaction into the mempool that pays an address, and somebody the rest.
func (c *Chain) Pay(address string, sat int64) (*wire.MsgTx, error) {
	to, err := btcutil.DecodeAddress(address, Params)
	if err != nil {
		return nil, err
	}
	if !to.IsForNet(Params) || sat <= 0 || sat > btcutil.MaxSatoshi {
		return nil, fmt.Errorf("simchain: %d sat to %s: want a positive amount to an address of %s", sat, address, Params.Name)
	}
	tx := wire.NewMsgTx(wire.TxVersion)
	var coin wire.OutPoint // of nobody, and of no other transaction
	rand.Read(coin.Hash[:])
	tx.AddTxIn(wire.NewTxIn(&coin, nil, nil))
	for _, out := range []struct {
		to  btcutil.Address
		sat int64
	}{{to, sat}, {NewAddress(), 10_000}} {
		script, err := txscript.PayToAddrScript(out.to)
		if err != nil {
			return nil, err
		}
		tx.AddTxOut(wire.NewTxOut(out.sat, script))
	}
	c.mempool = append(c.mempool, tx)
	return tx, nil
}

// NewAddress returns an address to which nobody has the key.
func NewAddress() btcutil.Address {
	hash := make([]byte, 20)
	rand.Read(hash)
	address, err := btcutil.NewAddressWitnessPubKeyHash(hash, Params)
	if err != nil {
		panic(err) // its hash has the right length
	}
	return address
}

// Mine adds a block with what is in the mempool, and returns it.
func (c *Chain) Mine() *Block {
	txs := c.mempool
	c.mempool = nil
	return c.extend(txs)
}

// Reorg replaces the last depth blocks by empty ones, and one more, as a longer branch
// does. The transactions of the lost blocks go back to the mempool.
func (c *Chain) Reorg(depth int) (lost, mined []*Block, err error) {
	if depth < 1 || depth >= len(c.active) {
		return nil, nil, fmt.Errorf("simchain: replacing the last %d blocks: the chain has %d beside the first", depth, len(c.active)-1)
	}
	fork := len(c.active) - depth
	lost = slices.Clone(c.active[fork:])
	c.active = c.active[:fork]
	var back []*wire.MsgTx
	for _, b := range lost {
		back = append(back, b.Transactions[1:]...)
	}
	c.mempool = append(back, c.mempool...)
	for range depth + 1 {
		mined = append(mined, c.extend(nil))
	}
	return lost, mined, nil
}

// extend adds a block with a coinbase like no other's.
func (c *Chain) extend(txs []*wire.MsgTx) *Block {
	tip := c.Tip()
	mark := make([]byte, 16)
	rand.Read(mark)
	coinbase := wire.NewMsgTx(wire.TxVersion)
	coinbase.AddTxIn(wire.NewTxIn(&wire.OutPoint{Index: wire.MaxPrevOutIndex}, mark, nil))
	coinbase.AddTxOut(wire.NewTxOut(blockchain.CalcBlockSubsidy(tip.Height+1, Params), []byte{txscript.OP_TRUE}))
	msg := &wire.MsgBlock{
		Header:       wire.BlockHeader{PrevBlock: tip.Hash, Bits: Params.PowLimitBits, Timestamp: after(tip.Header.Timestamp)},
		Transactions: append([]*wire.MsgTx{coinbase}, txs...),
	}
	msg.Header.MerkleRoot = blockchain.CalcMerkleRoot(btcutil.NewBlock(msg).Transactions(), false)
	b := &Block{MsgBlock: msg, Hash: msg.BlockHash(), Height: tip.Height + 1}
	c.active = append(c.active, b)
	c.blocks[b.Hash] = b
	return b
}

// after returns now in whole seconds, as blocks have it, and never less than the parent's.
func after(parent time.Time) time.Time {
	now := time.Now().Truncate(time.Second)
	if now.Before(parent) {
		return parent
	}
	return now
}
