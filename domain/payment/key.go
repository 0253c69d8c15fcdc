package payment

import (
	"fmt"
	"strconv"
	"strings"

	"sandglass/domain/stream"
)

// Prefix begins the name of every payment's stream. The rest is its key.
const Prefix = "payment-"

// Key names a payment for good, by what nobody else can choose:
//
//	ln-<payment_hash>                            a BOLT 11 invoice
//	ln-<payment_hash>-<chan_id>-<htlc_index>     a keysend, by the HTLC that carried it
//	ln-<set_id>                                  one payment to an AMP invoice (BOLT 4 set id)
//	btc-<txid>-<vout>                            an output on the chain
type Key string

const (
	lightningPrefix = "ln-"
	chainPrefix     = "btc-"
)

// LightningKey returns the key of an invoice by its payment_hash, or of a payment to an AMP
// invoice by its set id, both in hex.
func LightningKey(hash string) Key { return Key(lightningPrefix + hash) }

// KeysendKey returns the key of a keysend: its payment_hash in hex is the payer's choice, so
// the HTLC that carried it belongs to the key.
func KeysendKey(hash string, channel, htlc uint64) Key {
	return Key(fmt.Sprintf("%s%s-%d-%d", lightningPrefix, hash, channel, htlc))
}

// ChainKey returns the key of an output by its outpoint.
func ChainKey(txid string, vout uint32) Key {
	return Key(fmt.Sprintf("%s%s-%d", chainPrefix, txid, vout))
}

// OnChain reports whether k is of an output on the chain.
func (k Key) OnChain() bool { return strings.HasPrefix(string(k), chainPrefix) }

// Hash returns the payment_hash, or of AMP the set id, of a payment over Lightning.
func (k Key) Hash() (hash string, ok bool) {
	rest, ok := strings.CutPrefix(string(k), lightningPrefix)
	hash, _, _ = strings.Cut(rest, "-")
	return hash, ok
}

// Outpoint returns the outpoint of an output on the chain.
func (k Key) Outpoint() (txid string, vout uint32, ok bool) {
	rest, onChain := strings.CutPrefix(string(k), chainPrefix)
	txid, number, cut := strings.Cut(rest, "-")
	n, err := strconv.ParseUint(number, 10, 32)
	return txid, uint32(n), onChain && cut && err == nil
}

// Valid reports whether k can be a key, so that a stream can be named by it.
func (k Key) Valid() bool {
	ok := len(Prefix)+len(k) <= stream.MaxName && (strings.HasPrefix(string(k), lightningPrefix) || k.OnChain())
	for _, c := range []byte(k) {
		ok = ok && (c == '-' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z')
	}
	return ok
}
