package proving

import (
	"crypto/sha256"
	"strings"
	"testing"

	"sandglass/cmd/sandglass/cli"
	"sandglass/domain/proof/checkpoint"
	"sandglass/domain/proof/verify"
	"sandglass/testutil/fakelnd/bolt11"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/lightningnetwork/lnd/lnrpc"
)

// request writes an invoice, with a description or with the hash of one.
func request(t testing.TB, description string, hashed bool) string {
	t.Helper()
	key, _ := btcec.PrivKeyFromBytes([]byte{31: 1})
	row := &lnrpc.Invoice{
		Memo: description, RHash: make([]byte, 32), PaymentAddr: make([]byte, 32), ValueMsat: 3_600_000,
		CreationDate: 1_800_000_000, Expiry: 60,
	}
	if hashed {
		h := sha256.Sum256([]byte(description))
		row.DescriptionHash = h[:]
	}
	text, err := bolt11.Encode(key, row)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

const (
	said = "log 1234567 Aippeebat6pa5MPl5F9-l3ESp-Y1k4IN"
	shop = "web-1 · 2h · " + said + " · 4t1v0h8s6r3y7k9m2n5p8q1w3e"
	meta = `[["text/plain","web-1 at pay.example.org · ` + said + `"]]`
)

func TestWhatAnInvoiceSays(t *testing.T) {
	plain, hashed := request(t, shop, false), request(t, meta, true)
	want, _ := checkpoint.FindBrief(said)
	for name, test := range map[string]struct {
		invoice string
		shown   []string
		refused string // part of why
	}{
		"a description":          {plain, nil, ""},
		"of a QR code":           {strings.ToUpper(plain), nil, ""},
		"of a link":              {" lightning:" + plain + "\n", nil, ""},
		"a hash":                 {hashed, []string{shop, meta}, ""},
		"a hash alone":           {hashed, nil, "--metadata"},
		"a hash of another text": {hashed, []string{shop, meta + " "}, "--metadata"},
		"of before":              {request(t, "web-1 · 2h · 4t1v0h8s6r3y7k9m2n5p8q1w3e", false), nil, "has no checkpoint"},
		"of two":                 {request(t, shop+" "+said, false), nil, "has no checkpoint"},
		"another checksum":       {plain[:len(plain)-1] + "q", nil, "checksum"},
		"no invoice":             {"lnurl1dp68gurn8ghj7", nil, "begins with lnbc"},
		"nothing":                {"", nil, "begins with lnbc"},
		"of main, and none":      {"lnbc1", nil, "the invoice lnbc1"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := fromInvoice(test.invoice, test.shown)
			if test.refused != "" {
				if err == nil || !strings.Contains(err.Error(), test.refused) {
					t.Fatalf("it says %+v, %v", got, err)
				}
				return
			}
			if err != nil || !got.Short || got.Brief() != want || got.Origin != "" || !strings.Contains(got.From, "node 0279be66") {
				t.Errorf("it says %+v, %v", got, err)
			}
		})
	}
}

// Whatever is given as an invoice is read or refused.
func FuzzInvoice(f *testing.F) {
	f.Add(request(f, shop, false), "")
	f.Add(request(f, meta, true), meta)
	f.Add("lnbc1", "")
	f.Add("lntbs1qqqqqqqq", "")
	f.Fuzz(func(t *testing.T, invoice, shown string) {
		got, err := fromInvoice(invoice, []string{shown})
		if err == nil && (got.Size < 1 || !got.Short || got.From == "") {
			t.Errorf("%q says %+v", invoice, got)
		}
	})
}

// TestWhatWasLeftBehindIsTold: an invoice does not say of which fork it is.
func TestWhatWasLeftBehindIsTold(t *testing.T) {
	const told = "may be of one that was left behind"
	forked := []verify.Origin{
		{Origin: "shop.example.org/log"}, {Origin: "shop.example.org/log/fork/1", Size: 9, Reason: "a disk broke"},
	}
	for _, test := range []struct {
		held    verify.Held
		origins []verify.Origin
		told    bool
	}{
		{verify.Held{Short: true}, forked, true},
		{verify.Held{Short: true}, forked[:1], false},
		{verify.Held{Short: true, OK: true}, forked, false},
		{verify.Held{Origin: "shop.example.org/log"}, forked, false},
	} {
		var out strings.Builder
		c := command{&cli.Env{Stdout: &out}}
		if err := c.printProof(&verify.Report{Checkpoints: []verify.Held{test.held}, Origins: test.origins}); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(out.String(), told) != test.told {
			t.Errorf("of %+v it says %s", test.held, out.String())
		}
	}
}
