package lnd_test

import (
	"errors"
	"testing"

	"sandglass/adapters/lnd"
	"sandglass/domain/billing"
	"sandglass/domain/payment"
)

// TestAnInvoiceIsCanceledUnlessItIsPaid cancels invoices of every state.
func TestAnInvoiceIsCanceledUnlessItIsPaid(t *testing.T) {
	f := newFake(t)
	client := must(lnd.Dial(configOf(f)))(t)
	t.Cleanup(func() { check(t, client.Close()) })
	unknown := payment.LightningKey("00000000000000000000000000000000000000000000000000000000000000ff")
	for name, x := range map[string]struct {
		before func(hash string) error
		want   error
		open   bool
	}{
		"open":     {func(string) error { return nil }, nil, true},
		"canceled": {f.Cancel, nil, false},
		"deleted":  {f.Delete, nil, false},
		"settled":  {func(hash string) error { return f.Pay(hash, 1_000) }, billing.ErrPaid, false},
	} {
		inv := must(client.Invoice(t.Context(), anHour(1_000, name)))(t)
		check(t, x.before(inv.Hash))
		if open, err := client.IsOpen(t.Context(), inv.Key); err != nil || open != x.open {
			t.Errorf("%s: open %t, %v", name, open, err)
		}
		if err := client.Cancel(t.Context(), inv.Key); !errors.Is(err, x.want) {
			t.Errorf("%s: %v, want %v", name, err, x.want)
		}
		if open, err := client.IsOpen(t.Context(), inv.Key); err != nil || open {
			t.Errorf("%s: canceled it is open %t, %v", name, open, err)
		}
	}
	if err := client.Cancel(t.Context(), unknown); err != nil {
		t.Errorf("one that is unknown: %v", err)
	}
	if err := client.Cancel(t.Context(), "btc-00-0"); err == nil {
		t.Error("an output is canceled")
	}
}
