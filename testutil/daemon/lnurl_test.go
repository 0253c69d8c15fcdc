package daemon_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"sandglass/domain/instant"
	"sandglass/domain/money"

	"github.com/btcsuite/btcd/chaincfg"
	"github.com/lightningnetwork/lnd/lnrpc"
	"github.com/lightningnetwork/lnd/zpay32"
)

// TestALightningAddress has bob pay one as his wallet would, of an order and again of what runs: he checks
// the hash in the invoice, and that the preimage that he paid for is the one which the daemon tells.
func TestALightningAddress(t *testing.T) {
	const public = "https://host.example"
	r := newRig(t, "SANDGLASS_PUBLIC_URL="+public)
	get := func(url string, v any) {
		t.Helper()
		res, err := http.Get(strings.Replace(url, public, r.URL, 1))
		r.must(err)
		defer res.Body.Close()
		r.must(json.NewDecoder(res.Body).Decode(v))
		if res.StatusCode != 200 {
			t.Errorf("%s: %d %v", url, res.StatusCode, v)
		}
	}
	o := r.order("vm-1", instant.Hour)
	if o.Resource.LightningAddress != "vm-1@host.example" {
		t.Fatalf("its address is %q", o.Resource.LightningAddress)
	}
	for i := range 2 {
		var first struct{ Callback, Metadata string }
		get(public+"/.well-known/lnurlp/vm-1", &first)
		var second struct{ PR, Verify string }
		get(first.Callback+"?amount=120000", &second)
		inv, err := zpay32.Decode(second.PR, &chaincfg.RegressionNetParams)
		r.must(err)
		if inv.DescriptionHash == nil || *inv.DescriptionHash != sha256.Sum256([]byte(first.Metadata)) {
			t.Errorf("h is %x, of %s", inv.DescriptionHash, first.Metadata)
		}
		var proof struct {
			Settled  bool
			Preimage *string
		}
		if get(second.Verify, &proof); proof.Settled || proof.Preimage != nil {
			t.Errorf("before bob pays: %+v", proof)
		}
		paid, err := r.net.Bob.Pay(r.ctx, second.PR)
		r.must(err)
		r.Until(r.ctx, "it is credited", func() error {
			got, err := r.Client().Resource(r.ctx, "vm-1")
			if want := money.Msat(i+1) * 120_000; err == nil && got.Credited != want {
				err = fmt.Errorf("it has %s, want %s", got.Credited, want)
			}
			return err
		})
		get(second.Verify, &proof)
		if !proof.Settled || proof.Preimage == nil || *proof.Preimage != paid.PaymentPreimage {
			t.Errorf("bob has %s, and is told %+v", paid.PaymentPreimage, proof)
		}
		if strings.Contains(r.Log(), paid.PaymentPreimage) {
			t.Error("the preimage is in the log")
		}
		row, err := r.net.Alice.Lightning.LookupInvoice(r.ctx, &lnrpc.PaymentHash{RHash: inv.PaymentHash[:]})
		r.must(err)
		if !strings.HasPrefix(row.Memo, "vm-1 · ") || !bytes.Equal(row.DescriptionHash, inv.DescriptionHash[:]) {
			t.Errorf("lnd keeps %q and %x", row.Memo, row.DescriptionHash)
		}
	}
	r.audit()
	if out, err := r.Command(r.ctx, "audit", "reconcile"); err != nil {
		t.Errorf("audit reconcile: %v\n%s", err, out)
	}
}
