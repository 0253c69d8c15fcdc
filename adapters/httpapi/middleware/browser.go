package middleware

import "net/http"

// What the page of another origin may send and read, besides what every page may.
const (
	mayAsk    = "Authorization, Content-Type, Idempotency-Key, X-Cashu, X-Request-Id"
	mayRead   = "Location, Retry-After, WWW-Authenticate, X-Cashu, X-Request-Id"
	remembers = "7200" // seconds: the most that any browser keeps to
)

// open lets the page of any origin read the answer. No cookie is read here, so that a browser
// adds nothing to a request that the page could not have sent from elsewhere; a token is sent
// by a page that has it.
func (r *Request) open() {
	r.Header().Set("Access-Control-Allow-Origin", "*")
	r.Header().Set("Access-Control-Expose-Headers", mayRead)
}

// options answers OPTIONS with the methods of the path, and tells a browser that asks first
// whether a page may make the call. It reports whether there is such a path. unmatched is what
// the mux answers.
func (h *Handler) options(r *Request, hr *http.Request, unmatched http.Handler) bool {
	allow := allowed(unmatched, hr)
	if allow == "" {
		return false
	}
	r.Header().Set("Allow", allow+", OPTIONS")
	if method := hr.Header.Get("Access-Control-Request-Method"); method != "" && h.isOpen(hr, method) {
		r.open()
		r.Header().Set("Access-Control-Allow-Methods", method)
		r.Header().Set("Access-Control-Allow-Headers", mayAsk)
		r.Header().Set("Access-Control-Max-Age", remembers)
	}
	r.WriteHeader(http.StatusNoContent)
	return true
}

// isOpen reports whether pages may make the call that a method of this path is.
func (h *Handler) isOpen(hr *http.Request, method string) bool {
	asked := hr.WithContext(hr.Context()) // a copy
	asked.Method = method
	_, pattern := h.Mux.Handler(asked)
	return h.Traits[pattern].Open
}
