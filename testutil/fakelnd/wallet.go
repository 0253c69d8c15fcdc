package fakelnd

import (
	"bytes"
	"cmp"
	"context"
	"encoding/hex"
	"math"
	"slices"
	"time"

	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/btcsuite/btcd/txscript"
	"github.com/btcsuite/btcd/wire"
	"github.com/lightningnetwork/lnd/lnrpc"

	"sandglass/testutil/simchain"
)

// wallet is what the node knows of the chain. After a reorg of an even depth it is as wrong
// as lnd is: it believes in the lowest block that was lost.
type wallet struct {
	chain    *simchain.Chain
	ours     map[string]bool          // addresses that it gave
	heard    map[chainhash.Hash]int64 // when it first heard of its transactions, in Unix seconds
	believed map[int32]*simchain.Block
}

func newWallet() *wallet {
	return &wallet{
		chain: simchain.New(), ours: map[string]bool{}, heard: map[chainhash.Hash]int64{}, believed: map[int32]*simchain.Block{},
	}
}

func (w *wallet) rollBack(lost []*simchain.Block) {
	for _, b := range lost {
		delete(w.believed, b.Height)
	}
	if len(lost)%2 == 0 {
		w.believed[lost[0].Height] = lost[0]
	}
}

// hear has the node hear of transactions, in a block or, without one, in the mempool, and
// tell of those that are its wallet's. The caller holds the mutex.
func (l *Lnd) hear(b *simchain.Block, txs ...*wire.MsgTx) {
	for _, tx := range txs {
		if txid := tx.TxHash(); l.wallet.owns(tx) && l.wallet.heard[txid] == 0 {
			l.wallet.heard[txid] = time.Now().Unix()
		}
	}
	for _, listed := range l.wallet.list(b, txs...) {
		l.txs.Tell(listed)
	}
}

// NewAddress implements [lnrpc.LightningServer].
func (l *lightning) NewAddress(context.Context, *lnrpc.NewAddressRequest) (*lnrpc.NewAddressResponse, error) {
	address := simchain.NewAddress().EncodeAddress()
	l.change(func() { l.wallet.ours[address] = true })
	return &lnrpc.NewAddressResponse{Address: address}, nil
}

// GetTransactions implements [lnrpc.LightningServer]. To a height of -1 belongs the mempool,
// and an end_height of 0 is one of -1.
func (l *lightning) GetTransactions(_ context.Context, in *lnrpc.GetTransactionsRequest) (*lnrpc.TransactionDetails, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	from, to := in.StartHeight, cmp.Or(in.EndHeight, -1)
	answer := &lnrpc.TransactionDetails{}
	if from < 0 || to < 0 {
		answer.Transactions = l.wallet.unconfirmed()
	}
	for h := height(from); h <= min(height(to), l.wallet.chain.Tip().Height); h++ {
		answer.Transactions = append(answer.Transactions, l.wallet.confirmed(h)...)
	}
	return answer, nil
}

func height(asked int32) int32 {
	if asked < 0 {
		return math.MaxInt32
	}
	return asked
}

// unconfirmed lists what was heard of in the mempool, but for what the wallet believes to be
// in a block.
func (w *wallet) unconfirmed() []*lnrpc.Transaction {
	txs := slices.DeleteFunc(slices.Clone(w.chain.Mempool()), func(tx *wire.MsgTx) bool {
		txid := tx.TxHash()
		for _, b := range w.believed {
			if b.Holds(txid) {
				return true
			}
		}
		return w.heard[txid] == 0
	})
	return w.list(nil, txs...)
}

// confirmed lists a height. The wallet keeps one block of each: a lost one in which it
// believes hides the one in its place, which is empty.
func (w *wallet) confirmed(height int32) []*lnrpc.Transaction {
	b := cmp.Or(w.believed[height], w.chain.At(int64(height)))
	return w.list(b, b.Transactions...)
}

func (w *wallet) owns(tx *wire.MsgTx) bool {
	return slices.ContainsFunc(tx.TxOut, func(out *wire.TxOut) bool { return w.ours[addressOf(out)] })
}

// list lists those of the transactions of a block that are the wallet's. b is nil for those
// of the mempool.
func (w *wallet) list(b *simchain.Block, txs ...*wire.MsgTx) (list []*lnrpc.Transaction) {
	for _, tx := range txs {
		if !w.owns(tx) {
			continue
		}
		t := w.details(tx)
		if b != nil {
			t.BlockHash, t.BlockHeight, t.TimeStamp = b.Hash.String(), b.Height, b.Header.Timestamp.Unix()
			t.NumConfirmations = w.chain.Tip().Height - b.Height + 1
		}
		list = append(list, t)
	}
	return list
}

// details is a transaction that is in no block.
func (w *wallet) details(tx *wire.MsgTx) *lnrpc.Transaction {
	t := &lnrpc.Transaction{TxHash: tx.TxID(), TimeStamp: w.heard[tx.TxHash()]}
	for i, out := range tx.TxOut {
		address := addressOf(out)
		if w.ours[address] {
			t.Amount += out.Value
		}
		t.OutputDetails = append(t.OutputDetails, &lnrpc.OutputDetail{
			Address:      address,
			PkScript:     hex.EncodeToString(out.PkScript),
			OutputIndex:  int64(i),
			Amount:       out.Value,
			IsOurAddress: w.ours[address],
		})
	}
	for _, in := range tx.TxIn {
		t.PreviousOutpoints = append(t.PreviousOutpoints, &lnrpc.PreviousOutPoint{Outpoint: in.PreviousOutPoint.String()})
	}
	var raw bytes.Buffer
	_ = tx.Serialize(&raw) // memory takes it
	t.RawTxHex = hex.EncodeToString(raw.Bytes())
	return t
}

func addressOf(out *wire.TxOut) string {
	_, addresses, _, err := txscript.ExtractPkScriptAddrs(out.PkScript, simchain.Params)
	if err != nil || len(addresses) != 1 {
		return ""
	}
	return addresses[0].EncodeAddress()
}
