package httpapi_test

import (
	"net/http"
	"strings"
	"testing"

	"sandglass/adapters/httpapi"
)

const fromAPage = "Origin: https://shop.example.org"

// asksFirst is what a browser sends before a page's request that is not a plain one.
func (s *shop) asksFirst(method, path string) reply {
	return s.send("OPTIONS", path, "", fromAPage, "Access-Control-Request-Method: "+method,
		"Access-Control-Request-Headers: authorization,content-type,idempotency-key")
}

func TestPagesMayReadAndOrder(t *testing.T) {
	s := open(t, nil)
	s.running("web-1")
	for _, call := range []struct{ method, path string }{
		{"GET", "/v1/plans"},
		{"GET", "/v1/quotes?plan=small&time_ms=1"},
		{"POST", "/v1/orders"},
		{"POST", "/v1/resources/web-1/payments"},
		{"GET", "/v1/resources/web-1"},
		{"GET", "/v1/resources/web-1/live"},
		{"GET", "/v1/payments/ln-1"},
		{"POST", "/v1/resources/web-1/pause"},
		{"POST", "/v1/resources/web-1/release"},
		{"GET", "/openapi.json"},
	} {
		got := s.asksFirst(call.method, call.path)
		h := got.header
		if got.status != 204 || got.body != "" || h.Get("Access-Control-Allow-Origin") != "*" ||
			h.Get("Access-Control-Allow-Methods") != call.method || h.Get("Access-Control-Allow-Credentials") != "" ||
			h.Get("Access-Control-Max-Age") == "" {
			t.Errorf("%v: %d %v", call, got.status, h)
		}
		for _, name := range []string{"Authorization", "Content-Type", "Idempotency-Key"} {
			if !strings.Contains(h.Get("Access-Control-Allow-Headers"), name) {
				t.Errorf("%v: no %s in %v", call, name, h)
			}
		}
	}
	order := s.send("POST", "/v1/orders", `{"plan":"small","time_ms":3600000}`, fromAPage, "Idempotency-Key: "+key)
	if order.status != 201 || !readable(order.header) ||
		!strings.Contains(order.header.Get("Access-Control-Expose-Headers"), "Location") {
		t.Errorf("%d %v %s", order.status, order.header, order.body)
	}
	for _, refused := range []reply{
		s.send("GET", "/v1/resources/unknown", "", fromAPage),
		s.send("POST", "/v1/orders", "{}", fromAPage),
		s.send("POST", "/v1/resources/web-1/pause", "", fromAPage),
	} {
		if refused.problem.Code == "" || !readable(refused.header) {
			t.Errorf("a page can't read why: %d %v", refused.status, refused.header)
		}
	}
}

// TestPagesMayNotOperate: nor see what is of the operator alone, in whose browser they may be.
func TestPagesMayNotOperate(t *testing.T) {
	s := open(t, nil)
	for _, call := range []struct{ method, path string }{
		{"POST", "/v1/plans"},
		{"DELETE", "/v1/plans/small"},
		{"GET", "/v1/resources"},
		{"POST", "/v1/resources/web-1/grants"},
		{"GET", "/v1/unallocated"},
		{"GET", "/v1/events"},
		{"GET", "/v1/audit/dump"},
		{"GET", "/metrics"},
		{"GET", "/readyz"},
		{"PUT", "/v1/plans"},
	} {
		if got := s.asksFirst(call.method, call.path); got.status != 204 || readable(got.header) {
			t.Errorf("%v may be asked for: %d %v", call, got.status, got.header)
		}
		if got := s.send(call.method, call.path, "", fromAPage, bearer(operatorToken)); readable(got.header) {
			t.Errorf("%v can be read: %d %v", call, got.status, got.header)
		}
	}
}

func readable(h http.Header) bool { return h.Get("Access-Control-Allow-Origin") != "" }

func TestOptionsSaysWhatAPathTakes(t *testing.T) {
	s := open(t, nil)
	for path, allow := range map[string]string{
		"/v1/plans":       "GET, HEAD, POST, OPTIONS",
		"/v1/orders":      "POST, OPTIONS",
		"/v1/plans/small": "DELETE, GET, HEAD, OPTIONS",
		"/":               "GET, HEAD, OPTIONS",
	} {
		if got := s.send("OPTIONS", path, ""); got.status != 204 || got.header.Get("Allow") != allow || readable(got.header) {
			t.Errorf("%s: %d %v", path, got.status, got.header)
		}
	}
	if got := s.send("OPTIONS", "/v2", ""); got.status != 404 {
		t.Errorf("of no path: %d %s", got.status, got.body)
	}
}

// TestOptionsIsNoWrite: a page that orders asks first, and has its one write a second left.
func TestOptionsIsNoWrite(t *testing.T) {
	s := open(t, func(o *httpapi.Options) {
		o.Limits.Reads, o.Limits.Writes = httpapi.Rate{PerSecond: 1, Burst: 3}, httpapi.Rate{PerSecond: 0.1, Burst: 1}
	})
	for i, want := range []int{204, 204, 204, 429} {
		if got := s.asksFirst("POST", "/v1/orders"); got.status != want {
			t.Errorf("question %d: %d", i, got.status)
		}
	}
	if got := s.send("POST", "/v1/orders", `{"plan":"small","time_ms":3600000}`, fromAPage); got.status != 201 {
		t.Errorf("the order: %d %s", got.status, got.body)
	}
}
