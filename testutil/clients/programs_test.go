package clients_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"sandglass/adapters/httpapi/client"
	"sandglass/adapters/httpapi/wire"
	"sandglass/domain/instant"

	"golang.org/x/sync/errgroup"
)

// twoHours is a request for two hours of the seller's application server.
const twoHours = `{"plan":"small","time_ms":7200000}`

// TestAgentsBuy: a program buys two hours by one call, whatever the proxy does with the challenges, and whenever
// the daemon dies: it pays once.
func TestAgentsBuy(t *testing.T) {
	a := newAgent(t)
	for _, scheme := range []string{"L402", "Payment"} {
		for _, death := range []struct {
			name          string
			before, after func()
		}{
			{"none", nil, nil},
			{"between the demand and the payment", a.restart, nil},
			{"between the payment and the second request", nil, a.restart},
			{"and nobody is there for the second request", nil, a.Kill},
		} {
			t.Log(scheme, "death:", death.name)
			a.meets(way{scheme == "Payment", death.before, death.after})
			f := a.fetch("POST", "/v1/buy", twoHours)
			if f.Interrupted || f.Status == http.StatusBadGateway { // the proxy's
				a.Start()
				a.WaitReady(t.Context())
				paid := f
				f = a.fetch("POST", "/v1/buy", twoHours, f.Credentials)
				f.Paid, f.Sat = paid.Paid, paid.Sat
			}
			o := a.bought(f)
			used, _, _ := strings.Cut(a.authorization(f.Credentials), " ")
			if paid, demanded := a.counted(); used != scheme || !f.Paid || f.Sat != 7200 || paid != 1 || demanded != 1 {
				t.Fatalf("by %s it paid %d times, for %d demands: %+v", used, paid, demanded, f)
			}
			if used := 2*instant.Hour - o.Resource.Remaining; o.Resource.Credited != 7_200_000 || used < 0 || used > instant.Minute {
				t.Errorf("%s are used of %+v", used.Std(), o.Resource)
			}
		}
	}
	if out, err := a.Command(t.Context(), "audit", "replay"); err != nil {
		t.Errorf("audit replay: %v\n%s", err, out)
	}
}

// TestACredentialIsGoodLater for what its holder does: to look, to pause and resume, and to buy more.
func TestACredentialIsGoodLater(t *testing.T) {
	a := newAgent(t)
	for _, paymentFirst := range []bool{false, true} {
		a.meets(way{paymentFirst: paymentFirst})
		f := a.fetch("POST", "/v1/buy", twoHours)
		o := a.bought(f)
		id, key := o.Resource.ID, f.Credentials
		if again := a.bought(a.fetch("POST", "/v1/buy", twoHours, key)); again.HolderKey != o.HolderKey || again.Resource.ID != id {
			t.Errorf("the same request again is answered with %+v", again)
		}
		at := "/v1/resources/" + id
		for _, call := range []struct{ method, path, status string }{
			{"GET", at, "running"}, {"POST", at + "/pause", "paused"}, {"POST", at + "/resume", "running"},
		} {
			got := a.fetch(call.method, call.path, "", key)
			if v := a.Resource(id); got.Status != http.StatusOK || v.Status != call.status {
				t.Errorf("%s: %d %s: it is %s", call.path, got.Status, got.Body, v.Status)
			}
		}
		more := fmt.Sprintf(`{"resource":%q,"time_ms":3600000}`, id)
		if got := a.fetch("POST", "/v1/buy", more, key); got.Status != http.StatusPaymentRequired || got.Paid {
			t.Errorf("with credentials it pays for more: %+v", got)
		}
		before := a.Resource(id)
		got := a.fetch("POST", "/v1/buy", more)
		if paid, _ := a.counted(); got.Status != http.StatusOK || !got.Paid || paid != 2 {
			t.Errorf("without it paid %d times, and got %+v", paid, got)
		}
		if d := a.Resource(id).PaidUntil.Sub(before.PaidUntil); d != instant.Hour {
			t.Errorf("its end moved by %s", d.Std())
		}
		if got := a.status("POST", at+"/payments", `{"time_ms":3600000}`, a.authorization(key)); got != http.StatusCreated {
			t.Errorf("an invoice for its holder: %d", got)
		}
	}
}

// TestOneCredentialAtOnce: requests with one credential at once are all answered with the one thing that it bought.
func TestOneCredentialAtOnce(t *testing.T) {
	a := newAgent(t)
	a.meets(way{after: a.Kill})
	f := a.fetch("POST", "/v1/buy", twoHours)
	a.Start()
	a.WaitReady(t.Context())
	authorization := a.authorization(f.Credentials)
	got := make([]wire.Order, 8)
	var g errgroup.Group
	for i := range got {
		g.Go(func() error {
			res, err := a.send("POST", "/v1/buy", twoHours, authorization, &got[i])
			if err == nil && res.StatusCode != http.StatusOK {
				err = fmt.Errorf("request %d: %s", i, res.Status)
			}
			return err
		})
	}
	a.Must(g.Wait())
	for _, o := range got {
		if o.HolderKey != got[0].HolderKey || o.Resource.ID != got[0].Resource.ID || o.Resource.Credited != 7_200_000 {
			t.Errorf("%+v, and another %+v", o, got[0])
		}
	}
	paid, _ := a.counted()
	if all, err := a.Client().Resources(t.Context(), "", 0, client.Filter{}); err != nil || len(all.Resources) != 1 || paid != 1 {
		t.Errorf("there are %+v, paid %d times, %v", all, paid, err)
	}
}

// TestPaidBeforeItIsSeen: what is paid, and which a wallet that does not answer has not told of, is waited for
// and not asked for again.
func TestPaidBeforeItIsSeen(t *testing.T) {
	a := newAgent(t)
	a.meets(way{before: a.Kill, after: func() {
		a.Must(a.Net.Alice.Freeze())
		a.Start()
		a.Daemon.Until(t.Context(), "it answers", func() error { _, err := a.Client().Ready(t.Context()); return err })
	}})
	defer func() { a.Must(a.Net.Alice.Thaw()) }()
	f := a.fetch("POST", "/v1/buy", twoHours)
	if f.Status != http.StatusServiceUnavailable || f.RetryAfter == "" || !f.Paid {
		t.Fatalf("%+v\n%s", f, a.Log())
	}
	a.Must(a.Net.Alice.Thaw())
	a.WaitReady(t.Context())
	o := a.bought(a.fetch("POST", "/v1/buy", twoHours, f.Credentials))
	if paid, demanded := a.counted(); o.Resource.Credited != 7_200_000 || paid != 1 || demanded != 1 {
		t.Errorf("%d payments, %d demands: %+v", paid, demanded, o)
	}
}

// TestNarrowedByAnother library a credential does what it was narrowed to, and no more. That library can add one
// caveat to ours: for two it takes more memory than there is.
func TestNarrowedByAnother(t *testing.T) {
	a := newAgent(t)
	f := a.fetch("POST", "/v1/buy", twoHours)
	id := a.bought(f).Resource.ID
	token, preimage, _ := strings.Cut(strings.TrimPrefix(a.authorization(f.Credentials), "L402 "), ":")
	narrowed := func(caveats ...string) string {
		var got struct{ Token string }
		a.run("macaroon.mjs", &got, append([]string{token}, caveats...)...)
		return "L402 " + got.Token + ":" + preimage
	}
	at, can := "/v1/resources/"+id, id+"_capabilities="
	until := func(d time.Duration) string { return fmt.Sprintf("%s_valid_until=%d", id, time.Now().Add(d).Unix()) }
	more := fmt.Sprintf(`{"resource":%q,"time_ms":3600000}`, id)
	const soon = http.StatusTooManyRequests // it was paused and resumed within the minute
	for _, tc := range []struct {
		name, authorization             string
		sees, uses, pauses, buys, tells int
	}{
		{"not narrowed", narrowed(), 200, 200, 200, 402, 200},
		{"for another's service", narrowed("other_capabilities=nothing"), 200, 200, soon, 402, 200},
		{"to look", narrowed(can + "status"), 200, 401, 401, 401, 200},
		{"to use", narrowed(can + "use"), 401, 200, 401, 401, 401},
		{"to top up", narrowed(can + "topup"), 401, 401, 401, 402, 401},
		{"for an hour", narrowed(until(time.Hour)), 200, 200, soon, 402, 200},
		{"until an hour ago", narrowed(until(-time.Hour)), 401, 401, 401, 401, 401},
	} {
		got := [...]int{
			a.status("GET", at+"/history", "", tc.authorization),
			a.gate(id, tc.authorization),
			a.status("POST", at+"/pause", "", tc.authorization),
			a.status("POST", "/v1/buy", more, tc.authorization),
			a.status("POST", "/v1/buy", twoHours, tc.authorization),
		}
		if want := [...]int{tc.sees, tc.uses, tc.pauses, tc.buys, tc.tells}; got != want {
			t.Errorf("narrowed %s: %v, want %v", tc.name, got, want)
		}
		if tc.pauses == 200 {
			a.status("POST", at+"/resume", "", a.authorization(f.Credentials))
		}
		if tc.tells == 200 {
			var o wire.Order
			_, err := a.send("POST", "/v1/buy", twoHours, tc.authorization, &o)
			a.Must(err)
			if whole := tc.buys == 402 && !strings.Contains(tc.name, "hour"); (o.HolderKey != "") != whole {
				t.Errorf("narrowed %s it is told the holder key %q", tc.name, o.HolderKey)
			}
		}
	}
}

// gate asks as a proxy does.
func (a *agent) gate(id, authorization string) int {
	a.t.Helper()
	req, err := http.NewRequestWithContext(a.t.Context(), "GET", a.URL+"/v1/auth?time_ms=3600000&resource="+id, nil)
	a.Must(err)
	req.Header.Set("Authorization", authorization)
	res, err := http.DefaultClient.Do(req)
	a.Must(err)
	a.Must(res.Body.Close())
	return res.StatusCode
}
