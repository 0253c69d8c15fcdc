package clients_test

import (
	"crypto/sha256"
	"strings"
	"testing"

	"sandglass/adapters/httpapi/wire"
	"sandglass/domain/instant"
	"sandglass/domain/money"
)

// settled is what Alby's client says of an invoice and its LUD-21 link.
func (r *rig) settled(invoice, verify string) bool {
	r.t.Helper()
	var said struct{ Settled, Proven bool }
	r.run("alby.mjs", &said, "settled", invoice, verify)
	if said.Settled != said.Proven {
		r.t.Errorf("settled %t, and its preimage fits %t", said.Settled, said.Proven)
	}
	return said.Settled
}

// paid is what a client found on its way to an invoice.
type paid struct {
	Invoice, Verify, Identifier, Description string
	Amount, Hash                             bool
	Min, Max                                 money.Msat
}

// TestTopUps tops a resource up by each of the ways in which an address can be written, with each of the
// clients that take it.
func TestTopUps(t *testing.T) {
	r := newRig(t)
	r.Pay(r.Order("small", "vm-1", instant.Hour).Payment.Request)
	v := r.Becomes("vm-1", "running")
	if v.LightningAddress != "vm-1@host.example" {
		t.Errorf("its address is %q", v.LightningAddress)
	}
	for _, tc := range []struct{ script, to string }{
		{"alby.mjs", v.LightningAddress},
		{"lnurl-pay.mjs", v.LightningAddress},
		{"lnurl-pay.mjs", v.LNURL},
		{"lnurl-pay.mjs", strings.ToUpper(v.LNURL)}, // as codes have it
		{"lnurl-pay.mjs", "lnurlp://host.example/lnurlp/vm-1"},
		{"lnurl-pay.mjs", "lnurlp://host.example/.well-known/lnurlp/vm-1"},
	} {
		t.Log(tc.script, tc.to)
		r.topUp(tc.script, tc.to)
	}
	if out, err := r.Command(t.Context(), "audit", "replay"); err != nil {
		t.Errorf("audit replay: %v\n%s", err, out)
	}
}

func (r *rig) topUp(script, to string) {
	r.t.Helper()
	var got paid
	if script == "alby.mjs" {
		r.run(script, &got, "invoice", to, "1234")
	} else {
		r.run(script, &got, to, "1234")
		if !got.Amount || !got.Hash {
			r.t.Errorf("it finds the amount right %t, the hash of the description %t", got.Amount, got.Hash)
		}
	}
	if got.Min != 60_000 || got.Max != 365*86_400_000 || got.Identifier != "vm-1@host.example" {
		r.t.Errorf("it is told %+v", got)
	}
	d := r.decode(got.Invoice)
	if d.Msat != 1_234_000 || len(d.DescriptionHash) != 2*sha256.Size {
		r.t.Errorf("the invoice is read as %+v", d)
	}
	before := r.Resource("vm-1")
	if r.settled(got.Invoice, got.Verify) {
		r.t.Error("it is settled before it is paid")
	}
	r.Pay(got.Invoice)
	after := r.Until("vm-1", "it is topped up", func(v *wire.Resource) bool { return v.Credited > before.Credited })
	if d := after.PaidUntil.Sub(before.PaidUntil); d != 1234*instant.Second {
		r.t.Errorf("its end moved by %s", d.Std())
	}
	if !r.settled(got.Invoice, got.Verify) {
		r.t.Error("it is not settled once it is paid")
	}
}

// TestOrderByAnAddress pays for what was ordered by its address, as somebody does who sees no more than that.
func TestOrderByAnAddress(t *testing.T) {
	r := newRig(t)
	o := r.Order("small", "vm-1", instant.Hour)
	var got paid
	r.run("alby.mjs", &got, "invoice", o.Resource.LightningAddress, "3600")
	r.Pay(got.Invoice)
	if v := r.Becomes("vm-1", "running"); len(v.Lots) != 1 || v.Lots[0].Time != instant.Hour {
		t.Errorf("it bought %+v", v.Lots)
	}
	if !r.settled(got.Invoice, got.Verify) {
		t.Errorf("%+v is not settled", got)
	}
	for _, refused := range [][]string{
		{"lnurl-pay.mjs", "nobody@host.example", "3600"},
		{"lnurl-pay.mjs", "vm-1@host.example", "1"}, // which is less than a minute costs
		{"alby.mjs", "invoice", "nobody@host.example", "3600"},
		{"alby.mjs", "invoice", "vm-1@host.example", "1"},
	} {
		if err := r.Run(t.Context(), r.URL, refused[0], &got, refused[1:]...); err == nil {
			t.Errorf("%q is not refused: %+v", refused, got)
		}
	}
}
