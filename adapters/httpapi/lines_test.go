package httpapi_test

import (
	"net/http/httptest"
	"strings"
	"testing"

	"sandglass/adapters/httpapi"
	"sandglass/domain/instant"

	"github.com/rs/zerolog"
)

// TestStrangersDoNotFillTheLog: a journal that is full, or held to a rate, drops alarms.
func TestStrangersDoNotFillTheLog(t *testing.T) {
	s := open(t, func(o *httpapi.Options) { o.Log = o.Log.Level(zerolog.InfoLevel) })
	send := func(n int, method, path string, headers ...string) {
		for range n {
			r := httptest.NewRequest(method, path, strings.NewReader(""))
			for i := 0; i < len(headers); i += 2 {
				r.Header.Set(headers[i], headers[i+1])
			}
			s.server.Handler().ServeHTTP(httptest.NewRecorder(), r)
		}
	}
	seen := len(s.log.String())
	told := func() (list []string) {
		t.Helper()
		text := s.log.String()
		list = strings.Split(text[seen:], "\n")
		seen = len(text)
		return list[:len(list)-1]
	}
	told()
	operator := []string{"Authorization", "Bearer " + operatorToken}

	send(1000, "OPTIONS", "/v1/orders")
	send(1000, "GET", "/nothing")
	if lines := told(); len(lines) != 0 {
		t.Errorf("what changes nothing is %d lines", len(lines))
	}
	send(1000, "POST", "/v1/orders")
	send(1000, "DELETE", "/nothing")
	send(1000, "POST", "/v1/resources/web-1/pause", "Authorization", "Bearer a guess")
	if lines := told(); len(lines) != 3 {
		t.Errorf("3,000 refusals of 3 codes are %d lines: %.3q", len(lines), lines)
	}
	s.clock.Advance(instant.Minute)
	send(5, "DELETE", "/nothing")
	if lines := told(); len(lines) != 1 || !strings.Contains(lines[0], `"left_out":999`) {
		t.Errorf("a minute later: %q", lines)
	}
	send(5, "DELETE", "/nothing", operator...)
	if lines := told(); len(lines) != 5 {
		t.Errorf("5 of the operator are %d lines: %q", len(lines), lines)
	}
	s.wallet.panic = true
	order := `{"plan":"small","time_ms":3600000}`
	for range 100 {
		r := httptest.NewRequest("POST", "/v1/orders", strings.NewReader(order))
		r.Header.Set("Content-Type", "application/json")
		s.server.Handler().ServeHTTP(httptest.NewRecorder(), r)
	}
	if lines := told(); len(lines) != 10 || !strings.Contains(lines[0], "internal_error") {
		t.Errorf("100 failures of one code are %d lines: %.2q", len(lines), lines)
	}
	page := s.send("GET", "/metrics", "", bearer(operatorToken)).body
	for _, line := range []string{
		`sandglass_http_requests_total{code="404",method="DELETE",route="none"} 1010`,
		`sandglass_http_requests_total{code="500",method="POST",route="/v1/orders"} 100`,
	} {
		if !strings.Contains(page, line) {
			t.Errorf("no line %s in\n%s", line, page)
		}
	}
}
