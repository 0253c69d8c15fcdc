package l402_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sandglass/adapters/httpapi"
	"sandglass/testutil/storetest"

	"github.com/rs/zerolog"
)

// TestAProgramBuys: the whole exchange, sent again as often as one likes.
func TestAProgramBuys(t *testing.T) {
	s := open(t, nil)
	d := s.send("POST", "/v1/buy", buys)
	if d.status != http.StatusPaymentRequired || d.demand.Code != "payment_required" || d.demand.Payment.Asked != 2*price ||
		d.header.Get("Cache-Control") != "no-store" || d.header.Get("Content-Type") != "application/problem+json" {
		t.Fatalf("%d %v %s", d.status, d.header, d.body)
	}
	again := s.send("POST", "/v1/buy", buys)
	if again.demand.Token == d.demand.Token || again.demand.Payment.Key == d.demand.Payment.Key {
		t.Error("two clients were given the same challenge")
	}
	credential := s.pays(d)
	got := s.send("POST", "/v1/buy", buys, credential)
	if r := got.bought.Resource; got.status != 200 || r.Status != "running" || r.Remaining != 2*hour || got.bought.HolderKey == "" {
		t.Fatalf("%d %s", got.status, got.body)
	}
	s.restart()
	again = s.send("POST", "/v1/buy", `{"time_ms":7200000, "plan":"small"}`, credential)
	if again.status != 200 || again.bought.Resource.ID != got.bought.Resource.ID || again.bought.HolderKey != got.bought.HolderKey {
		t.Errorf("again, after a restart: %d %s", again.status, again.body)
	}
	if p := again.bought.Payment; p == nil || p.Status != "credited" || again.bought.Resource.Credited != 2*price {
		t.Errorf("its payment: %s", again.body)
	}
	s.clock.Advance(3 * hour)
	s.settleTime(got.bought.Resource.ID)
	if late := s.send("POST", "/v1/buy", buys, credential); late.status != 200 || late.bought.Resource.Remaining != 0 {
		t.Errorf("used up, and asked to pay again for the same: %d %s", late.status, late.body)
	}
	if other := s.send("POST", "/v1/buy", `{"plan":"other","time_ms":7200000}`, credential); other.status != 402 {
		t.Errorf("something else by the same credential: %d %s", other.status, other.body)
	}
}

// TestTheChallengeInAllDialects: aperture's client reads the header by a regular expression, in its order; the
// first header decides what others take it for.
func TestTheChallengeInAllDialects(t *testing.T) {
	s := open(t, nil)
	d := s.send("POST", "/v1/buy", buys, "Origin: https://agent.example")
	headers := d.header.Values("WWW-Authenticate")
	if len(headers) != 2 {
		t.Fatalf("%q", headers)
	}
	invoice := d.demand.Payment.Request
	old := regexp.MustCompile(`^(LSAT|L402) macaroon="(.*?)", invoice="(.*?)"`).FindStringSubmatch(headers[0])
	if len(old) != 4 || old[2] != d.demand.Token || old[3] != invoice {
		t.Errorf("by its old names: %q", headers[0])
	}
	if !strings.HasSuffix(headers[0], `, version="0", token="`+d.demand.Token+`"`) {
		t.Errorf("by its new names: %q", headers[0])
	}
	mpp := regexp.MustCompile(`^Payment id="([\w-]+)", realm="pay.example.org", method="lightning", intent="charge", ` +
		`request="([\w-]+)", expires="([^"]+)"$`).FindStringSubmatch(headers[1])
	if mpp == nil {
		t.Fatalf("%q", headers[1])
	}
	charge, err := base64.RawURLEncoding.DecodeString(mpp[2])
	s.must(err)
	want := `{"amount":"7200","currency":"sat","methodDetails":{"invoice":"` + invoice + `","network":"regtest","paymentHash":"` +
		strings.TrimPrefix(d.demand.Payment.Key, "ln-") + `"}}`
	if string(charge) != want {
		t.Errorf("charge %s, want %s", charge, want)
	}
	if got := d.header.Get("Access-Control-Expose-Headers"); !strings.Contains(got, "WWW-Authenticate") {
		t.Errorf("an agent in a browser may read %q", got)
	}
	pre := s.send("OPTIONS", "/v1/buy", "", "Origin: https://agent.example", "Access-Control-Request-Method: POST",
		"Access-Control-Request-Headers: authorization, content-type")
	if pre.status != 204 || pre.header.Get("Access-Control-Allow-Origin") != "*" ||
		!strings.Contains(pre.header.Get("Access-Control-Allow-Headers"), "Authorization") {
		t.Errorf("a browser asks first: %d %v", pre.status, pre.header)
	}

	s.settle(&d.demand.Payment)
	proof, _ := json.Marshal(map[string]any{
		"challenge": map[string]string{
			"id": mpp[1], "realm": "pay.example.org", "method": "lightning", "intent": "charge", "request": mpp[2], "expires": mpp[3],
		},
		"payload": map[string]string{"preimage": s.preimage(&d.demand.Payment)},
	})
	for _, how := range []string{
		"Payment " + base64.RawURLEncoding.EncodeToString(proof),
		"payment  " + base64.URLEncoding.EncodeToString(proof),
		"L402 " + d.demand.Token + ":" + s.preimage(&d.demand.Payment),
		"lsat   " + d.demand.Token + ":" + strings.ToUpper(s.preimage(&d.demand.Payment)),
		"L402 " + d.demand.Token + "," + d.demand.Token + ":" + s.preimage(&d.demand.Payment),
	} {
		if got := s.send("POST", "/v1/buy", buys, "Authorization: "+how); got.status != 200 || got.bought.HolderKey == "" {
			t.Errorf("%.30s: %d %s", how, got.status, got.body)
		}
	}
}

// TestPaidAndNotCreditedYet: an agent asks before the watcher has heard of its money.
func TestPaidAndNotCreditedYet(t *testing.T) {
	s := open(t, func(s *shop) { s.wait = 20 * time.Millisecond })
	d := s.send("POST", "/v1/buy", buys)
	credential := l402Of(d.demand.Token, s.preimage(&d.demand.Payment))
	for range 2 {
		got := s.send("POST", "/v1/buy", buys, credential)
		if got.status != http.StatusServiceUnavailable || got.demand.Code != "not_credited" || got.header.Get("Retry-After") != "5" ||
			got.header.Get("WWW-Authenticate") != "" {
			t.Fatalf("%d %v %s", got.status, got.header, got.body)
		}
		s.restart()
	}
	s.settle(&d.demand.Payment)
	if got := s.send("POST", "/v1/buy", buys, credential); got.status != 200 {
		t.Errorf("%d %s", got.status, got.body)
	}
}

// TestWhatFailsIsLogged: whoever paid is told to come back, and the operator why.
func TestWhatFailsIsLogged(t *testing.T) {
	var broken atomic.Bool
	var text bytes.Buffer
	s := open(t, func(s *shop) {
		s.store, s.log = &storetest.Faulty{EventStore: s.store, OnRead: broken.Load}, zerolog.New(&text)
	})
	d := s.send("POST", "/v1/buy", buys)
	s.http.Close() // after which its log is whole
	r := httptest.NewRequest("POST", "/v1/buy", strings.NewReader(buys))
	r.Header.Set("Authorization", strings.TrimPrefix(l402Of(d.demand.Token, s.preimage(&d.demand.Payment)), "Authorization: "))
	w := httptest.NewRecorder()
	broken.Store(true)
	s.server.Handler().ServeHTTP(w, r)
	broken.Store(false)
	why := storetest.ErrFault.Error()
	if w.Code != 503 || !strings.Contains(text.String(), why) || strings.Contains(text.String(), d.demand.Token) {
		t.Errorf("%d %s\n%s", w.Code, w.Body, text.String())
	}
	if strings.Contains(w.Body.String(), why) {
		t.Errorf("he is told it, too: %s", w.Body)
	}
}

// TestTheCreditIsWaitedFor: it comes while two requests with the credential wait.
func TestTheCreditIsWaitedFor(t *testing.T) {
	s := open(t, nil)
	d := s.send("POST", "/v1/buy", buys)
	credential := l402Of(d.demand.Token, s.preimage(&d.demand.Payment))
	answers := make(chan reply, 2)
	for range 2 {
		go func() {
			r, err := s.try("POST", "/v1/buy", buys, credential)
			if err != nil {
				t.Error(err)
			}
			answers <- r
		}()
	}
	s.settle(&d.demand.Payment)
	for range 2 {
		if got := <-answers; got.status != 200 || got.bought.Resource.Credited != 2*price {
			t.Errorf("%d %s", got.status, got.body)
		}
	}
}

// TestTheCredentialIsAsGoodAsTheHolderKey at every call that takes one.
func TestTheCredentialIsAsGoodAsTheHolderKey(t *testing.T) {
	s := open(t, nil)
	credential, got := s.bought()
	at := "/v1/resources/" + got.Resource.ID
	for _, call := range []struct{ method, path, body string }{
		{"GET", at, ""},
		{"POST", at + "/pause", ""},
		{"POST", at + "/payments", `{"time_ms":3600000}`},
		{"GET", at + "/access", ""},
		{"DELETE", at + "/params", ""},
		{"POST", at + "/release", ""},
	} {
		r := s.send(call.method, call.path, call.body, credential, "Content-Type: application/json")
		if r.status == 401 || r.status == 403 {
			t.Errorf("%s %s: %d %s", call.method, call.path, r.status, r.body)
		}
	}
	if r := s.send("GET", at, ""); !strings.Contains(r.body, `"status":"released"`) {
		t.Errorf("it was not released: %s", r.body)
	}
	_, other := s.bought()
	if r := s.send("POST", "/v1/resources/"+other.Resource.ID+"/pause", "", credential); r.status != 403 {
		t.Errorf("another one's: %d %s", r.status, r.body)
	}
}

// TestTopUps: by the holder's credential what is bought is his again, by a stranger nobody's.
func TestTopUps(t *testing.T) {
	s := open(t, nil)
	credential, got := s.bought()
	id := got.Resource.ID
	d := s.send("POST", "/v1/buy", asks(id), credential)
	if d.status != 402 || d.demand.Payment.Resource != id {
		t.Fatalf("%d %s", d.status, d.body)
	}
	more := s.pays(d)
	r := s.send("POST", "/v1/buy", asks(id), more)
	if r.status != 200 || r.bought.Resource.Remaining != 3*hour || r.bought.HolderKey != got.HolderKey {
		t.Errorf("by the holder: %d %s", r.status, r.body)
	}
	if r := s.send("POST", "/v1/resources/"+id+"/pause", "", more); r.status != 200 {
		t.Errorf("the later credential pauses it: %d %s", r.status, r.body)
	}

	one := s.send("POST", "/v1/buy", asks(id))
	two := s.send("POST", "/v1/buy", asks(id), "Authorization: Bearer guessed-by-a-stranger")
	if one.demand.Payment.Key == two.demand.Payment.Key {
		t.Error("two strangers have the same invoice: the preimage of one is good for the other")
	}
	gift := s.pays(one)
	r = s.send("POST", "/v1/buy", asks(id), gift)
	if r.status != 200 || r.bought.Resource.Remaining != 4*hour || r.bought.HolderKey != "" {
		t.Errorf("by a stranger: %d %s", r.status, r.body)
	}
	if r := s.send("POST", "/v1/resources/"+id+"/release", "", gift); r.status != 403 {
		t.Errorf("a stranger who paid ends it: %d %s", r.status, r.body)
	}
	mine := s.send("POST", "/v1/buy", asks(id), "Authorization: Bearer "+got.HolderKey)
	if r := s.send("POST", "/v1/buy", asks(id), s.pays(mine)); r.status != 200 || r.bought.Resource.Remaining != 5*hour {
		t.Errorf("by the holder key: %d %s", r.status, r.body)
	}
}

// TestWhatIsNoRequest is told what would be one, before anything is made.
func TestWhatIsNoRequest(t *testing.T) {
	s := open(t, nil)
	for body, code := range map[string]string{
		``:                          "malformed_request",
		`[]`:                        "malformed_request",
		`{"plan":"small","time":1}`: "malformed_request",
		buys + buys:                 "malformed_request",
		buys + "}":                  "malformed_request",
		`{"plan":"small"}`:          "invalid_request",
		`{"time_ms":7200000}`:       "invalid_request",
		`{"plan":"small","resource":"x","time_ms":1}`:                    "invalid_request",
		`{"plan":"small","time_ms":7200000,"amount_msat":1}`:             "invalid_request",
		`{"resource":"x","time_ms":7200000,"params":{"image":"x"}}`:      "invalid_request",
		`{"plan":"none","time_ms":7200000}`:                              "unknown_plan",
		`{"plan":"small","time_ms":1}`:                                   "out_of_bounds",
		`{"plan":"small","time_ms":-1}`:                                  "invalid_request",
		`{"resource":"none","time_ms":7200000}`:                          "unknown_resource",
		`{"plan":"small","time_ms":7200000,"params":{"image":"debian"}}`: "invalid_request",
		`{"plan":"` + strings.Repeat("x", 70_000) + `"}`:                 "too_large",
	} {
		if r := s.send("POST", "/v1/buy", body); r.demand.Code != code || r.demand.Detail == "" || r.status < 400 || r.status == 402 {
			t.Errorf("%.60s: %d %s", body, r.status, r.body)
		}
	}
	if n := s.wallet.made(); n != 0 {
		t.Errorf("%d invoices were made", n)
	}
}

// TestChallengesAreBounded by the rates and the bounds of orders, which they are.
func TestChallengesAreBounded(t *testing.T) {
	s := open(t, func(s *shop) { s.writes = httpapi.Rate{PerSecond: 1e-6, Burst: 5} })
	refused := 0
	for range 50 {
		if r := s.send("POST", "/v1/buy", buys, "X-Forwarded-For: 192.0.2.1"); r.status == http.StatusTooManyRequests {
			refused++
			if r.header.Get("Retry-After") == "" || r.demand.Code != "rate_limited" {
				t.Fatalf("%v %s", r.header, r.body)
			}
		}
	}
	if n := s.wallet.made(); n != 5 || refused != 45 {
		t.Errorf("%d invoices, %d refusals", n, refused)
	}
	s = open(t, nil)
	for range 500 { // of any addresses
		s.send("POST", "/v1/buy", buys)
	}
	if n := s.asked.Open().Orders; n > 400 {
		t.Errorf("%d orders are open, more than the bound of all orders", n)
	}
}
