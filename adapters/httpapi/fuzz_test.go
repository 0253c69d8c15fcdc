package httpapi_test

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"sandglass/adapters/httpapi"
)

// FuzzOrders sends any body, key and type: nothing is an internal error, and every
// refusal is a problem.
func FuzzOrders(f *testing.F) {
	for _, m := range malformed {
		f.Add(m.body, key, "application/json")
	}
	f.Add(`{"plan":"small","time_ms":3600000}`, key, "")
	f.Add(`{"plan":"small","amount_msat":3600000,"id":"a"}`, "", "application/json; charset=utf-8")
	s := open(f, func(o *httpapi.Options) { o.Log = o.Log.Level(7) })
	f.Fuzz(func(t *testing.T, body, key, contentType string) {
		req, err := http.NewRequest("POST", s.url+"/v1/orders", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header["Idempotency-Key"], req.Header["Content-Type"] = []string{key}, []string{contentType}
		w := newRecorder()
		req.RemoteAddr = "192.0.2.1:1"
		s.server.Handler().ServeHTTP(w, req)
		switch {
		case w.status == 500 || w.status < 200:
			t.Errorf("%d %s", w.status, w.body.String())
		case w.status >= 400 && w.Header().Get("Content-Type") != "application/problem+json":
			t.Errorf("%d without a problem: %s", w.status, w.body.String())
		}
	})
}

// FuzzPaths asks for anything.
func FuzzPaths(f *testing.F) {
	for _, m := range malformed {
		f.Add(m.method, m.path)
	}
	s := open(f, func(o *httpapi.Options) { o.Log = o.Log.Level(7) })
	f.Fuzz(func(t *testing.T, method, target string) {
		req, err := http.NewRequest(method, s.url, nil)
		if err != nil {
			return // no request
		}
		req.Body = http.NoBody // as a server has it
		path, query, _ := strings.Cut(target, "?")
		req.URL.Path, req.URL.RawQuery, req.RemoteAddr = "/"+strings.TrimPrefix(path, "/"), query, "192.0.2.1:1"
		if strings.HasSuffix(path, "/live") {
			return // does not end
		}
		w := newRecorder()
		s.server.Handler().ServeHTTP(w, req)
		if w.status == 500 || w.status < 200 {
			t.Errorf("%s %q: %d %s", method, target, w.status, w.body.String())
		}
	})
}

// recorder takes an answer, and sees that its status is written once.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func newRecorder() *recorder { return &recorder{header: http.Header{}} }

func (r *recorder) Header() http.Header { return r.header }

func (r *recorder) Write(b []byte) (int, error) {
	if r.status == 0 {
		r.status = 200
	}
	return r.body.Write(b)
}

func (r *recorder) WriteHeader(status int) {
	if r.status != 0 {
		panic(fmt.Sprintf("the status is written twice: %d, %d", r.status, status))
	}
	r.status = status
}
