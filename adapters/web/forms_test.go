package web_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"sandglass/adapters/httpapi/wire"
	"sandglass/domain/instant"
)

// TestFromTheShopToTheEnd goes all the way that a holder goes, by links and forms alone.
func TestFromTheShopToTheEnd(t *testing.T) {
	f := open(t, "", nil)
	f.says(f.get("/"), 200, "3 600 sat", "86 400 sat", "2 592 000 sat", "Free now 9")
	a, key, page := f.order("2")
	f.says(a, 200, "Waiting for your payment", "7 200 sat", "for 2 h", key)
	if strings.Contains(a.body, `http-equiv="refresh"`) {
		t.Error("the page goes away by itself that shows the key once")
	}
	wait := f.get(page)
	f.says(wait, 200, "Pay with Lightning", "lnbcrt1p")
	refresh := `<noscript><meta http-equiv="refresh" content="5;url=` + page
	if strings.Contains(wait.body, key) || !strings.Contains(wait.body, refresh) {
		t.Errorf("the key is shown again, or the page stays as it is:\n%s", wait.body)
	}
	f.Pay(f.first(payOf, a))
	f.says(f.get(page), 200, "Running", "Paid. Thank you!", "7 200 sat bought 2 hours.", "Paid until", "2026")
	page, _, _ = strings.Cut(page, "?")
	if a := f.get(page); !strings.Contains(a.body, `<noscript><meta http-equiv="refresh" content="600;url=`+page) {
		t.Errorf("while it runs the page stays as it is:\n%s", a.body)
	}

	more := f.send("POST", page+"/pay", url.Values{"time": {"86400000"}})
	f.says(f.follow(more), 200, "86 400 sat", "for 1 day", "Running")
	f.Pay(f.first(payOf, f.follow(more)))
	f.says(f.follow(more), 200, "Paid. Thank you!", "1 d of 1 d left")

	hold := url.Values{"key": {key}}
	f.says(f.follow(f.send("POST", page+"/pause", hold)), 200, "Paused", "its time stands still")
	f.says(f.follow(f.send("POST", page+"/resume", hold)), 200, "It runs again", "Running")
	f.Clock.Advance(2 * instant.Minute)
	f.says(f.follow(f.send("POST", page+"/params", url.Values{"key": {key}, "param.notes": {"a\r\nb"}})), 200, "are saved")
	f.Clock.Advance(2 * instant.Minute)
	f.says(f.follow(f.send("POST", page+"/params/delete", hold)), 200, "are deleted")
	f.says(f.send("POST", page+"/access", hold), 503, "host does not answer")

	sure := f.send("POST", page+"/release", hold)
	f.says(sure, 200, "for good?", "are lost")
	f.says(f.get(page), 200, "Running")
	f.says(f.follow(f.send("POST", page+"/release", hidden(sure))), 200, "Ended for good")
}

func TestAHolderNeedsHisKey(t *testing.T) {
	f := open(t, "", nil)
	key, page := f.running("2")
	for _, form := range []string{"pause", "resume", "access", "params", "params/delete"} {
		f.says(f.send("POST", page+"/"+form, url.Values{}), 401, "That takes the key that was shown", "Running")
		f.says(f.send("POST", page+"/"+form, url.Values{"key": {"of another"}}), 403, "This is not its key", "Running")
		if a := f.send("POST", page+"/"+form+"?key="+key, url.Values{}); a.status != 401 {
			t.Errorf("%s: a key in the address, which proxies log, does: %d", form, a.status)
		}
	}
	wrong := f.send("POST", page+"/release", url.Values{"confirm": {"yes"}, "key": {"of another"}})
	f.says(wrong, 403, "This is not its key", "Running")
}

// TestARefusalWithoutAPage: what was refused is to be shown on the page of the resource, which fails too.
func TestARefusalWithoutAPage(t *testing.T) {
	got := ask(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/problem+json")
		refusal := wire.Problem{Status: 403, Code: "wrong_token"}
		if r.Method == "GET" {
			refusal = wire.Problem{Status: 500, Code: "internal_error"}
		}
		w.WriteHeader(refusal.Status)
		_ = json.NewEncoder(w).Encode(refusal)
	}), "", "de", httptest.NewRequest("POST", "/r/web-1/pause", nil))
	if got.Code != 500 || !strings.Contains(got.Body.String(), "<h1>Das hat nicht geklappt</h1>") {
		t.Errorf("%d %s", got.Code, got.Body)
	}
}

func TestAnAmountIsTypedOrChosen(t *testing.T) {
	f := open(t, "", nil)
	_, page := f.running("2")
	for _, c := range []struct {
		n, unit, time string
		status        int
		want          string
	}{
		{"", "", "3600000", 200, "3 600 sat for 1 hour"},
		{"90", "min", "3600000", 200, "5 400 sat for 1 hour and 30 minutes"},
		{"1,5", "h", "", 200, "5 400 sat for 1 hour and 30 minutes"},
		{"1", "w", "", 200, "604 800 sat for 7 days"},
		{"1000", "sat", "", 200, "1 000 sat for 16 minutes"},
		{"1.5", "sat", "", 422, "Choose a time, or type a number."},
		{"-1", "h", "", 422, "Choose a time, or type a number."},
		{"NaN", "h", "", 422, "Choose a time, or type a number."},
		{"1e300", "d", "", 422, "Choose a time, or type a number."},
		{"1", "moon", "", 422, "Choose a time, or type a number."},
		{"", "", "", 422, "Choose a time, or type a number."},
		{"9223372036854775807", "sat", "", 422, "Choose a time, or type a number."},
		{"1", "sat", "", 422, ""},      // less than the plan sells
		{"100000", "d", "", 422, ""},   // more than it does
		{"5e-324", "min", "", 422, ""}, // nothing
	} {
		a := f.send("POST", page+"/pay", url.Values{"n": {c.n}, "unit": {c.unit}, "time": {c.time}})
		if c.status == 200 {
			a = f.follow(a)
		}
		f.says(a, c.status, c.want, "Running")
		if c.status != 200 && !strings.Contains(a.body, `role="alert"`) {
			t.Errorf("%+v: nothing says why", c)
		}
	}
}

// TestAnOrderIsMadeOnce sends the same form twice, as who presses a button twice does.
func TestAnOrderIsMadeOnce(t *testing.T) {
	f := open(t, "", nil)
	form := hidden(f.get("/order?plan=small"))
	form.Set("time", "3600000")
	f.says(f.send("POST", "/order", form), 422, "ssh_key", "Order and pay")
	form.Set("param.ssh_key", `"><b>k`)
	one, two := f.send("POST", "/order", form), f.send("POST", "/order", form)
	if f.first(pageOf, one) != f.first(pageOf, two) || f.first(keyOf, one) != f.first(keyOf, two) {
		t.Errorf("%s is not %s", f.first(pageOf, one), f.first(pageOf, two))
	}
	form.Set("time", "7200000")
	again := f.send("POST", "/order", form)
	f.says(again, 409, "Order and pay")
	if !strings.Contains(again.body, `value="&#34;&gt;&lt;b&gt;k"`) {
		t.Errorf("what was typed is lost, or it is no text:\n%s", again.body)
	}
	f.says(f.get("/order?plan=none"), 404, "This is not on offer.")
}

// TestTheChainIsAskedFor: an address is made for who asks, and the code then has both.
func TestTheChainIsAskedFor(t *testing.T) {
	f := open(t, "", nil)
	_, _, page := f.order("2")
	f.says(f.get(page), 200, "Pay without Lightning instead")
	path, query, _ := strings.Cut(page, "?pay=")
	a := f.follow(f.send("POST", path+"/address", url.Values{"pay": {query}}))
	f.says(a, 200, "Bitcoin address", "bcrt1q", "Invoice")
	if !strings.Contains(a.body, `href="bitcoin:bcrt1q`) || !strings.Contains(a.body, `href="lightning:lnbcrt1`) {
		t.Errorf("it has no links to wallets:\n%s", a.body)
	}
}

// TestNothingIsLeftOfWhatIsEnded: nobody can have it, nor top it up.
func TestNothingIsLeftOfWhatIsEnded(t *testing.T) {
	api := canned{
		"/v1/resources/web-1": wire.Resource{
			ID: "web-1", Status: "released", Remaining: instant.Hour, Price: wire.Price{Msat: 1000, Per: 1000},
		},
		"/v1/plans": wire.Plans{},
	}
	body := text(api.ask(t, "", "en", "/r/web-1").Body.String())
	for _, not := range []string{"01:00:00", "top it up"} {
		if strings.Contains(body, not) || !strings.Contains(body, "Ended for good") {
			t.Errorf("it says %s: %s", not, body)
		}
	}
}

// TestConfirmationsAreCounted of what is on its way.
func TestConfirmationsAreCounted(t *testing.T) {
	two := int64(2)
	for _, c := range []struct {
		n    *int64
		want string
	}{{nil, "0 of 3 confirmations"}, {&two, "2 of 3 confirmations"}} {
		coming := wire.Payment{Key: "btc-ab-1", Status: "seen", Amount: 5000, Required: 3, Confirmations: c.n}
		body := canned{
			"/v1/resources/web-1": wire.Resource{
				ID: "web-1", Status: "running", Price: wire.Price{Msat: 1000, Per: 1000}, Pending: []wire.Payment{coming},
			},
			"/v1/plans": wire.Plans{},
		}.ask(t, "", "en", "/r/web-1").Body.String()
		if !strings.Contains(body, c.want) || !strings.Contains(body, `value="`+c.want[:1]+`"`) {
			t.Errorf("it does not say %q: %s", c.want, text(body))
		}
	}
}

// TestAnInvoiceIsShownAfterAPaymentOnTheChain: only what was seen there since it was made stands for it.
func TestAnInvoiceIsShownAfterAPaymentOnTheChain(t *testing.T) {
	for covered, shown := range map[string]bool{"": true, "btc-ab-1": false} {
		api := canned{
			"/v1/resources/web-1": wire.Resource{
				ID: "web-1", Status: "running", Price: wire.Price{Msat: 1000, Per: 1000}, Lots: []wire.Lot{{Payment: "btc-ab-1"}},
			},
			"/v1/plans": wire.Plans{},
			"/v1/payments/ln-00ff?resource=web-1": wire.Payment{
				Key: paidKey, Status: "requested", Asked: 5000, URI: "lightning:lnbc1", ExpiresAt: 99, CoveredBy: covered,
			},
		}
		body := api.ask(t, "", "en", "/r/web-1?pay=ln-00ff").Body.String()
		if strings.Contains(body, "Pay with Lightning") != shown {
			t.Errorf("it is covered by %q: %s", covered, text(body))
		}
	}
}

// TestWalletsTopUp: where wallets reach the shop, the page has what they keep as a contact, and one code at sight.
func TestWalletsTopUp(t *testing.T) {
	r := wire.Resource{ID: "web-1", Status: "running", Price: wire.Price{Msat: 1000, Per: 1000}, LNURL: "lnurl1dp68gurn8ghj7"}
	r.LightningAddress = "web-1@pay.example.org"
	api := canned{"/v1/resources/web-1": r, "/v1/plans": wire.Plans{}}
	body := api.ask(t, "https://pay.example.org", "en", "/r/web-1").Body.String()
	for _, want := range []string{
		`href="lightning:lnurl1dp68gurn8ghj7"`, "Lightning address web-1@pay.example.org", "Link for wallets lnurl1dp68gurn8ghj7",
	} {
		if !strings.Contains(body, want) && !strings.Contains(text(body), want) {
			t.Errorf("it has no %s:\n%s", want, text(body))
		}
	}
	if strings.Count(body, `class="qr"`) != 1 {
		t.Errorf("%d codes", strings.Count(body, `class="qr"`))
	}
}
