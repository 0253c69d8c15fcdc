package lnd

import (
	"bytes"
	"errors"
	"fmt"
	"math"

	"sandglass/domain/chain"
	"sandglass/domain/instant"
	"sandglass/domain/money"

	"github.com/btcsuite/btcd/btcutil"
	"github.com/btcsuite/btcd/chaincfg"
	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/btcsuite/btcd/txscript"
	"github.com/btcsuite/btcd/wire"
)

// networks are the rules for addresses, by lnd's name of the chain.
var networks = map[string]*chaincfg.Params{
	"mainnet": &chaincfg.MainNetParams, "testnet": &chaincfg.TestNet3Params, "testnet4": &chaincfg.TestNet4Params,
	"signet": &chaincfg.SigNetParams, "simnet": &chaincfg.SimNetParams, "regtest": &chaincfg.RegressionNetParams,
}

// readBlock reads the raw block of a hash. One that is not whole is an error: it would
// hide what is missing.
func readBlock(raw []byte, hash string, params *chaincfg.Params) (chain.Block, error) {
	if len(raw) > wire.MaxBlockPayload {
		return chain.Block{}, fmt.Errorf("it has %d bytes", len(raw))
	}
	var msg wire.MsgBlock
	r := bytes.NewReader(raw)
	if err := msg.Deserialize(r); err != nil {
		return chain.Block{}, err
	}
	switch is := msg.BlockHash().String(); {
	case is != hash:
		return chain.Block{}, fmt.Errorf("it is block %s", is)
	case r.Len() > 0 || len(msg.Transactions) == 0:
		return chain.Block{}, fmt.Errorf("it has %d transactions, and %d bytes after them", len(msg.Transactions), r.Len())
	}
	b := chain.Block{Time: instant.Of(msg.Header.Timestamp)}
	for _, tx := range msg.Transactions {
		outputs, err := outputsOf(tx, params)
		if err != nil {
			return chain.Block{}, err
		}
		for i := range outputs {
			outputs[i].Block = hash
		}
		b.Outputs = append(b.Outputs, outputs...)
		b.Spends = append(b.Spends, spendsOf(tx)...)
	}
	return b, nil
}

// outputsOf returns all outputs of a transaction of the chain.
func outputsOf(tx *wire.MsgTx, params *chaincfg.Params) ([]chain.Output, error) {
	txid, spends := tx.TxHash().String(), spendsOf(tx)
	outputs := make([]chain.Output, len(tx.TxOut))
	for i, out := range tx.TxOut {
		amount, err := msat(out.Value)
		if err != nil {
			return nil, fmt.Errorf("output %s:%d: %w", txid, i, err)
		}
		outputs[i] = chain.Output{
			Txid: txid, Vout: uint32(i), Address: addressOf(out.PkScript, params), Amount: amount, Spends: spends,
		}
	}
	return outputs, nil
}

// spendsOf returns the outpoints that a transaction spends. A coinbase spends none.
func spendsOf(tx *wire.MsgTx) []string {
	spends := make([]string, 0, len(tx.TxIn))
	for _, in := range tx.TxIn {
		if in.PreviousOutPoint != coinbase {
			spends = append(spends, in.PreviousOutPoint.String())
		}
	}
	return spends
}

// coinbase is what the only input of a block's first transaction names.
var coinbase = wire.OutPoint{Index: math.MaxUint32}

// addressOf returns the address that a script pays, in lnd's own way: by the same
// function, and only where it is one.
func addressOf(script []byte, params *chaincfg.Params) string {
	_, addresses, _, err := txscript.ExtractPkScriptAddrs(script, params)
	if err != nil || len(addresses) != 1 {
		return ""
	}
	return addresses[0].EncodeAddress()
}

// checkAddress returns an error unless addr is written as [addressOf] writes it: else its
// payments would not be known for its own.
func checkAddress(addr string, params *chaincfg.Params) error {
	a, err := btcutil.DecodeAddress(addr, params)
	if err != nil {
		return err
	}
	if !a.IsForNet(params) || a.EncodeAddress() != addr {
		return fmt.Errorf("it is none of %s", params.Name)
	}
	return nil
}

// msat is an amount that is told in satoshi.
func msat(sat int64) (money.Msat, error) {
	if sat < 0 {
		return 0, money.ErrNegative
	}
	if sat > int64(money.MaxMsat/money.Sat) {
		return 0, money.ErrTooMuch
	}
	return money.Msat(sat) * money.Sat, nil
}

// hashText writes a hash of chainrpc's, which are raw, as everybody else does: in hex,
// backwards.
func hashText(raw []byte) (string, error) {
	h, err := chainhash.NewHash(raw)
	if err != nil {
		return "", err
	}
	return h.String(), nil
}

// hashBytes is the inverse of [hashText].
func hashBytes(text string) ([]byte, error) {
	h, err := chainhash.NewHashFromStr(text)
	if err != nil || h.String() != text {
		return nil, errors.New("it is not 64 digits in lower-case hex")
	}
	return h[:], nil
}
