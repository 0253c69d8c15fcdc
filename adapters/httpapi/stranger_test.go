package httpapi_test

import (
	"strings"
	"testing"

	"sandglass/adapters/httpapi/wire"
)

// TestAPaymentTellsStrangersNothingOfItsResource: a txid is public, and a payment hash is known
// to each node on the way. Whoever knows the resource is told all.
func TestAPaymentTellsStrangersNothingOfItsResource(t *testing.T) {
	s, _ := openOnChain(t)
	o := s.running("web-1")
	other := s.running("web-2")
	more, err := s.client("").Fund(t.Context(), "web-1", wire.FundRequest{Time: hour})
	s.must(err)
	s.pays(deposit, s.seen(5_000_000), s.confirmed(798))
	for _, key := range []string{string(deposit), more.Key, o.Payment.Key} {
		path := "/v1/payments/" + key
		for who, token := range map[string]string{"nobody": "", "another": other.HolderKey, "a guess": strings.Repeat("x", 40)} {
			r := s.send("GET", path, "", bearer(token))
			if r.status != 200 || !strings.Contains(r.body, `"key":"`+key+`"`) {
				t.Errorf("%s of %s: %d %s", who, key, r.status, r.body)
			}
			for _, secret := range []string{
				"web-1", "resource", "price", "payment_request", `"uri"`, "required", "expected", o.HolderKey, "lnbc",
			} {
				if strings.Contains(r.body, secret) {
					t.Errorf("%s of %s: %q in %s", who, key, secret, r.body)
				}
			}
			if key != string(deposit) && strings.Contains(r.body, theAddress) {
				t.Errorf("%s of %s: the address in %s", who, key, r.body)
			}
		}
		whole := s.send("GET", path+"?resource=web-1", "")
		if !strings.Contains(whole.body, `"resource":"web-1"`) {
			t.Errorf("who knows the resource: %s", whole.body)
		}
		for who, token := range map[string]string{"holder": o.HolderKey, "operator": operatorToken, "auditor": auditorToken} {
			if r := s.send("GET", path, "", bearer(token)); r.body != whole.body {
				t.Errorf("the %s: %s, not %s", who, r.body, whole.body)
			}
		}
		if r := s.send("GET", path+"?resource=web-2", ""); r.status != 404 || strings.Contains(r.body, "web-1") {
			t.Errorf("of another resource: %d %s", r.status, r.body)
		}
	}
}
