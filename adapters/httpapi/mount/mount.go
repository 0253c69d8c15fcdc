// Package mount puts beside the calls what else a daemon serves, such as pages for people: it passes
// through the same middleware, and the API knows nothing more of it.
package mount

import (
	"mime"
	"net/http"
	"strconv"
	"strings"

	"sandglass/adapters/httpapi/middleware"
	"sandglass/adapters/httpapi/openapi"
)

// Mount is what is served at a pattern. Where that is a call's too, who asks for HTML is answered by the
// mount, and everybody else by the call.
type Mount struct {
	Pattern string // as [http.ServeMux] has it
	Handler http.Handler
	Traits  middleware.Traits // of a pattern that is no call's
	// Describe adds it to the document of the API, if it is for programs: nil else.
	Describe func(*openapi.API)
}

// Mux is the mux of calls and mounts. Its calls are added by HandleFunc, then [Mux.Add] adds the mounts.
type Mux struct {
	*http.ServeMux
	mounts map[string]http.Handler
}

// New returns a mux that has no calls yet. maxBody is in bytes, of a request to a mount.
func New(mounts []Mount, maxBody int64) *Mux {
	m := &Mux{http.NewServeMux(), map[string]http.Handler{}}
	for _, one := range mounts {
		m.mounts[one.Pattern] = bounded(one.Handler, maxBody)
	}
	return m
}

// HandleFunc adds a call, which shares its pattern with the mount that has the same.
func (m *Mux) HandleFunc(pattern string, call func(http.ResponseWriter, *http.Request)) {
	page, both := m.mounts[pattern]
	if !both {
		m.ServeMux.HandleFunc(pattern, call)
		return
	}
	delete(m.mounts, pattern)
	m.ServeMux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Vary", "Accept")
		if wantsHTML(r.Header.Get("Accept")) {
			page.ServeHTTP(w, r)
			return
		}
		call(w, r)
	})
}

// Add adds the mounts that share no pattern with a call, with their traits, and describes those that are for programs.
func (m *Mux) Add(mounts []Mount, a *openapi.API) {
	for _, one := range mounts {
		if h, left := m.mounts[one.Pattern]; left {
			m.Handle(one.Pattern, h)
			a.Traits()[one.Pattern] = one.Traits
		}
		if one.Describe != nil {
			one.Describe(a)
		}
	}
}

// bounded bounds the bodies of requests.
func bounded(h http.Handler, maxBody int64) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		h.ServeHTTP(w, r)
	})
}

// wantsHTML reports whether an Accept names HTML, as those of browsers do. That something is liked less
// is of no interest: programs don't name it.
func wantsHTML(accept string) bool {
	for one := range strings.SplitSeq(accept, ",") {
		kind, params, err := mime.ParseMediaType(one)
		if err != nil || kind != "text/html" {
			continue
		}
		q, err := strconv.ParseFloat(params["q"], 64)
		return err != nil || q > 0
	}
	return false
}
