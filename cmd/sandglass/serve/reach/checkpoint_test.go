package reach_test

import (
	"crypto/sha256"
	"strings"
	"testing"

	"sandglass/domain/proof/checkpoint"
)

// TestATextSaysWhatTheLogWas when it was shown: the invoice has the hash of that text, whatever the log has become
// until it is asked for, or the daemon, which keeps nothing of it.
func TestATextSaysWhatTheLogWas(t *testing.T) {
	r := open(t, nil)
	close(r.swept)
	r.order("vm-1")
	var said string
	says := func(size int64) {
		said = checkpoint.Brief{Size: size, Root: [checkpoint.BriefRoot]byte{255, 251, byte(size)}}.String()
	}
	r.signer.Log = func() string { return said }
	pay := func(of *offer) string {
		t.Helper()
		var paid answer
		r.ask(of.Callback+"?amount=90000", &paid)
		if _, text, _ := hashOf(t, paid.PR); text != sha256.Sum256([]byte(of.Metadata)) {
			t.Errorf("the invoice has h %x, of %s", text, of.Metadata)
		}
		return paid.PR
	}
	var none, first, second offer
	r.ask("/lnurlp/vm-1", &none) // as before there was one, and with the setting off
	says(1)
	r.ask("/.well-known/lnurlp/vm-1", &first)
	one := pay(&first)
	says(1_234_567)
	r.ask("/lnurlp/vm-1", &second)
	if again := pay(&first); again != one {
		t.Errorf("of the same text there are two invoices:\n%s\n%s", one, again)
	}
	if pay(&second) == one || pay(&none) == one || none.Callback != public+"/lnurlp/vm-1/callback" {
		t.Errorf("the callbacks are %s, %s, %s", none.Callback, first.Callback, second.Callback)
	}
	if want := "vm-1 at shop.example · " + said + `"`; !strings.Contains(second.Metadata, want) {
		t.Errorf("the text is %s, want %s", second.Metadata, want)
	}
	if b, ok := checkpoint.FindBrief(second.Metadata); !ok || b.String() != said {
		t.Errorf("it has %v, %t", b, ok)
	}
	said = ""
	pay(&second)
}

// TestNobodyElseWritesTheText that an invoice has the hash of.
func TestNobodyElseWritesTheText(t *testing.T) {
	r := open(t, nil)
	close(r.swept)
	r.order("vm-1")
	said := checkpoint.Brief{Size: 12}.String()
	r.signer.Log = func() string { return said }
	var o offer
	r.ask("/lnurlp/vm-1", &o)
	for _, callback := range []string{
		strings.Replace(o.Callback, "log.12.", "log.13.", 1), o.Callback + "0", o.Callback[:len(o.Callback)-1],
		o.Callback[:strings.LastIndex(o.Callback, ".")], o.Callback[:strings.LastIndex(o.Callback, ".")+1],
		public + "/lnurlp/vm-1/callback/x", public + "/lnurlp/vm-1/callback/0000000000000",
	} {
		if callback == o.Callback {
			t.Fatalf("the callback is %s", o.Callback)
		}
		if reason := r.refused(callback + "?amount=90000"); reason == "" {
			t.Errorf("%s is taken", callback)
		}
	}
}
