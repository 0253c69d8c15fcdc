package devnet

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcutil"
	"github.com/btcsuite/btcd/chaincfg"
	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/btcsuite/btcd/txscript"
	"github.com/btcsuite/btcd/wire"
)

const (
	minerFeeSat = 10_000 // of each of the miner's transactions, whatever its size
	dustSat     = 546    // a smaller change is left to the fee
)

// A miner owns the key that every block pays, as btcd has no wallet, and signs
// its own spends.
type miner struct {
	btcd   *btcd
	key    *btcec.PrivateKey
	addr   string
	script []byte // pays to addr

	mu   sync.Mutex // guards what follows, and lets one spend happen at a time
	next int        // the height whose coinbase is the next to be spent
	free []coin     // change of earlier spends
}

type coin struct {
	outpoint wire.OutPoint
	sat      int64
}

func newMiner() (*miner, error) {
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
	return &miner{key: key, addr: addr.EncodeAddress(), script: script, next: 1}, nil
}

// mine adds n blocks to the chain and returns their hashes.
func (m *miner) mine(ctx context.Context, n int) ([]string, error) {
	var hashes []string
	err := m.btcd.call(ctx, &hashes, "generate", n)
	return hashes, err
}

// send pays each of sats to addr, as an output each, in one transaction, and
// returns its id. It is in the mempool then, not in a block.
func (m *miner) send(ctx context.Context, addr string, sats ...int64) (string, error) {
	to, err := btcutil.DecodeAddress(addr, &chaincfg.RegressionNetParams)
	if err != nil {
		return "", fmt.Errorf("address %q: %w", addr, err)
	}
	script, err := txscript.PayToAddrScript(to)
	if err != nil {
		return "", err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for {
		id, err := m.spend(ctx, script, sats)
		// Another process that is attached may have spent a coin, in a transaction
		// that no block holds yet. Each try takes other coins, so this ends.
		if err == nil || !isTaken(err) {
			return id, err
		}
	}
}

// isTaken says whether btcd refused a transaction for another with the same coins,
// or for the very same one: signing twice gives the same bytes.
func isTaken(err error) bool {
	return strings.Contains(err.Error(), "already spent") || strings.Contains(err.Error(), "already have transaction")
}

func (m *miner) spend(ctx context.Context, script []byte, sats []int64) (string, error) {
	tx := wire.NewMsgTx(2)
	need := int64(minerFeeSat)
	for _, sat := range sats {
		tx.AddTxOut(wire.NewTxOut(sat, script))
		need += sat
	}
	change, err := m.fund(ctx, tx, need)
	if err != nil {
		return "", err
	}
	id, err := m.publish(ctx, tx)
	if err != nil {
		return "", err
	}
	if change > 0 {
		m.free = append(m.free, coin{wire.OutPoint{Hash: *id, Index: uint32(len(sats))}, change})
	}
	return id.String(), nil
}

// fund adds inputs worth need, and an output with what is left over, and signs.
func (m *miner) fund(ctx context.Context, tx *wire.MsgTx, need int64) (change int64, err error) {
	for have := int64(0); have < need; {
		c, err := m.take(ctx)
		if err != nil {
			return 0, err
		}
		tx.AddTxIn(wire.NewTxIn(&c.outpoint, nil, nil))
		have += c.sat
		change = have - need
	}
	if change < dustSat {
		change = 0
	} else {
		tx.AddTxOut(wire.NewTxOut(change, m.script))
	}
	for i, in := range tx.TxIn {
		in.SignatureScript, err = txscript.SignatureScript(tx, i, m.script, txscript.SigHashAll, m.key, true)
		if err != nil {
			return 0, err
		}
	}
	return change, nil
}

// take removes a coin from the miner's: change first, then the next coinbase.
func (m *miner) take(ctx context.Context) (coin, error) {
	if n := len(m.free); n > 0 {
		c := m.free[n-1]
		m.free = m.free[:n-1]
		return c, nil
	}
	tip, err := m.btcd.height(ctx)
	if err != nil {
		return coin{}, err
	}
	for m.next <= tip-int(chaincfg.RegressionNetParams.CoinbaseMaturity) {
		c, unspent, err := m.coinbase(ctx, m.next)
		if err != nil {
			return coin{}, err
		}
		m.next++
		if unspent {
			return c, nil
		}
	}
	return coin{}, errors.New("the miner has no ripe coins left: mine more blocks")
}

func (m *miner) coinbase(ctx context.Context, height int) (c coin, unspent bool, err error) {
	block, err := m.block(ctx, height)
	if err != nil {
		return coin{}, false, err
	}
	tx := block.Transactions[0]
	c = coin{wire.OutPoint{Hash: tx.TxHash()}, tx.TxOut[0].Value}
	var out *struct{} // null once it is spent
	err = m.btcd.call(ctx, &out, "gettxout", c.outpoint.Hash.String(), 0, false)
	return c, out != nil, err
}

func (m *miner) block(ctx context.Context, height int) (*wire.MsgBlock, error) {
	var hash, raw string
	if err := m.btcd.call(ctx, &hash, "getblockhash", height); err != nil {
		return nil, err
	}
	if err := m.btcd.call(ctx, &raw, "getblock", hash, 0); err != nil {
		return nil, err
	}
	data, err := hex.DecodeString(raw)
	if err != nil {
		return nil, err
	}
	block := new(wire.MsgBlock)
	return block, block.Deserialize(bytes.NewReader(data))
}

func (m *miner) publish(ctx context.Context, tx *wire.MsgTx) (*chainhash.Hash, error) {
	var raw bytes.Buffer
	if err := tx.Serialize(&raw); err != nil {
		return nil, err
	}
	var id string
	if err := m.btcd.call(ctx, &id, "sendrawtransaction", hex.EncodeToString(raw.Bytes()), true); err != nil {
		return nil, err
	}
	return chainhash.NewHashFromStr(id)
}
