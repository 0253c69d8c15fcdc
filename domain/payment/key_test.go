package payment_test

import (
	"strings"
	"testing"

	"sandglass/domain/payment"
	"sandglass/domain/stream"

	"pgregory.net/rapid"
)

const (
	txid = "4a5e1e4baab89f3a32518a88c31bc87f618f76673e2cc77ab2127b7afdeda33b"
	hash = "0001020304050607080900010203040506070809000102030405060708090102"
)

func TestKey(t *testing.T) {
	for _, x := range []struct {
		key, want payment.Key
		hash      string // of an invoice or a keysend
		txid      string // of one on the chain
		vout      uint32
	}{
		{key: payment.LightningKey(hash), want: "ln-" + hash, hash: hash},
		{key: payment.KeysendKey(hash, 7, 5), want: "ln-" + hash + "-7-5", hash: hash},
		{key: payment.KeysendKey(hash, 1<<64-1, 0), want: "ln-" + hash + "-18446744073709551615-0", hash: hash},
		{key: payment.AMPKey(hash), want: "amp-" + hash},
		{key: payment.ChainKey(txid, 0), want: "btc-" + txid + "-0", txid: txid},
		{key: payment.ChainKey(txid, 1<<32-1), want: "btc-" + txid + "-4294967295", txid: txid, vout: 1<<32 - 1},
	} {
		if x.key != x.want || !x.key.Valid() || x.key.OnChain() != (x.txid != "") {
			t.Errorf("%s, want %s; valid %t, on the chain %t", x.key, x.want, x.key.Valid(), x.key.OnChain())
		}
		if got, ok := x.key.Hash(); ok != (x.hash != "") || ok && got != x.hash {
			t.Errorf("%s has the hash %q, %t", x.key, got, ok)
		}
		if id, vout, ok := x.key.Outpoint(); ok != (x.txid != "") || ok && (id != x.txid || vout != x.vout) {
			t.Errorf("%s has the outpoint %s:%d, %t", x.key, id, vout, ok)
		}
	}
}

// Whatever payers choose, and be it all the same 32 bytes, no two kinds have a key in common,
// and none can be had for another by what earlier builds called it.
func TestKeySpacesAreApart(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		hex := rapid.OneOf(rapid.Just(hash), rapid.StringMatching("[0-9a-f]{64}"))
		number := rapid.Uint64()
		amp := payment.AMPKey(hex.Draw(t, "set_id"))
		other := rapid.SampledFrom([]payment.Key{
			payment.LightningKey(hex.Draw(t, "payment_hash")),
			payment.KeysendKey(hex.Draw(t, "keysend"), number.Draw(t, "channel"), number.Draw(t, "htlc")),
			payment.ChainKey(hex.Draw(t, "txid"), rapid.Uint32().Draw(t, "vout")),
		})
		for _, k := range []payment.Key{amp, other.Draw(t, "other")} {
			_, invoice := k.Hash()
			_, _, output := k.Outpoint()
			_, renamed := k.Former()
			kinds := 0
			for _, is := range []bool{invoice, output, renamed} {
				if is {
					kinds++
				}
			}
			if !k.Valid() || kinds != 1 || renamed != (k == amp) || output != k.OnChain() {
				t.Fatalf("%s: valid %t, of an invoice %t, an output %t, of AMP %t", k, k.Valid(), invoice, output, renamed)
			}
		}
		former, ok := amp.Former()
		if set := strings.TrimPrefix(string(amp), "amp-"); !ok || former != payment.LightningKey(set) {
			t.Fatalf("%s was %s, %t", amp, former, ok)
		}
	})
}

func TestKeyOfNoOutpoint(t *testing.T) {
	for _, key := range []payment.Key{"", "btc", "btc-", "btc-" + txid, "btc-" + txid + "-", "btc-" + txid + "-x",
		"btc-" + txid + "--1", "btc-" + txid + "-4294967296", "btc-" + txid + "-1-2", "ln-" + txid + "-1"} {
		if id, vout, ok := key.Outpoint(); ok {
			t.Errorf("%s has the outpoint %s:%d", key, id, vout)
		}
	}
}

func TestKeyIsValid(t *testing.T) {
	fill := strings.Repeat("a", stream.MaxName-len(payment.Prefix)-len("ln-"))
	for key, want := range map[payment.Key]bool{
		"ln-0": true, "ln-": true, "amp-0": true, "btc-0-0": true, "ln-" + payment.Key(fill): true,
		"": false, "ln": false, "amp": false, "amp-A": false, "0": false, "lnd-0": false, "BTC-0-0": false, " ln-0": false,
		"ln-A": false, "ln-0:1": false, "ln-0/1": false, "ln-ä": false, "ln-0\n": false, "ln-a" + payment.Key(fill): false,
	} {
		if key.Valid() != want {
			t.Errorf("%q: valid is %t", key, key.Valid())
		}
	}
}
