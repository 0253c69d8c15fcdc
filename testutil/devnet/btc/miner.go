package btc

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"sync"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcutil"
	"github.com/btcsuite/btcd/chaincfg"
	"github.com/btcsuite/btcd/txscript"
	"github.com/btcsuite/btcd/wire"
)

const (
	minerFeeSat = 10_000 // of each of the miner's transactions; 40 sat/vB of a usual one
	dustSat     = 546    // a smaller change is left to the fee
)

// A miner owns the key that every block pays, as btcd has no wallet, and signs
// its own spends.
type miner struct {
	key  *btcec.PrivateKey
	addr btcutil.Address

	mu sync.Mutex // lets one spend happen at a time, and guards the coins
	coins
}

func newMiner(b *btcd) (*miner, error) {
	secret := sha256.Sum256([]byte("sandglass devnet miner"))
	key, pub := btcec.PrivKeyFromBytes(secret[:])
	addr, err := btcutil.NewAddressPubKeyHash(
		btcutil.Hash160(pub.SerializeCompressed()), &chaincfg.RegressionNetParams)
	if err != nil {
		return nil, err
	}
	script, err := txscript.PayToAddrScript(addr)
	if err != nil {
		return nil, err
	}
	return &miner{key: key, addr: addr, coins: coins{btcd: b, script: script, next: 1}}, nil
}

// send pays outputs in one transaction. It is in the mempool then, not in a block.
func (m *miner) send(ctx context.Context, sequence uint32, outputs []Output) (*Tx, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for {
		tx, err := m.draft(ctx, sequence, minerFeeSat, nil, outputs)
		if err != nil {
			return nil, err
		}
		err = m.publish(ctx, tx)
		// Another process that is attached may have spent a coin at this moment.
		// Each try takes other coins, so this ends.
		if err == nil {
			return tx, nil
		}
		if !isTaken(err) {
			return nil, err
		}
	}
}

// isTaken reports whether btcd refused a transaction for another with the same coins,
// or for the very same one: signing twice gives the same bytes.
func isTaken(err error) bool {
	return strings.Contains(err.Error(), "already spent") || strings.Contains(err.Error(), "already have transaction")
}

// conflict drafts a transaction that spends the coins of tx, and is worth more to
// whoever mines it.
func (m *miner) conflict(ctx context.Context, tx *Tx, outputs []Output) (*Tx, error) {
	// An output more may take more room: the fee grows at least as that does.
	fee := tx.fee*int64(max(len(outputs), len(tx.outputs))+1)/int64(len(tx.outputs)+1) + minerFeeSat
	return m.draft(ctx, replaceable, fee, tx.coins, outputs)
}

// draft signs a transaction that spends from, and more of the miner's coins if
// outputs need it.
func (m *miner) draft(ctx context.Context, sequence uint32, fee int64, from []coin, outputs []Output) (*Tx, error) {
	tx := &Tx{MsgTx: wire.NewMsgTx(2), outputs: outputs, coins: slices.Clone(from), fee: fee, sequence: sequence}
	need := fee
	for _, out := range outputs {
		script, err := payTo(out.Addr)
		if err != nil {
			return nil, err
		}
		tx.AddTxOut(wire.NewTxOut(out.Sat, script))
		need += out.Sat
	}
	change, err := m.fund(ctx, tx, need)
	if err != nil {
		return nil, err
	}
	if err := m.sign(tx); err != nil {
		return nil, err
	}
	tx.Txid = tx.TxHash().String()
	if change > 0 {
		m.put(coin{wire.OutPoint{Hash: tx.TxHash(), Index: uint32(len(outputs))}, change})
	}
	return tx, nil
}

// fund gives tx coins worth need, and an output with what is left over.
func (m *miner) fund(ctx context.Context, tx *Tx, need int64) (change int64, err error) {
	change = -need
	for _, c := range tx.coins {
		change += c.sat
	}
	for change < 0 {
		c, err := m.take(ctx)
		if err != nil {
			return 0, err
		}
		tx.coins = append(tx.coins, c)
		change += c.sat
	}
	// What pays nobody else pays the miner: a transaction has an output.
	if change < dustSat && len(tx.outputs) > 0 {
		tx.fee += change
		return 0, nil
	}
	tx.AddTxOut(wire.NewTxOut(change, m.script))
	return change, nil
}

func (m *miner) sign(tx *Tx) (err error) {
	for _, c := range tx.coins {
		in := wire.NewTxIn(&c.outpoint, nil, nil)
		in.Sequence = tx.sequence
		tx.AddTxIn(in)
	}
	for i, in := range tx.TxIn {
		in.SignatureScript, err = txscript.SignatureScript(tx.MsgTx, i, m.script, txscript.SigHashAll, m.key, true)
		if err != nil {
			return err
		}
	}
	return nil
}

func (m *miner) publish(ctx context.Context, tx *Tx) error {
	var raw bytes.Buffer
	if err := tx.Serialize(&raw); err != nil {
		return err
	}
	return m.btcd.call(ctx, nil, "sendrawtransaction", hex.EncodeToString(raw.Bytes()), true)
}
