package client_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"sandglass/adapters/httpapi/client"
	"sandglass/adapters/httpapi/wire"
	"sandglass/domain/instant"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// against returns a client of a server that answers as told. What the client does with
// the real server, the tests of httpapi see.
func against(t *testing.T, answer func(http.ResponseWriter, *http.Request)) *client.Client {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(answer))
	t.Cleanup(s.Close)
	c, err := client.New(s.URL+"/", "a-token")
	if err != nil {
		t.Fatal(err)
	}
	return c.Over(s.Client())
}

func TestURLs(t *testing.T) {
	for _, base := range []string{"", "127.0.0.1:8420", "/var/run", "ftp://x", "http://", "http://\x00"} {
		if _, err := client.New(base, ""); err == nil || !strings.Contains(err.Error(), "http://127.0.0.1:8420") {
			t.Errorf("%q: %v", base, err)
		}
	}
}

func TestProblems(t *testing.T) {
	for name, test := range map[string]struct {
		status      int
		kind, body  string
		text, code  string
		retryHeader string
		retry       time.Duration
	}{
		"a problem": {
			404, "application/problem+json",
			`{"detail":"no plan \"x\": GET /v1/plans","code":"unknown_plan","status":1}`, `no plan "x": GET /v1/plans`,
			"unknown_plan", "", 0,
		},
		"an internal error": {
			500, "application/problem+json", `{"detail":"internal error","code":"internal_error","request_id":"r-1"}`,
			"internal error (request r-1)", "internal_error", "", 0,
		},
		"one to try again": {
			503, "application/problem+json; charset=utf-8", `{"detail":"starting","code":"starting"}`, "starting",
			"starting", "7", 7 * time.Second,
		},
		"a proxy's page": {502, "text/html", `<h1>Bad Gateway</h1>`, "the server answered 502 Bad Gateway", "", "soon", 0},
		"a problem, cut off": {
			503, "application/problem+json", `{"detail":"sta`, "the server answered 503 Service Unavailable", "", "", 0,
		},
	} {
		c := against(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", test.kind)
			w.Header().Set("Retry-After", test.retryHeader)
			w.WriteHeader(test.status)
			io.WriteString(w, test.body)
		})
		_, err := c.Resource(t.Context(), "web-1")
		p, ok := errors.AsType[*client.Problem](err)
		if !ok || p.Error() != test.text || client.Code(err) != test.code || p.RetryAfter != test.retry || p.Status != test.status {
			t.Errorf("%s: %#v", name, err)
		}
	}
	if client.Code(io.EOF) != "" {
		t.Error("an error of the network has a code")
	}
}

func TestWhatIsSent(t *testing.T) {
	var got []string
	c := against(t, func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		h := r.Header
		got = append(got, strings.Join([]string{
			r.Method, r.RequestURI, h.Get("Authorization"), h.Get("Idempotency-Key"), h.Get("Content-Type"), string(b),
		}, " "))
		io.WriteString(w, `{}`)
	})
	ctx := t.Context()
	_, _ = c.Resource(ctx, "a/b?c")
	_, _ = c.As("other").Order(ctx, wire.OrderRequest{Plan: "p", Time: 5}, "k")
	_, _ = c.As("").Quote(ctx, "p&q", 0, 7)
	_, _ = c.Resources(ctx, "", 0, client.Filter{})
	for i, want := range []string{
		"GET /v1/resources/a%2Fb%3Fc Bearer a-token   ",
		`POST /v1/orders Bearer other k application/json {"plan":"p","time_ms":5}`,
		"GET /v1/quotes?amount_msat=7&plan=p%26q    ",
		"GET /v1/resources? Bearer a-token   ",
	} {
		if got[i] != want {
			t.Errorf("%q, want %q", got[i], want)
		}
	}
}

func TestStreams(t *testing.T) {
	for name, test := range map[string]struct {
		body string
		ids  string
		ends error // nil: without an error
	}{
		"the end of a life": {
			"retry: 1\nid: 7\nevent: resource\ndata: {\"id\":\"a\",\"status\":\"running\"}\n\n" +
				": alive\n\n" +
				"event: resource\ndata:{\"id\":\"b\",\ndata:\"status\":\"released\"}\n\n",
			"a b", nil,
		},
		"a stream that ends": {"event: resource\ndata: {\"id\":\"a\",\"status\":\"running\"}\n\n", "a", io.ErrUnexpectedEOF},
		"an event cut off":   {"event: resource\ndata: {\"id\":\"a\"}\n", "", io.ErrUnexpectedEOF},
		"events of other names": {
			"data: {\"id\":\"a\"}\n\n" +
				"event: news\ndata: x\n\n" +
				"event: resource\ndata: {\"id\":\"c\",\"status\":\"released\"}\n\n",
			"c", nil,
		},
		"nothing": {"", "", io.ErrUnexpectedEOF},
	} {
		c := against(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, test.body) })
		var ids []string
		var last error
		for r, err := range c.Live(t.Context(), "x") {
			if last = err; err == nil {
				ids = append(ids, r.ID)
			}
		}
		if strings.Join(ids, " ") != test.ids || !errors.Is(last, test.ends) || test.ends == nil && last != nil {
			t.Errorf("%s: %v, %v", name, ids, last)
		}
	}
}

func TestStreamsThatAreNoJSON(t *testing.T) {
	c := against(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "event: resource\ndata: {\n\n") })
	n := 0
	for _, err := range c.Live(t.Context(), "x") {
		if n++; err == nil {
			t.Error("no error")
		}
	}
	for _, err := range c.Events(t.Context(), 0, false) {
		if n++; err == nil {
			t.Error("no error")
		}
	}
	if n != 2 {
		t.Errorf("%d ends of two streams", n)
	}
}

func TestAStreamEndsWithItsContext(t *testing.T) {
	c := against(t, func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "{\"position\":1}\n")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var last error
	for e, err := range c.Events(ctx, 0, true) {
		if last = err; e.Position == 1 {
			stop()
		}
	}
	if !errors.Is(last, context.Canceled) {
		t.Errorf("%v", last)
	}
}

// A cluster whose clock went back shows that to who begins anew after it: a reader of the log never sees it.
func TestRecordedTimesNeverGoBack(t *testing.T) {
	c := against(t, func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, `{"position":1,"recorded_at":"2026-01-02T03:04:05.678Z"}`+"\n"+
			`{"position":2,"recorded_at":"2026-01-02T03:04:05.677Z"}`+"\n")
	})
	var last instant.Time
	for e, err := range c.Events(t.Context(), 0, false) {
		if err != nil || e.RecordedAt < last || e.RecordedAt == 0 {
			t.Errorf("position %d was recorded at %s, after %s: %v", e.Position, e.RecordedAt, last, err)
		}
		last = e.RecordedAt
	}
}

func TestReadyIsNoError(t *testing.T) {
	c := against(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusServiceUnavailable)
		io.WriteString(w, `{"ready":false,"components":[{"name":"wallet","state":"locked"}]}`)
	})
	if r, err := c.Ready(t.Context()); err != nil || r.Ready || r.Components[0].State != "locked" {
		t.Errorf("%+v, %v", r, err)
	}
	c = against(t, func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusNotFound) })
	if _, err := c.Ready(t.Context()); err == nil {
		t.Error("no error")
	}
}
