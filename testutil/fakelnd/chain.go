package fakelnd

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/lightningnetwork/lnd/lnrpc"
	"github.com/lightningnetwork/lnd/lnrpc/chainrpc"

	"sandglass/testutil/fakelnd/queue"
	"sandglass/testutil/simchain"
)

// Send has somebody pay an address, and returns the txid. It waits in the mempool.
func (l *Lnd) Send(address string, sat int64) (txid string, err error) {
	l.change(func() {
		tx, failed := l.wallet.chain.Pay(address, sat)
		if err = failed; err != nil {
			return
		}
		txid = tx.TxID()
		if l.server != nil {
			l.hear(nil, tx)
		}
	})
	return txid, err
}

// Mine adds blocks to the chain, the first of which holds what is in the mempool.
func (l *Lnd) Mine(blocks int) {
	l.change(func() {
		for range blocks {
			l.tell(l.wallet.chain.Mine())
		}
	})
}

// Reorg replaces the last blocks by empty ones, and one more. Their transactions go back
// to the mempool, of which nobody is told.
func (l *Lnd) Reorg(depth int) (err error) {
	l.change(func() {
		lost, mined, failed := l.wallet.chain.Reorg(depth)
		if err = failed; err != nil {
			return
		}
		l.wallet.rollBack(lost)
		l.tell(mined...)
	})
	return err
}

// tell tells of each block, and of the wallet's transactions in it. Nothing else is told
// of a block that replaces another.
func (l *Lnd) tell(mined ...*simchain.Block) {
	for _, b := range mined {
		l.hear(b, b.Transactions...)
		l.epochs.Tell(epoch(b))
	}
}

func epoch(b *simchain.Block) *chainrpc.BlockEpoch {
	return &chainrpc.BlockEpoch{Hash: b.Hash[:], Height: uint32(b.Height)}
}

type kit struct {
	chainrpc.UnimplementedChainKitServer
	*Lnd
}

// GetBestBlock implements [chainrpc.ChainKitServer].
func (k *kit) GetBestBlock(context.Context, *chainrpc.GetBestBlockRequest) (*chainrpc.GetBestBlockResponse, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	tip := k.wallet.chain.Tip()
	return &chainrpc.GetBestBlockResponse{BlockHash: tip.Hash[:], BlockHeight: tip.Height}, nil
}

// GetBlockHash implements [chainrpc.ChainKitServer].
func (k *kit) GetBlockHash(_ context.Context, in *chainrpc.GetBlockHashRequest) (*chainrpc.GetBlockHashResponse, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	b := k.wallet.chain.At(in.BlockHeight)
	if b == nil {
		return nil, errors.New("-1: Block number out of range") // btcd's words
	}
	return &chainrpc.GetBlockHashResponse{BlockHash: b.Hash[:]}, nil
}

// GetBlock implements [chainrpc.ChainKitServer]. It gives blocks that left the chain too.
func (k *kit) GetBlock(_ context.Context, in *chainrpc.GetBlockRequest) (*chainrpc.GetBlockResponse, error) {
	hash, err := chainhash.NewHash(in.BlockHash)
	if err != nil {
		return nil, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	b := k.wallet.chain.Block(*hash)
	if b == nil {
		return nil, fmt.Errorf("-5: Block not found: %s", hash)
	}
	var raw bytes.Buffer
	err = b.Serialize(&raw)
	return &chainrpc.GetBlockResponse{RawBlock: raw.Bytes()}, err
}

type notifier struct {
	chainrpc.UnimplementedChainNotifierServer
	*Lnd
}

// RegisterBlockEpochNtfn implements [chainrpc.ChainNotifierServer]. It tells the tip at
// once, and then each block that becomes it.
func (n *notifier) RegisterBlockEpochNtfn(
	_ *chainrpc.BlockEpoch, stream chainrpc.ChainNotifier_RegisterBlockEpochNtfnServer,
) error {
	n.mu.Lock()
	q := n.epochs.Join()
	q.Add(epoch(n.wallet.chain.Tip()))
	ending := n.ending
	n.mu.Unlock()
	defer n.change(func() { delete(n.epochs, q) })
	return queue.Serve(stream.Context(), &n.mu, q, ending, stream.Send)
}

// SubscribeTransactions implements [lnrpc.LightningServer]. It tells nothing of what was.
func (l *lightning) SubscribeTransactions(
	_ *lnrpc.GetTransactionsRequest, stream lnrpc.Lightning_SubscribeTransactionsServer,
) error {
	l.mu.Lock()
	q := l.txs.Join()
	ending := l.ending
	l.mu.Unlock()
	defer l.change(func() { delete(l.txs, q) })
	return queue.Serve(stream.Context(), &l.mu, q, ending, stream.Send)
}
