package httpapi_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"sandglass/adapters/httpapi"
	"sandglass/adapters/httpapi/wire"
)

// TestWhatLeavesTheHouseNamesThePublicURL: a proxy puts a path before those of the API, and
// takes it off again. Every link leads back to it.
func TestWhatLeavesTheHouseNamesThePublicURL(t *testing.T) {
	const public = "https://example.org/pay"
	s := open(t, func(o *httpapi.Options) { o.PublicURL = public })
	follow := func(link string) reply {
		t.Helper()
		path, ok := strings.CutPrefix(link, public)
		if !ok {
			t.Errorf("the link %q leads elsewhere", link)
		}
		return s.send("GET", path, "")
	}
	const order = `{"plan":"small","time_ms":7200000,"id":"web-1"}`
	for _, status := range []int{201, 200} {
		r := s.send("POST", "/v1/orders", order, "Content-Type: application/json", "Idempotency-Key: "+key)
		if r.status != status || follow(r.header.Get("Location")).status != 200 {
			t.Errorf("an order: %d %v", r.status, r.header)
		}
	}
	r := s.send("POST", "/v1/resources/web-1/payments", `{"time_ms":3600000}`, "Content-Type: application/json")
	if got := follow(r.header.Get("Location")); r.status != 201 || got.body != r.body {
		t.Errorf("an invoice: %d %s\nwhere it is: %s", r.status, r.body, got.body)
	}
	var about wire.About
	s.must(json.Unmarshal([]byte(s.send("GET", "/", "").body), &about))
	var document struct{ Servers []struct{ URL string } }
	s.must(json.Unmarshal([]byte(follow(about.OpenAPI).body), &document))
	if len(document.Servers) != 1 || document.Servers[0].URL != public || !strings.Contains(about.Description, public+"/v1/plans") {
		t.Errorf("%+v, %+v", document, about)
	}
	req, _ := http.NewRequest("GET", "//v1/../v1/plans", nil)
	req.URL.Path, req.URL.Host = "/v1/../v1/plans", ""
	w := newRecorder()
	s.server.Handler().ServeHTTP(w, req)
	if got := follow(w.Header().Get("Location")); got.status != 200 || strings.Contains(w.body.String(), "href") {
		t.Errorf("a path that is written in another way: %d %v %s", w.status, w.Header(), w.body.String())
	}
}
