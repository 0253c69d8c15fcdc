package middleware

import (
	"net/http"

	"sandglass/adapters/httpapi/problem"
)

// unknown returns what is wrong with a path or a method that no call has. h is what the mux
// answers it with.
func unknown(h http.Handler, hr *http.Request) *problem.Problem {
	allow := allowed(h, hr)
	if allow == "" {
		return problem.New(http.StatusNotFound, "unknown_path", "there is no such path: GET /openapi.json lists what there is")
	}
	p := problem.New(http.StatusMethodNotAllowed, "wrong_method", "this path does not take %.20s: it takes %s", hr.Method, allow)
	p.Allow = allow
	return p
}

// allowed returns the methods of the calls that a path has, by what the mux answers to one
// that it does not have; "" if there are none.
func allowed(h http.Handler, hr *http.Request) string {
	var probe probe
	h.ServeHTTP(&probe, hr)
	return probe.Header().Get("Allow")
}

// probe takes an answer of which only the headers count.
type probe struct{ header http.Header }

// Header implements [http.ResponseWriter].
func (p *probe) Header() http.Header {
	if p.header == nil {
		p.header = http.Header{}
	}
	return p.header
}

// Write implements [http.ResponseWriter].
func (*probe) Write(b []byte) (int, error) { return len(b), nil }

// WriteHeader implements [http.ResponseWriter].
func (*probe) WriteHeader(int) {}
