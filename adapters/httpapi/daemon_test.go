package httpapi_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"sandglass/adapters/httpapi"
	"sandglass/adapters/httpapi/wire"
	"sandglass/domain/instant"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
)

func TestWhatItIs(t *testing.T) {
	got := open(t, nil).send("GET", "/", "")
	var about wire.About
	if err := json.Unmarshal([]byte(got.body), &about); err != nil || got.status != 200 || about.Name != "sandglass" ||
		about.Version != "test" || about.OpenAPI != "/openapi.json" {
		t.Errorf("%d %s %v", got.status, got.body, err)
	}
}

func TestReadiness(t *testing.T) {
	wallet := wire.Component{Name: "wallet", State: "locked", Advice: "unlock it"}
	s := build(t, func(o *httpapi.Options) {
		wallet.Since = o.Now()
		o.Components = func() []wire.Component { return []wire.Component{wallet} }
	})
	ask := func() (r wire.Ready, status int) {
		t.Helper()
		req, _ := http.NewRequest("GET", "/readyz", nil)
		req.Header.Set("Authorization", "Bearer "+auditorToken)
		w := newRecorder()
		s.server.Handler().ServeHTTP(w, req)
		s.must(json.Unmarshal(w.body.Bytes(), &r))
		return r, w.status
	}
	s.clock.Advance(2 * instant.Minute)
	r, status := ask()
	if status != 503 || r.Ready || len(r.Components) != 2 || r.Components[0].State != "folding" ||
		r.Components[1].Age != 2*instant.Minute || r.Components[1].Advice != "unlock it" {
		t.Errorf("at first: %d %+v", status, r)
	}
	s.fold()
	if r, status = ask(); status != 503 || !r.Components[0].Ready || r.Components[1].Ready {
		t.Errorf("folded: %d %+v", status, r)
	}
	wallet.Ready = true
	if r, status = ask(); status != 200 || !r.Ready {
		t.Errorf("ready: %d %+v", status, r)
	}
}

// TestStrangersAreToldWhetherItIsReady and nothing besides: not where nodes are, not how much
// the log grows.
func TestStrangersAreToldWhetherItIsReady(t *testing.T) {
	const node = "dial tcp 10.7.0.3:10009"
	wallet := wire.Component{Name: "wallet", State: "connecting", Advice: node, Since: 1}
	s := open(t, func(o *httpapi.Options) {
		o.Components = func() []wire.Component { return []wire.Component{wallet} }
	})
	holder := s.running("web-1").HolderKey
	for name, headers := range map[string][]string{
		"nobody": nil, "a holder": {bearer(holder)}, "a wrong token": {bearer("not-one-of-the-daemon's")},
	} {
		got := s.send("GET", "/readyz", "", headers...)
		want := `{"ready":false,"components":[{"name":"views","ready":true},{"name":"wallet","ready":false}]}`
		if got.status != 503 || strings.TrimSpace(got.body) != want {
			t.Errorf("%s is told %d %s", name, got.status, got.body)
		}
	}
	for _, token := range []string{auditorToken, operatorToken} {
		if got := s.send("GET", "/readyz", "", bearer(token)); got.status != 503 || !strings.Contains(got.body, node) {
			t.Errorf("who operates it is told %d %s", got.status, got.body)
		}
	}
	wallet.Ready = true
	if got := s.send("GET", "/readyz", ""); got.status != 200 || !strings.HasPrefix(got.body, `{"ready":true,"components"`) {
		t.Errorf("ready: %d %s", got.status, got.body)
	}
}

func TestMetricsKeepToPrometheusRules(t *testing.T) {
	s := open(t, nil)
	s.running("web-1")
	s.order("web-2")
	s.send("BREW", "/v1/plans", "")
	s.send("GET", "/v1/secret-path", "")
	page := s.send("GET", "/metrics", "", bearer(auditorToken)).body
	for _, line := range []string{
		`sandglass_resources{status="running"} 1`,
		`sandglass_resources{status="awaiting"} 0`,
		`sandglass_invoices_open{of="orders"} 1`,
		`sandglass_invoices_open{of="resources"} 0`,
		`sandglass_resources{status="released"} 0`,
		`sandglass_http_requests_total{code="201",method="POST",route="/v1/orders"} 2`,
		`sandglass_http_requests_total{code="405",method="other",route="none"} 1`,
		`sandglass_http_requests_total{code="404",method="GET",route="none"} 1`,
		`sandglass_live_streams 0`,
		`sandglass_http_connections_refused_total 0`,
		`sandglass_http_request_duration_seconds_count{method="POST",route="/v1/orders"} 2`,
	} {
		if !strings.Contains(page, line+"\n") {
			t.Errorf("no line %s in\n%s", line, page)
		}
	}
	if strings.Contains(page, "secret") || strings.Contains(page, "web-1") {
		t.Errorf("what clients ask for makes the metrics grow:\n%s", page)
	}
	problems, err := promlint.New(bytes.NewReader([]byte(page))).Lint()
	if err != nil || len(problems) > 0 {
		t.Errorf("%v %v", problems, err)
	}
}

func TestMetricsOfTheirOwnListenerNeedNoToken(t *testing.T) {
	s := open(t, func(o *httpapi.Options) {
		o.Components = func() []wire.Component { return []wire.Component{{Name: "wallet", State: "locked"}} }
	})
	if r := s.send("GET", "/metrics", ""); r.status != 401 || strings.Contains(r.body, "sandglass_") {
		t.Errorf("where the rest is: %d %s", r.status, r.body)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	s.must(err)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- s.server.RunMetrics(ctx, l) }()
	url := "http://" + l.Addr().String()
	r := sendTo(t, url, "GET", "/metrics", http.NoBody)
	if r.status != 200 || !strings.Contains(r.body, `sandglass_resources{status="running"} 0`) {
		t.Errorf("there: %d %s", r.status, r.body)
	}
	if r := sendTo(t, url, "GET", "/readyz", http.NoBody); r.status != 503 || !strings.Contains(r.body, `"state":"locked"`) {
		t.Errorf("/readyz, there: %d %s", r.status, r.body)
	}
	for _, path := range []string{"/", "/v1/plans", "/v1/events", "/openapi.json"} {
		if r := sendTo(t, url, "GET", path, http.NoBody); r.status != 404 {
			t.Errorf("GET %s, there: %d %s", path, r.status, r.body)
		}
	}
	stop()
	s.must(<-ended)
}

func TestTheLogHoldsNoSecrets(t *testing.T) {
	s := open(t, nil)
	o := s.running("web-1")
	_, err := s.client(o.HolderKey).Pause(t.Context(), "web-1")
	s.must(err)
	s.send("GET", "/v1/quotes?plan=a-secret-plan&token=a-secret-query", "", "X-Forwarded-For: 203.0.113.9")
	s.send("POST", "/v1/resources/web-1/pause", "", bearer("a-secret-guess"))
	s.send("GET", "/v1/events", "", bearer(auditorToken))
	s.wallet.panic = true
	s.send("POST", "/v1/orders", `{"plan":"small","time_ms":3600000}`, "Idempotency-Key: a-secret-idempotency-key")
	s.end()
	log := s.log.String()
	for _, secret := range []string{
		o.HolderKey, key, operatorToken, auditorToken, "a-secret", "127.0.0.1", "203.0.113.9", "Bearer", o.Payment.Request,
	} {
		if strings.Contains(log, secret) {
			t.Errorf("the log holds %q:\n%s", secret, log)
		}
	}
	line := regexp.MustCompile(`^\{"level":"(debug|info|error)",("code":"\w+",)?"request_id":"[0-9a-f-]{36}",` +
		`"method":"(GET|POST)","route":"/v1/[a-z/{}]+","status":\d+,"bytes":\d+,"duration_ms":\d+,` +
		`("error":".*",)?"message":"request"\}$`)
	lines := strings.Split(strings.TrimSpace(log), "\n")
	for _, l := range lines {
		if !line.MatchString(l) {
			t.Errorf("a line unlike the others: %s", l)
		}
	}
	if len(lines) != 6 {
		t.Errorf("%d lines of 6 requests", len(lines))
	}
}

func TestRequestsHaveIds(t *testing.T) {
	s := open(t, nil)
	for id, kept := range map[string]bool{
		"abc-123":               true,
		strings.Repeat("a", 64): true,
		strings.Repeat("a", 65): false,
		"a b":                   false,
		"a\"b":                  false,
		"":                      false,
		"ü":                     false,
	} {
		got := s.send("GET", "/v1/plans", "", "X-Request-Id: "+id).header.Get("X-Request-Id")
		if (got == id) != kept || !kept && len(got) != 36 {
			t.Errorf("%q became %q", id, got)
		}
	}
	o := s.running("web-1")
	s.send("POST", "/v1/resources/web-1/pause", "", "X-Request-Id: my-pause", "Authorization: Bearer "+o.HolderKey)
	records := s.records(0)
	if m, err := records[len(records)-1].Metadata(); err != nil || m.Correlation != "my-pause" || m.Actor != "holder" {
		t.Errorf("recorded: %+v, %v", m, err)
	}
}

func TestAnswersAreNotKept(t *testing.T) {
	s := open(t, nil)
	for _, path := range []string{"/v1/plans", "/nothing", "/healthz"} {
		if h := s.send("GET", path, "").header; h.Get("Cache-Control") != "no-store" || h.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("GET %s: %v", path, h)
		}
	}
}

func TestWhatAServerNeeds(t *testing.T) {
	if _, err := httpapi.New(httpapi.Options{}); err == nil {
		t.Error("a server of nothing")
	}
	r := prometheus.NewRegistry()
	build(t, func(o *httpapi.Options) { o.Registry = r })
	s := build(t, nil)
	_, err := httpapi.New(httpapi.Options{Billing: s.billing, Views: s.views, Store: s.store, Now: s.clock.Now, Registry: r})
	if err == nil {
		t.Error("two servers with one registry")
	}
}
