package btc

import (
	"context"
	"errors"
	"slices"

	"github.com/btcsuite/btcd/chaincfg"
	"github.com/btcsuite/btcd/wire"
)

// ripe is the depth from which a coinbase can be spent, in whatever follows a
// reorg too.
var ripe = int64(chaincfg.RegressionNetParams.CoinbaseMaturity) + MaxDepth

type coin struct {
	outpoint wire.OutPoint
	sat      int64
}

// coins are the miner's to spend. A reorg, a replacement or a double spend can undo
// a coin, so each is looked up before it is used; and those that none of them
// reaches go first, which makes the transactions independent of each other.
type coins struct {
	btcd   *btcd
	script []byte // pays the miner

	free    []coin // change, the oldest first, of which some may be gone
	next    int64  // the height whose coinbase is the next to be spent
	scanned string // the last block when all blocks were read
}

// put adds a coin, which needn't exist yet.
func (s *coins) put(c coin) { s.free = append(s.free, c) }

// take removes a coin: a deep one if possible.
func (s *coins) take(ctx context.Context) (coin, error) {
	for _, source := range []func(context.Context) (coin, bool, error){
		s.takeDeep, s.takeCoinbase, s.takeScanned, s.takeAny,
	} {
		if c, ok, err := source(ctx); ok || err != nil {
			return c, err
		}
	}
	return coin{}, errors.New("the miner has no ripe coins left: mine more blocks")
}

// takeDeep looks at a few of the oldest coins. What isn't deep enough goes to the
// end, what is gone goes: if it comes back, takeScanned finds it.
func (s *coins) takeDeep(ctx context.Context) (coin, bool, error) {
	const few = 8
	for shallow := min(len(s.free), few); shallow > 0 && len(s.free) > 0; {
		c := s.free[0]
		s.free = s.free[1:]
		depth, err := s.depth(ctx, c)
		if err != nil || depth > MaxDepth {
			return c, err == nil, err
		}
		if depth >= 0 {
			s.put(c)
			shallow--
		}
	}
	return coin{}, false, nil
}

func (s *coins) takeCoinbase(ctx context.Context) (coin, bool, error) {
	tip, _, err := s.btcd.best(ctx)
	if err != nil {
		return coin{}, false, err
	}
	for s.next <= tip-ripe {
		hash, err := s.btcd.blockHash(ctx, s.next)
		if err != nil {
			return coin{}, false, err
		}
		blk, err := s.btcd.block(ctx, hash)
		if err != nil {
			return coin{}, false, err
		}
		s.next++
		tx := blk.Transactions[0]
		c := coin{wire.OutPoint{Hash: tx.TxHash()}, tx.TxOut[0].Value}
		if depth, err := s.depth(ctx, c); err != nil || depth > MaxDepth && c.sat > dustSat {
			return c, err == nil, err
		}
	}
	return coin{}, false, nil
}

// takeScanned reads all blocks for coins that were forgotten or never known, once
// for each last block.
func (s *coins) takeScanned(ctx context.Context) (coin, bool, error) {
	tip, hash, err := s.btcd.best(ctx)
	if err != nil || hash == s.scanned {
		return coin{}, false, err
	}
	known := make(map[wire.OutPoint]bool)
	for _, c := range s.free {
		known[c.outpoint] = true
	}
	var found []coin
	spent := make(map[wire.OutPoint]bool) // by a later block
	for blk, err := range s.btcd.back(ctx, hash, 1) {
		if err != nil {
			return coin{}, false, err
		}
		for _, c := range s.unspent(blk, tip-blk.height, spent) {
			if !known[c.outpoint] {
				found = append(found, c)
			}
		}
	}
	s.free = append(found, s.free...)
	s.next, s.scanned = max(s.next, tip-ripe+1), hash
	return s.takeDeep(ctx)
}

// unspent returns the miner's coins of a block so many blocks below the last, and
// adds to spent what the block spends. A block comes after all later ones.
func (s *coins) unspent(blk block, below int64, spent map[wire.OutPoint]bool) (found []coin) {
	for i, tx := range slices.Backward(blk.Transactions) {
		for _, in := range tx.TxIn {
			spent[in.PreviousOutPoint] = true
		}
		if below < MaxDepth || i == 0 && below < ripe {
			continue
		}
		for vout, out := range tx.TxOut {
			c := coin{wire.OutPoint{Hash: tx.TxHash(), Index: uint32(vout)}, out.Value}
			if string(out.PkScript) == string(s.script) && c.sat > dustSat && !spent[c.outpoint] {
				found = append(found, c)
			}
		}
	}
	return found
}

// takeAny takes the newest coin that there is, be it in the mempool.
func (s *coins) takeAny(ctx context.Context) (coin, bool, error) {
	for len(s.free) > 0 {
		c := s.free[len(s.free)-1]
		s.free = s.free[:len(s.free)-1]
		if depth, err := s.depth(ctx, c); err != nil || depth >= 0 {
			return c, err == nil, err
		}
	}
	return coin{}, false, nil
}

// depth returns a coin's confirmations, 0 in the mempool, or -1 if it doesn't
// exist or is spent, be it in the mempool.
func (s *coins) depth(ctx context.Context, c coin) (int64, error) {
	txid, vout := c.outpoint.Hash.String(), c.outpoint.Index
	var out *struct{ Confirmations int64 } // null if there is none
	if err := s.btcd.call(ctx, &out, "gettxout", txid, vout, true); err != nil || out == nil {
		return -1, err
	}
	type txout struct {
		Txid string `json:"txid"`
		Vout uint32 `json:"vout"`
	}
	var spends []struct{ SpendingTxid string }
	err := s.btcd.call(ctx, &spends, "gettxspendingprevout", []txout{{txid, vout}})
	if err != nil || len(spends) > 0 && spends[0].SpendingTxid != "" {
		return -1, err
	}
	return out.Confirmations, nil
}
