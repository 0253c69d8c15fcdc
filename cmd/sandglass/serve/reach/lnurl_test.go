package reach_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"sandglass/adapters/httpapi"
	"sandglass/adapters/httpapi/admission"
	"sandglass/adapters/httpapi/limit"
	"sandglass/cmd/sandglass/config"
	"sandglass/domain/money"
	"sandglass/domain/resource"
	"sandglass/domain/stream"

	"github.com/btcsuite/btcd/btcutil/bech32"
	"github.com/btcsuite/btcd/chaincfg"
	"github.com/lightningnetwork/lnd/zpay32"
)

// offer is the first answer, with all that it may have.
type offer struct {
	Tag, Callback, Metadata  string
	MinSendable, MaxSendable money.Msat
}

type answer struct {
	PR            string
	Routes        []any
	SuccessAction map[string]string
	Disposable    *bool
	Verify        string
}

type proof struct {
	Status   string
	Settled  bool
	Preimage *string
	PR       string
}

// fields checks that an object has these fields and no other: strict wallets refuse it otherwise.
func fields(t *testing.T, r *rig, path string, want ...string) {
	t.Helper()
	var got map[string]json.RawMessage
	r.ask(path, &got)
	for _, name := range want {
		if _, ok := got[name]; !ok {
			t.Errorf("%s has no %s", path, name)
		}
		delete(got, name)
	}
	if len(got) > 0 {
		t.Errorf("%s has %v besides", path, got)
	}
}

// hashOf reads an invoice as its payer does.
func hashOf(t *testing.T, request string) (hash string, text [32]byte, msat money.Msat) {
	t.Helper()
	inv, err := zpay32.Decode(request, &chaincfg.RegressionNetParams)
	if err != nil || inv.DescriptionHash == nil || inv.Description != nil || inv.MilliSat == nil {
		t.Fatalf("%s: %v, %+v", request, err, inv)
	}
	return hex.EncodeToString(inv.PaymentHash[:]), *inv.DescriptionHash, money.Msat(*inv.MilliSat)
}

// TestAWalletPays goes the way of a wallet, from an address to a proof, with what it checks on the way;
// first what is only ordered, which opens it, then what runs.
func TestAWalletPays(t *testing.T) {
	r := open(t, nil)
	close(r.swept)
	r.order("vm-1")
	for i := range 2 {
		var first, byLink offer
		res := r.ask("/.well-known/lnurlp/vm-1", &first)
		r.ask("/lnurlp/vm-1", &byLink)
		if res.StatusCode != 200 || res.Header.Get("Access-Control-Allow-Origin") != "*" || first != byLink {
			t.Errorf("%d %v\n%+v\n%+v", res.StatusCode, res.Header, first, byLink)
		}
		want := offer{
			"payRequest", public + "/lnurlp/vm-1/callback",
			`[["text/plain","vm-1 at shop.example"],["text/identifier","vm-1@shop.example"]]`, 60_000, 86_400_000,
		}
		if first != want || strings.Contains(first.Callback, "?") {
			t.Errorf("it offers %+v", first)
		}
		var paid answer
		res = r.ask(first.Callback+"?amount=90000", &paid)
		if res.Header.Get("Access-Control-Allow-Origin") != "*" || paid.Routes == nil || len(paid.Routes) > 0 ||
			paid.Disposable == nil || *paid.Disposable {
			t.Errorf("it answers %v %+v", res.Header, paid)
		}
		hash, text, msat := hashOf(t, paid.PR)
		if text != sha256.Sum256([]byte(first.Metadata)) || msat != 90_000 || paid.Verify != public+"/lnurlp/vm-1/verify/"+hash {
			t.Errorf("the invoice has h %x and asks for %d; verify is %s", text, msat, paid.Verify)
		}
		to := paid.SuccessAction
		if to["tag"] != "url" || to["url"] != public+"/r/vm-1" || len(to["description"]) > 144 || len(to) != 3 {
			t.Errorf("then it shows %v", to)
		}
		var before, after proof
		res = r.ask(paid.Verify, &before)
		if before.Status != "OK" || before.Settled || before.Preimage != nil || before.PR != paid.PR ||
			res.Header.Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("before it is paid: %+v", before)
		}
		r.pay(hash, 90_000)
		r.ask(paid.Verify, &after)
		if after.Status != "OK" || !after.Settled || after.Preimage == nil || after.PR != paid.PR {
			t.Fatalf("once it is paid: %+v", after)
		}
		preimage, _ := hex.DecodeString(*after.Preimage)
		if sum := sha256.Sum256(preimage); hex.EncodeToString(sum[:]) != hash {
			t.Errorf("the preimage %s is not of %s", *after.Preimage, hash)
		}
		if got := r.resource("vm-1"); got.Status != "running" || got.Credited != money.Msat(i+1)*90_000 {
			t.Errorf("paid %d times it is %+v", i+1, got)
		}
	}
}

// TestTheFieldsAreThose of the documents: an extra one made strict wallets refuse it.
func TestTheFieldsAreThose(t *testing.T) {
	r := open(t, nil)
	close(r.swept)
	r.order("vm-1")
	fields(t, r, "/lnurlp/vm-1", "tag", "callback", "minSendable", "maxSendable", "metadata")
	fields(t, r, "/lnurlp/vm-1/callback?amount=60000", "pr", "routes", "successAction", "disposable", "verify")
	var paid answer
	r.ask("/lnurlp/vm-1/callback?amount=60000", &paid)
	fields(t, r, paid.Verify, "status", "settled", "preimage", "pr")
}

// TestWhatIsRefused: wallets read nothing but an answer of 200.
func TestWhatIsRefused(t *testing.T) {
	r := open(t, nil)
	if reason := r.refused("/lnurlp/vm-1"); !strings.Contains(reason, "started") {
		t.Errorf("before the wallet was read: %s", reason)
	}
	close(r.swept)
	r.order("vm-1")
	r.order("vm-2")
	var paid answer
	r.ask("/lnurlp/vm-1/callback?amount=90000", &paid)
	hash, _, _ := hashOf(t, paid.PR)
	for path, part := range map[string]string{
		"/lnurlp/nothing":                                   "not known",
		"/.well-known/lnurlp/nothing":                       "not known",
		"/lnurlp/nothing/callback?amount=60000":             "not known",
		"/lnurlp/vm-1/callback":                             "want a number of millisatoshi, 60000 to 86400000",
		"/lnurlp/vm-1/callback?amount=":                     "want a number",
		"/lnurlp/vm-1/callback?amount=59999":                "want a number",
		"/lnurlp/vm-1/callback?amount=86400001":             "want a number",
		"/lnurlp/vm-1/callback?amount=-60000":               "want a number",
		"/lnurlp/vm-1/callback?amount=6e4":                  "want a number",
		"/lnurlp/vm-1/callback?amount=60000.0":              "want a number",
		"/lnurlp/vm-1/callback?amount=99999999999999999999": "want a number",
		"/lnurlp/vm-1/callback?amount=60000&amount=70000":   "2 times",
		"/lnurlp/vm-1/callback?amount=%zz":                  "not encoded",
		"/lnurlp/vm-1/verify/" + strings.Repeat("0", 64):    "Not found",
		"/lnurlp/vm-1/verify/" + strings.ToUpper(hash):      "Not found",
		"/lnurlp/vm-1/verify/x":                             "Not found",
		"/lnurlp/vm-2/verify/" + hash:                       "Not found",
		"/lnurlp/vm-1/more":                                 "nothing here",
		"/lnurlp/":                                          "nothing here",
		"/.well-known/lnurlp/":                              "nothing here",
		"/.well-known/lnurlp/vm-1/callback?amount=60000":    "nothing here",
	} {
		if reason := r.refused(path); !strings.Contains(reason, part) {
			t.Errorf("%s: %s", path, reason)
		}
	}
	for _, method := range []string{"POST", "DELETE", "PUT"} {
		r.refusedTo(httptest.NewRequest(method, "/lnurlp/vm-1/callback?amount=60000", nil))
	}
	r.refusedTo(httptest.NewRequest("GET", "/lnurlp/vm-1", strings.NewReader("a body")))
	_, err := r.billing.Release(t.Context(), stream.Meta{Actor: "operator"}, "vm-2", resource.ReasonOperator)
	r.must(err)
	if reason := r.refused("/lnurlp/vm-2"); reason == "" {
		t.Error("what is released is offered")
	}
	r.node.Kill()
	if reason := r.refused("/lnurlp/vm-1/callback?amount=77000"); !strings.Contains(reason, "the wallet gives no invoice") {
		t.Errorf("without a wallet: %s", reason)
	}
}

// TestPagesOfAnyOrigin may ask, also where their browser asks first.
func TestPagesOfAnyOrigin(t *testing.T) {
	r := open(t, nil)
	for _, path := range []string{
		"/lnurlp/vm-1", "/.well-known/lnurlp/vm-1", "/lnurlp/vm-1/callback?amount=1", "/lnurlp/vm-1/verify/0", "/lnurlp/vm-1/more",
	} {
		req := httptest.NewRequest(http.MethodOptions, path, nil)
		req.Header.Set("Access-Control-Request-Method", "GET")
		w := httptest.NewRecorder()
		r.api.ServeHTTP(w, req)
		h := w.Header()
		if w.Code != 204 || h.Get("Access-Control-Allow-Origin") != "*" || h.Get("Access-Control-Allow-Methods") != "GET" {
			t.Errorf("%s: %d %v", path, w.Code, h)
		}
	}
}

// TestACallbackIsHeldToTheRates of orders and of further invoices, and to that of writes: it makes an
// invoice, though it is a GET. Who asks again for what is open takes nothing but a write.
func TestACallbackIsHeldToTheRates(t *testing.T) {
	slow := limit.Rate{PerSecond: 1e-3, Burst: 2}
	r := open(t, func(_ *config.Config, o *httpapi.Options) {
		o.Limits.Unpaid = admission.Limits{Orders: limit.Share{Address: slow}, TopUps: limit.Share{Address: slow}}
	})
	close(r.swept)
	r.order("vm-1") // the daemon's own: it takes no share
	pay := func(msat string) (hash string) {
		t.Helper()
		var paid answer
		r.ask("/lnurlp/vm-1/callback?amount="+msat, &paid)
		hash, _, _ = hashOf(t, paid.PR)
		return hash
	}
	first := pay("60000")
	pay("70000")
	pay("60000") // the same
	if reason := r.refused("/lnurlp/vm-1/callback?amount=80000"); !strings.Contains(reason, "nobody has paid yet") {
		t.Errorf("a third one of an order: %s", reason)
	}
	r.pay(first, 60_000)
	pay("60000")
	pay("70000")
	r.refused("/lnurlp/vm-1/callback?amount=80000")

	r = open(t, func(_ *config.Config, o *httpapi.Options) { o.Limits.Writes = httpapi.Rate{PerSecond: 1e-3, Burst: 2} })
	close(r.swept)
	r.order("vm-1")
	pay("60000")
	pay("60000")
	if reason := r.refused("/lnurlp/vm-1/callback?amount=60000"); !strings.Contains(reason, "too many requests") {
		t.Errorf("a third write: %s", reason)
	}
	var first2 offer
	r.ask("/lnurlp/vm-1", &first2) // a read
}

// TestWithoutPages there is a message to show, and no link.
func TestWithoutPages(t *testing.T) {
	r := open(t, func(c *config.Config, _ *httpapi.Options) { c.Pages = false })
	close(r.swept)
	r.order("vm-1")
	var paid answer
	r.ask("/lnurlp/vm-1/callback?amount=60000", &paid)
	to := paid.SuccessAction
	if to["tag"] != "message" || to["message"] == "" || len(to["message"]) > 144 || len(to) != 2 {
		t.Errorf("it shows %v", to)
	}
	if v := r.resource("vm-1"); v.Page != "" || v.LightningAddress != "vm-1@shop.example" {
		t.Errorf("the API shows %q, %q", v.Page, v.LightningAddress)
	}
}

// TestTheAPIShowsTheLinks of what can be paid.
func TestTheAPIShowsTheLinks(t *testing.T) {
	r := open(t, nil)
	close(r.swept)
	r.order("vm-1")
	v := r.resource("vm-1")
	hrp, data, err := bech32.DecodeNoLimit(v.LNURL)
	r.must(err)
	raw, err := bech32.ConvertBits(data, 5, 8, false)
	r.must(err)
	if hrp != "lnurl" || string(raw) != public+"/lnurlp/vm-1" || v.LightningAddress != "vm-1@shop.example" ||
		v.Page != public+"/r/vm-1" {
		t.Errorf("%s %s, %s, %s", hrp, raw, v.LightningAddress, v.Page)
	}
	var first offer
	r.ask("/lnurlp/vm-1/callback?amount=60000", &answer{})
	r.ask("/.well-known/lnurlp/VM-1", &first) // as it may be typed
	if first.Callback != public+"/lnurlp/vm-1/callback" {
		t.Errorf("%+v", first)
	}
	var paid answer
	r.ask("/lnurlp/vm-1/callback?amount=60000", &paid)
	hash, _, _ := hashOf(t, paid.PR)
	r.pay(hash, 60_000)
	out, err := r.billing.Release(t.Context(), stream.Meta{Actor: "operator"}, "vm-1", resource.ReasonOperator)
	r.must(err)
	r.must(r.views.WaitFor(t.Context(), out.Position))
	if v := r.resource("vm-1"); v.LNURL != "" || v.LightningAddress != "" || v.Page == "" {
		t.Errorf("released it shows %q, %q, %q", v.LNURL, v.LightningAddress, v.Page)
	}
	if reason := r.refused("/lnurlp/vm-1"); !strings.Contains(reason, "over for good") {
		t.Errorf("released: %s", reason)
	}
}
