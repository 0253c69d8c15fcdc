package web_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"sandglass/adapters/httpapi/wire"
	"sandglass/domain/instant"
)

// TestWhatAPageSaysOfAState holds what a page says, and what it does not, of how its resource is.
func TestWhatAPageSaysOfAState(t *testing.T) {
	lot := wire.Lot{Payment: paidKey, Amount: 3_600_000, Time: instant.Hour, Left: instant.Hour / 2}
	spent := lot
	spent.Left = 0
	credited := wire.Payment{Key: paidKey, Status: "credited", Resource: "web-1", Amount: 3_600_000}
	for _, test := range []struct {
		name      string
		of        wire.Resource
		pay       any // what the API says of the payment in the address
		status    int
		says, not []string
	}{
		{
			"it was just paid", wire.Resource{Status: "running", Lots: []wire.Lot{lot}}, credited, 200,
			[]string{"Paid. Thank you!", `id="holder" open>`, "Uses an hour", "An application server"}, nil,
		},
		{
			"it was paid before, and is used up", wire.Resource{Status: "suspended", Lots: []wire.Lot{spent}}, credited, 200,
			[]string{"Stopped"}, []string{"Thank you", `id="holder" open>`, "Uses an hour"},
		},
		{
			"it is paused", wire.Resource{Status: "paused", Lots: []wire.Lot{lot}}, nil, 200,
			[]string{"stands still"}, []string{"Uses an hour"},
		},
		{
			"it is ended", wire.Resource{Status: "released", Lots: []wire.Lot{lot, spent}}, nil, 200,
			[]string{"Its payments", "1 hour"}, []string{" left</", "What is left", "Used up", "<progress"},
		},
		{
			"it is deleted at an instant", wire.Resource{Status: "suspended", ReleaseAt: instant.Time(instant.Day)}, nil, 200,
			[]string{
				`Top up by <span class="when"><time datetime="1970-01-02T00:00:00.000Z" data-local></time> ` +
					`<span class="utc">2 January 1970, 00:00 UTC</span></span>, and it runs`,
			}, nil,
		},
		{
			"the payment is of nothing here", wire.Resource{Status: "running"},
			wire.Problem{Status: 404, Code: "unknown_payment"}, 200, []string{"Running"}, nil,
		},
		{
			"nothing is known of it just now", wire.Resource{Status: "running"},
			wire.Problem{Status: 503, Code: "starting"}, 503, []string{"just been started"}, nil,
		},
	} {
		test.of.ID, test.of.Plan = "web-1", "small"
		api := canned{"/v1/resources/web-1": test.of, "/v1/plans/small": wire.Plan{Name: "small", Title: "An application server"}}
		path := "/r/web-1"
		if test.pay != nil {
			api["/v1/payments/"+paidKey+"?resource=web-1"] = test.pay
			path += "?pay=" + paidKey
		}
		got := api.ask(t, shopURL, "", path)
		if got.Code != test.status {
			t.Errorf("%s: %d", test.name, got.Code)
		}
		for _, text := range test.says {
			if !strings.Contains(got.Body.String(), text) {
				t.Errorf("%s: it does not say %q: %s", test.name, text, got.Body)
			}
		}
		for _, text := range test.not {
			if strings.Contains(got.Body.String(), text) {
				t.Errorf("%s: it says %q: %s", test.name, text, got.Body)
			}
		}
	}
}

// TestWhatCameToNothing is told by the pages of its order, which there is not any more.
func TestWhatCameToNothing(t *testing.T) {
	for status, says := range map[string]string{
		"canceled": "was canceled: what was paid went back", "expired": "Nobody paid this in time",
		"credited": "There is nothing by this name",
	} {
		p := wire.Payment{Key: paidKey, Status: status}
		api := canned{"/v1/payments/" + paidKey: p, "/v1/payments/" + paidKey + "?resource=web-1": p}
		for _, path := range []string{"/r/web-1?pay=" + paidKey, "/p/" + paidKey + "?resource=web-1"} {
			got := api.ask(t, shopURL, "", path)
			if gone := got.Code == http.StatusGone; gone != (status != "credited") || !strings.Contains(got.Body.String(), says) {
				t.Errorf("%s, %s: %d %s", path, status, got.Code, got.Body)
			}
		}
	}
}

// TestFeedsAreCached by whoever looks at them again: what has not changed is not sent.
func TestFeedsAreCached(t *testing.T) {
	r, changes := life(t)
	api := canned{"/v1/resources/web-1": r, "/v1/resources/web-1/history?payment=": wire.History{Changes: changes}}
	for _, path := range []string{"/r/web-1.atom", "/r/web-1.ics"} {
		first := api.ask(t, shopURL, "", path)
		again := httptest.NewRequest("GET", path, nil)
		again.Header.Set("If-None-Match", first.Header().Get("ETag"))
		if got := ask(t, api, shopURL, "", again); first.Header().Get("ETag") == "" || got.Code != 304 || got.Body.Len() > 0 {
			t.Errorf("%s: %v; again %d %s", path, first.Header(), got.Code, got.Body)
		}
		again = httptest.NewRequest("GET", path, nil)
		again.Header.Set("If-None-Match", first.Header().Get("ETag"))
		if got := ask(t, api, shopURL, "de", again); got.Code != 200 {
			t.Errorf("%s in another language: %d", path, got.Code)
		}
	}
	before := api.ask(t, shopURL, "", "/r/web-1.ics").Header().Get("ETag")
	r.PaidUntil = r.PaidUntil.Add(instant.Hour)
	api["/v1/resources/web-1"] = r
	if now := api.ask(t, shopURL, "", "/r/web-1.ics").Header().Get("ETag"); now == before {
		t.Error("a calendar that has changed is the same to whoever has it")
	}
}
