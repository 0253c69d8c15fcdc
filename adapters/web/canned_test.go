package web_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"

	"sandglass/adapters/httpapi/wire"
	"sandglass/adapters/web"
	"sandglass/adapters/web/brand"
	"sandglass/domain/instant"
)

// raw is an answer that is no JSON.
type raw string

// canned is an API that knows these answers, by their paths and queries, and says of all else that it is not known.
type canned map[string]any

func (c canned) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	answer, ok := c[r.URL.RequestURI()]
	if !ok {
		answer = wire.Problem{Status: http.StatusNotFound, Code: "unknown_resource", Detail: "not canned: " + r.URL.RequestURI()}
	}
	if p, ok := answer.(wire.Problem); ok {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(p.Status)
	}
	if text, ok := answer.(raw); ok {
		_, _ = w.Write([]byte(text))
		return
	}
	_ = json.NewEncoder(w).Encode(answer)
}

// ask asks the pages over an API, in a language.
func (c canned) ask(t *testing.T, url, lang, path string) *httptest.ResponseRecorder {
	t.Helper()
	return ask(t, c, url, lang, httptest.NewRequest("GET", path, nil))
}

func ask(t *testing.T, api http.Handler, url, lang string, r *http.Request) *httptest.ResponseRecorder {
	t.Helper()
	s, err := web.New(web.Options{
		API: api, Now: func() instant.Time { return 0 }, PublicURL: url, Brand: brand.Brand{Name: "Ann & Sons"},
	})
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	for _, r := range s.Routes() {
		mux.Handle(r.Pattern, r.Handler)
	}
	w := httptest.NewRecorder()
	r.Header.Set("Accept-Language", lang)
	mux.ServeHTTP(w, r)
	return w
}

func at(t *testing.T, text string) instant.Time {
	t.Helper()
	v, err := instant.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return v
}
