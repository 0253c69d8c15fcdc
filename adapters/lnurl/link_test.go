package lnurl

import (
	"context"
	"strings"
	"testing"

	"sandglass/domain/billing"

	"github.com/btcsuite/btcd/btcutil/bech32"
)

func service(t *testing.T, public string) (*Service, error) {
	t.Helper()
	return New(Options{
		Billing: &billing.Service{}, PublicURL: public,
		Preimage: func(context.Context, string) ([32]byte, error) { return [32]byte{}, nil },
		Log:      func() string { return "" },
		Seal:     func(string) string { return "0" },
		Refused:  func(_ context.Context, err error) string { return err.Error() },
	})
}

// TestLinks holds which public URLs lead wallets here: the answer of LUD-16 is fetched by https at the
// bare name, or by http from an onion service.
func TestLinks(t *testing.T) {
	const onion = "vww6ybal4bd7szmgncyruucpgfkqahzddi37ktceo3ah7ngmcopnpyyd.onion"
	for public, want := range map[string]struct {
		address bool
		pays    string // where the LNURL leads; empty if there is none
		name    string
	}{
		"https://pay.example.org":       {true, "https://pay.example.org/lnurlp/vm-1", "pay.example.org"},
		"https://pay.example.org/":      {true, "https://pay.example.org/lnurlp/vm-1", "pay.example.org"},
		"https://Pay.Example.org/shop/": {true, "https://Pay.Example.org/shop/lnurlp/vm-1", "pay.example.org"},
		"https://example.org:8443":      {false, "https://example.org:8443/lnurlp/vm-1", "example.org"},
		"https://192.0.2.1":             {false, "https://192.0.2.1/lnurlp/vm-1", "192.0.2.1"},
		"https://[2001:db8::1]/shop":    {false, "https://[2001:db8::1]/shop/lnurlp/vm-1", "2001:db8::1"},
		"https://localhost":             {false, "https://localhost/lnurlp/vm-1", "localhost"},
		"http://pay.example.org":        {false, "", "pay.example.org"},
		"http://127.0.0.1:8420":         {false, "", "127.0.0.1"},
		"http://" + onion:               {true, "http://" + onion + "/lnurlp/vm-1", onion},
		"http://" + onion + ":8080":     {false, "http://" + onion + ":8080/lnurlp/vm-1", onion},
		"https://" + onion + "/shop":    {true, "https://" + onion + "/shop/lnurlp/vm-1", onion},
	} {
		s, err := service(t, public)
		if err != nil {
			t.Errorf("%s: %v", public, err)
			continue
		}
		l := s.Links("vm-1")
		if (l.Address != "") != want.address || want.address && l.Address != "vm-1@"+want.name {
			t.Errorf("%s: the address is %q", public, l.Address)
		}
		leads := ""
		if l.LNURL != "" {
			hrp, data, err := bech32.DecodeNoLimit(l.LNURL)
			raw, bad := bech32.ConvertBits(data, 5, 8, false)
			if err != nil || bad != nil || hrp != "lnurl" || l.LNURL != strings.ToLower(l.LNURL) {
				t.Errorf("%s: %s: %v, %v", public, l.LNURL, err, bad)
			}
			leads = string(raw)
		}
		if leads != want.pays {
			t.Errorf("%s: the LNURL leads to %q", public, leads)
		}
		text := s.site.metadata("vm-1", "")
		if strings.Contains(text, "text/identifier") != want.address || !strings.Contains(text, want.name) ||
			text != s.site.metadata("vm-1", "") {
			t.Errorf("%s: %s", public, text)
		}
	}
	for _, public := range []string{"", "/shop", "https://", "pay.example.org", "https://a b", "://"} {
		if _, err := service(t, public); err == nil {
			t.Errorf("%q is taken", public)
		}
	}
}
