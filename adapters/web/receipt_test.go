package web_test

import (
	"regexp"
	"strings"
	"testing"

	"sandglass/adapters/httpapi/wire"
	"sandglass/domain/instant"
)

const paidKey = "ln-00ff"

// receiptOf returns the receipt of a payment as its page shows it: what stands in it, without tags.
func receiptOf(t *testing.T, lang string, p wire.Payment, left instant.Millis, changes ...wire.Change) string {
	t.Helper()
	p.Resource = "web-1"
	r := wire.Resource{
		ID: "web-1", Plan: "small", Status: "running", At: at(t, "2026-01-02T15:04:05.678Z"),
		Lots: []wire.Lot{{Payment: "ln-other", Left: 5}, {Payment: p.Key, Left: left, Held: 43_200_000}},
	}
	got := canned{
		"/v1/payments/" + p.Key + "?resource=web-1":    p,
		"/v1/resources/web-1":                          r,
		"/v1/resources/web-1/history?payment=" + p.Key: wire.History{Changes: changes},
	}.ask(t, shopURL, lang, "/p/"+p.Key+"?resource=web-1")
	if got.Code != 200 {
		t.Fatalf("%d: %s", got.Code, got.Body)
	}
	_, body, _ := strings.Cut(got.Body.String(), "<article")
	body, _, _ = strings.Cut(body, "</article>")
	body = regexp.MustCompile(`<[^>]*>`).ReplaceAllString(body, " ")
	return strings.Join(strings.Fields(strings.ReplaceAll(body, "\u202f", "_")), " ")
}

func TestReceipts(t *testing.T) {
	when := at(t, "2026-01-02T03:04:05.678Z")
	hourly := &wire.Price{Msat: 3_600_000, Per: instant.Hour}
	paid := wire.Payment{Key: paidKey, Status: "credited", Amount: 86_400_000, SettledAt: when, Via: "bolt11"}
	credit := wire.Change{What: "credited", At: when, Payment: paidKey, Amount: 86_400_000, Time: instant.Day, Price: hourly}
	whole := receiptOf(t, "", paid, 12*instant.Hour, credit)
	for _, want := range []string{
		"Ann &amp; Sons Receipt Paid 86_400_sat On 2 January 2026, 03:04 UTC By Lightning For web-1 (small) Bought 1 day " +
			"At the price of 3_600_sat an hour Left of it 12 hours (43_200_sat) Payment ln-00ff " +
			"As it stands on 2 January 2026, 15:04 UTC .",
	} {
		if !strings.HasSuffix(whole, want) {
			t.Errorf("got  %s\nwant %s", whole, want)
		}
	}
	if got := receiptOf(t, "de", paid, instant.Hour, credit); !strings.Contains(got, "Quittung Bezahlt 86_400_sat Am 2. Januar") {
		t.Errorf("in German: %s", got)
	}

	more := credit
	more.DebtPaid, more.Above, more.AbovePrice = 400_000, 7_200_000, &wire.Price{Msat: 7_200_000, Per: instant.Hour}
	if got := receiptOf(t, "", paid, 0, more); !strings.Contains(got, "an hour Of it above the invoice "+
		"7_200_sat at 7_200_sat an hour Of it for a debt 400_sat Left of it 0 seconds (") {
		t.Errorf("with more: %s", got)
	}

	vout := uint32(1)
	chain := wire.Payment{
		Key: "btc-ab-1", Status: "reorged", Amount: 1000, SettledAt: when, Via: "onchain", TxID: "ab", Vout: &vout, Height: 800,
	}
	back := wire.Change{What: "reversed", At: when.Add(instant.Day), Payment: chain.Key}
	got := receiptOf(t, "", chain, 0, credit, back)
	for _, want := range []string{
		"taken back by the network on 3 January 2026", "By Bitcoin, without Lightning", "Transaction ab Output 1 Block 800",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q of what was taken back: %s", want, got)
		}
	}
	if got := receiptOf(t, "", chain, 0, credit, back, credit); strings.Contains(got, "taken back") {
		t.Errorf("it came back again: %s", got)
	}
	open := wire.Payment{Key: paidKey, Status: "requested", Asked: 5000}
	if got := receiptOf(t, "", open, 0); !strings.Contains(got, "not a receipt yet") || !strings.Contains(got, "To pay 5_sat") ||
		strings.Contains(got, "Bought") || strings.Contains(got, "As it stands") {
		t.Errorf("what nobody paid: %s", got)
	}
}

// TestAReceiptIsForWhoKnowsTheResource: its address has both ids, which the API holds together.
func TestAReceiptIsForWhoKnowsTheResource(t *testing.T) {
	api := canned{"/v1/payments/ln-00ff?resource=": wire.Payment{Key: paidKey, Amount: 5}, "/v1/payments/ln-00ff": wire.Payment{}}
	for _, path := range []string{
		"/p/ln-00ff", "/p/ln-00ff?resource=", "/p/ln-00ff?resource=web-2", "/p/%2e%2e%2fr?resource=web-1",
	} {
		if got := api.ask(t, shopURL, "", path); got.Code != 404 || strings.Contains(got.Body.String(), "<article") {
			t.Errorf("%s: %d %s", path, got.Code, got.Body)
		}
	}
}

// TestAReceiptIsAFileToKeep: the page of what was decided leads to it, and it is the API's to the byte.
func TestAReceiptIsAFileToKeep(t *testing.T) {
	const text = "c2sp.org/tlog-proof@v1\nextra AAAA\n"
	api := canned{"/v1/payments/ln-00ff/receipt?resource=web-1": raw(text)}
	got := api.ask(t, shopURL, "", "/p/ln-00ff/receipt?resource=web-1")
	if h := got.Header(); got.Code != 200 || got.Body.String() != text || h.Get("Content-Type") != "text/plain; charset=utf-8" ||
		h.Get("Content-Disposition") != "attachment; filename=receipt-ln-00ff.txt" {
		t.Errorf("%d %v %s", got.Code, h, got.Body)
	}
	late := canned{"/v1/payments/ln-00ff/receipt?resource=web-1": wire.Problem{Status: 503, Code: "not_signed_yet"}}
	got = late.ask(t, shopURL, "", "/p/ln-00ff/receipt?resource=web-1")
	if got.Code != 503 || !strings.Contains(got.Body.String(), "not signed yet") || got.Header().Get("Content-Disposition") != "" {
		t.Errorf("%d %v %s", got.Code, got.Header(), got.Body)
	}
	if got := api.ask(t, shopURL, "", "/p/ln-00ff/receipt"); got.Code != 404 {
		t.Errorf("without its resource: %d", got.Code)
	}
	for status, leads := range map[string]bool{"requested": false, "unallocated": true} {
		page := canned{
			"/v1/payments/ln-00ff?resource=web-1":         wire.Payment{Key: paidKey, Status: status},
			"/v1/resources/web-1":                         wire.Resource{ID: "web-1", Plan: "small"},
			"/v1/resources/web-1/history?payment=ln-00ff": wire.History{},
		}.ask(t, shopURL, "", "/p/ln-00ff?resource=web-1")
		if got := strings.Contains(page.Body.String(), `"/pay/p/ln-00ff/receipt?resource=web-1"`); page.Code != 200 || got != leads {
			t.Errorf("of what is %s, it leads there: %t (%d)\n%s", status, got, page.Code, page.Body)
		}
	}
}
