package fakelnd_test

import (
	"encoding/hex"
	"testing"
	"time"

	"github.com/lightningnetwork/lnd/zpay32"

	"sandglass/domain/billing"
	"sandglass/domain/instant"
	"sandglass/testutil/simchain"
)

// TestInvoice reads an invoice as its payer's wallet does: the node that asks follows from
// the signature.
func TestInvoice(t *testing.T) {
	n := newNode(t)
	made := must(n.client.Invoice(n.ctx, billing.InvoiceRequest{
		Amount: 7_200_001, Description: "two hours", Expiry: instant.Hour,
	}))(t)
	inv := must(zpay32.Decode(made.Request, simchain.Params))(t)
	if inv.MilliSat == nil || *inv.MilliSat != 7_200_001 || *inv.Description != "two hours" || inv.Expiry() != time.Hour {
		t.Errorf("it asks %v for %q within %s", inv.MilliSat, *inv.Description, inv.Expiry())
	}
	if payee := hex.EncodeToString(inv.Destination.SerializeCompressed()); payee != n.Identity() {
		t.Errorf("it is of node %s, want %s", payee, n.Identity())
	}
	if hash := hex.EncodeToString(inv.PaymentHash[:]); hash != made.Hash {
		t.Errorf("its payment_hash is %s, want %s", hash, made.Hash)
	}
	open := must(n.client.Invoice(n.ctx, billing.InvoiceRequest{Expiry: instant.Hour}))(t)
	if amount := must(zpay32.Decode(open.Request, simchain.Params))(t).MilliSat; amount != nil {
		t.Errorf("one without an amount asks %s", amount)
	}
}
