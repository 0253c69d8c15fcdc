package httpapi_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"sandglass/adapters/httpapi"
	"sandglass/adapters/httpapi/client"
	"sandglass/adapters/httpapi/client/inprocess"
	"sandglass/adapters/httpapi/middleware"
)

// withPage mounts at the root, and at /x what takes a body, calls the API, and tells what it said.
func withPage(s **shop) func(*httpapi.Options) {
	page := func(w http.ResponseWriter, r *http.Request) {
		_, err := io.Copy(io.Discard, r.Body)
		if err != nil {
			http.Error(w, "too large", http.StatusRequestEntityTooLarge)
			return
		}
		_, err = inprocess.Client((*s).server.Handler(), r, w, r.FormValue("key")).Pause(r.Context(), r.FormValue("id"))
		_, _ = io.WriteString(w, "page "+client.Code(err))
	}
	return func(o *httpapi.Options) {
		o.TrustProxy = true
		o.Mounts = []httpapi.Mount{
			{Pattern: "GET /{$}", Handler: http.HandlerFunc(page)},
			{Pattern: "POST /x", Handler: http.HandlerFunc(page), Traits: middleware.Traits{Free: true}},
		}
	}
}

func TestARootIsSharedByCallAndPage(t *testing.T) {
	var s *shop
	s = open(t, withPage(&s))
	for accept, want := range map[string]bool{
		"":                       false,
		"*/*":                    false,
		"application/json":       false,
		"text/html;q=0, */*":     false,
		"text/html":              true,
		"text/html;q=0.9, */*":   true,
		"application/json, what": false,
		"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8": true,
	} {
		got := s.send("GET", "/", "", "Accept: "+accept)
		if page := strings.HasPrefix(got.body, "page"); got.status != 200 || page != want || got.header.Get("Vary") != "Accept" {
			t.Errorf("%q: %d %v %s", accept, got.status, got.header, got.body)
		}
	}
}

func TestAPageIsAClientOfTheAPI(t *testing.T) {
	var s *shop
	s = open(t, withPage(&s))
	key := s.running("web-1").HolderKey
	got := s.send("POST", "/x?id=web-1&key="+key, "", "X-Request-Id: of-a-page")
	if got.body != "page " || got.header.Get("X-Request-Id") != "of-a-page" {
		t.Errorf("%d %s", got.status, got.body)
	}
	if r, err := s.client("").Resource(t.Context(), "web-1"); err != nil || r.Status != "paused" {
		t.Errorf("%+v, %v", r, err)
	}
	if n := strings.Count(s.log.String(), `"request_id":"of-a-page"`); n != 2 {
		t.Errorf("%d lines name its request:\n%s", n, s.log)
	}
	if got := s.send("POST", "/x?id=web-1", ""); got.body != "page no_token" {
		t.Errorf("without a key: %s", got.body)
	}
	if got := s.send("POST", "/x", strings.Repeat("x", 64<<10+1)); got.problem.Code != "too_large" {
		t.Errorf("too large: %d %s", got.status, got.body)
	}
	long := io.MultiReader(strings.NewReader(strings.Repeat("x", 64<<10+1))) // whose length is not known
	if got := sendTo(t, s.url, "POST", "/x", long); got.status != http.StatusRequestEntityTooLarge {
		t.Errorf("too large, in chunks: %d %s", got.status, got.body)
	}
}

// TestAPageHasTheLimitsOfWhoAsked: the page itself is free, the call under it is not.
func TestAPageHasTheLimitsOfWhoAsked(t *testing.T) {
	var s *shop
	mounts := withPage(&s)
	s = open(t, func(o *httpapi.Options) {
		mounts(o)
		o.Limits.Writes = httpapi.Rate{PerSecond: 1e-6, Burst: 2}
	})
	for i, want := range []string{"unknown_resource", "unknown_resource", "rate_limited"} {
		got := s.send("POST", "/x?id=none&key=k", "", "X-Forwarded-For: 192.0.2.1")
		if got.body != "page "+want {
			t.Errorf("%d: %s", i, got.body)
		}
	}
	if got := s.send("POST", "/x?id=none&key=k", "", "X-Forwarded-For: 192.0.2.2"); got.body != "page unknown_resource" {
		t.Errorf("another client: %s", got.body)
	}
}
