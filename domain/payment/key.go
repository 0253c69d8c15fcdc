package payment

import (
	"fmt"
	"strconv"
	"strings"

	"sandglass/domain/stream"
)

// Prefix begins the name of every payment's stream. The rest is its key.
const Prefix = "payment-"

// Key names a payment for good:
//
//	ln-<payment_hash>                            a BOLT 11 invoice
//	ln-<payment_hash>-<chan_id>-<htlc_index>     a keysend, by the HTLC that carried it
//	amp-<set_id>                                 one payment by AMP (BOLT 4 set id)
//	btc-<txid>-<vout>                            an output on the chain
//
// What strangers choose names only their own payments: the payment_hash of an invoice is
// our wallet's choice, but that of a keysend and a set id are the payer's, who may choose
// the payment_hash of somebody's open invoice.
type Key string

const (
	lightningPrefix = "ln-"
	ampPrefix       = "amp-"
	chainPrefix     = "btc-"
)

// LightningKey returns the key of an invoice by its payment_hash in hex.
func LightningKey(hash string) Key { return Key(lightningPrefix + hash) }

// KeysendKey returns the key of a keysend: its payment_hash in hex is the payer's choice, so
// the HTLC that carried it belongs to the key.
func KeysendKey(hash string, channel, htlc uint64) Key {
	return Key(fmt.Sprintf("%s%s-%d-%d", lightningPrefix, hash, channel, htlc))
}

// AMPKey returns the key of a payment by AMP, by its set id in hex.
func AMPKey(set string) Key { return Key(ampPrefix + set) }

// ChainKey returns the key of an output by its outpoint.
func ChainKey(txid string, vout uint32) Key {
	return Key(fmt.Sprintf("%s%s-%d", chainPrefix, txid, vout))
}

// OnChain reports whether k is of an output on the chain.
func (k Key) OnChain() bool { return strings.HasPrefix(string(k), chainPrefix) }

// Former returns the key that earlier builds gave to a payment by AMP: they put set ids among
// the payment_hashes. Whether the payment of that key came by AMP is told by its [State.Via].
func (k Key) Former() (former Key, ok bool) {
	set, ok := strings.CutPrefix(string(k), ampPrefix)
	if !ok {
		return "", false
	}
	return LightningKey(set), true
}

// Hash returns the payment_hash of an invoice or a keysend.
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
	known := k.OnChain() || strings.HasPrefix(string(k), lightningPrefix) || strings.HasPrefix(string(k), ampPrefix)
	ok := known && len(Prefix)+len(k) <= stream.MaxName
	for _, c := range []byte(k) {
		ok = ok && (c == '-' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z')
	}
	return ok
}
