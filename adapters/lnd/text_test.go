package lnd_test

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"testing"

	"sandglass/adapters/lnd"
	"sandglass/domain/billing"
	"sandglass/domain/lightning"

	"github.com/btcsuite/btcd/chaincfg"
	"github.com/lightningnetwork/lnd/zpay32"
)

// TestATextIsInTheInvoiceAndTheDescriptionInTheWallet holds what a payer's wallet checks of an invoice
// that pays by a text he was shown, and what we know it by; both, also where the money is held.
func TestATextIsInTheInvoiceAndTheDescriptionInTheWallet(t *testing.T) {
	onBoth(t, func(t *testing.T, n node) {
		client := must(lnd.Dial(n.config()))(t)
		t.Cleanup(func() { check(t, client.Close()) })
		text := sha256.Sum256([]byte(`[["text/plain","web-1"]]`))
		r := anHour(7_000, "web-1 · 2h · "+t.Name())
		r.Text = text[:]
		preimage := preimageOf(t)
		for name, inv := range map[string]billing.Invoice{
			"settled at once": must(client.Invoice(t.Context(), r))(t),
			"held":            must(client.HoldInvoice(t.Context(), sha256.Sum256(preimage[:]), r))(t),
		} {
			seen := must(zpay32.Decode(inv.Request, &chaincfg.RegressionNetParams))(t)
			if seen.DescriptionHash == nil || *seen.DescriptionHash != text || seen.Description != nil {
				t.Errorf("%s: its h is %x and its d %v", name, seen.DescriptionHash, seen.Description)
			}
			if e := must(client.Lookup(t.Context(), inv.Hash))(t); e.Description != r.Description {
				t.Errorf("%s: the wallet keeps %q", name, e.Description)
			}
		}
	})
}

// TestAPreimageIsToldOnceItIsSettled: lnd tells that of an open invoice, to whoever may read.
func TestAPreimageIsToldOnceItIsSettled(t *testing.T) {
	onBoth(t, func(t *testing.T, n node) {
		client := must(lnd.Dial(n.config()))(t)
		t.Cleanup(func() { check(t, client.Close()) })
		plain := must(client.Invoice(t.Context(), anHour(9_000, t.Name()+" plain")))(t)
		n.pay(t, plain, 9_000)
		if p, err := client.Preimage(t.Context(), plain.Hash); !errors.Is(err, lightning.ErrNoInvoice) || p != [32]byte{} {
			t.Errorf("that of an invoice without a text, whose payer alone is to have it: %v", err)
		}
		r, text := anHour(9_000, t.Name()), sha256.Sum256([]byte("a text"))
		r.Text = text[:]
		inv := must(client.Invoice(t.Context(), r))(t)
		if p, err := client.Preimage(t.Context(), inv.Hash); !errors.Is(err, lightning.ErrNoInvoice) || p != [32]byte{} {
			t.Errorf("that of an open invoice: %v", err)
		}
		n.pay(t, inv, 9_000)
		p := must(client.Preimage(t.Context(), inv.Hash))(t)
		if sum := sha256.Sum256(p[:]); hex.EncodeToString(sum[:]) != inv.Hash {
			t.Error("it is of another invoice")
		}
		unknown := hex.EncodeToString(make([]byte, 32))
		if _, err := client.Preimage(t.Context(), unknown); !errors.Is(err, lightning.ErrNoInvoice) {
			t.Errorf("that of an unknown invoice: %v", err)
		}
	})
}
