// Package middleware is what every request passes through, whatever it asks for.
//
// A [Handler] stands between the server and the calls: it names the request, knows its
// caller, holds it to the rates, refuses what no call can take, and in the end counts it
// and writes its line of the log, within bounds that no client can pass. A call finds its [Request] by its context.
//
// Whether the caller may do the call, and what its parameters are, is not looked at here.
package middleware

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"path"
	"runtime/debug"
	"strings"
	"time"

	"sandglass/adapters/httpapi/auth"
	"sandglass/adapters/httpapi/limit"
	"sandglass/adapters/httpapi/problem"
	"sandglass/domain/instant"

	"github.com/rs/zerolog"
)

// Traits are what is to be known of a call here.
type Traits struct {
	Free   bool // of rate limits
	Stream bool // lasts as long as its client wants
	Open   bool // to the pages of any origin, in a browser
	Write  bool // held to the rate of writes, whatever its method
	// Refuse answers with a problem, where not as the API does: a protocol may have its own errors.
	Refuse func(http.ResponseWriter, *problem.Problem)
}

// Options are what a handler works with. All but PublicURL are required.
type Options struct {
	Mux        *http.ServeMux
	Traits     map[string]Traits // by the pattern of the mux
	Tokens     auth.Tokens
	Reads      *limit.Rates[netip.Addr]
	Writes     *limit.Rates[netip.Addr]
	TrustProxy bool   // take the client's address from X-Forwarded-For
	PublicURL  string // begins what a Location says
	MaxBody    int64  // bytes of a request's body
	Now        func() instant.Time
	Log        zerolog.Logger
	Metrics    *Metrics
}

// Handler answers requests by the calls of a mux.
type Handler struct {
	Options
	lines *lines
}

// New returns a handler.
func New(o Options) *Handler { return &Handler{o, newLines()} }

// ServeHTTP implements [http.Handler].
func (h *Handler) ServeHTTP(w http.ResponseWriter, hr *http.Request) {
	r := &Request{
		ResponseWriter: w,
		ID:             requestID(hr),
		Addr:           h.clientOf(hr),
		Caller:         h.Tokens.CallerOf(hr),
		public:         h.PublicURL,
		began:          time.Now(),
	}
	defer h.finish(r, hr)
	defer h.drain(w, hr)
	w.Header().Set("X-Request-Id", r.ID)
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	unmatched, pattern := h.Mux.Handler(hr)
	r.pattern, r.refuse = pattern, h.Traits[pattern].Refuse
	r.take = func() *problem.Problem { return h.take(r, true) }
	if h.Traits[pattern].Open {
		r.open()
	}
	if p := h.limited(r, hr); p != nil {
		r.Refuse(p)
		return
	}
	if hr.Method == http.MethodOptions && h.options(r, hr, unmatched) {
		return
	}
	if pattern == "" {
		r.Refuse(unknown(unmatched, hr))
		return
	}
	if path.Clean(hr.URL.Path) != hr.URL.Path { // the mux redirects
		w.Header()["Content-Type"] = nil // and leaves out its page, whose link is not of PublicURL
	}
	if p := h.invalid(hr); p != nil {
		p.Close = p.Close || hr.ContentLength != 0 // its body is not read to the end
		r.Refuse(p)
		return
	}
	known := hr.WithContext(context.WithValue(hr.Context(), requestKey{}, r))
	known.Body = body{hr.Body}
	h.Mux.ServeHTTP(r, known)
}

// clientOf returns the address that limits are counted by.
func (h *Handler) clientOf(hr *http.Request) netip.Addr {
	if h.TrustProxy {
		entries := strings.Split(strings.Join(hr.Header.Values("X-Forwarded-For"), ","), ",")
		if a := limit.AddressOf(strings.TrimSpace(entries[len(entries)-1])); a.IsValid() {
			return a
		}
	}
	return limit.AddressOf(hr.RemoteAddr)
}

// limited returns the refusal of a client that has asked too often.
func (h *Handler) limited(r *Request, hr *http.Request) *problem.Problem {
	if h.Traits[r.pattern].Free {
		return nil
	}
	reads := hr.Method == http.MethodGet || hr.Method == http.MethodHead
	return h.take(r, hr.Method != http.MethodOptions && (!reads || h.Traits[r.pattern].Write))
}

// take counts a read or a write of a client, and returns the refusal of one that was there too often.
func (h *Handler) take(r *Request, write bool) *problem.Problem {
	if r.Caller.Auditor {
		return nil
	}
	rates, kind := h.Reads, "read"
	if write {
		rates, kind = h.Writes, "write"
	}
	wait := rates.Take(r.Addr, h.Now().Std())
	if wait <= 0 {
		return nil
	}
	h.Metrics.CountLimited(kind)
	rate := rates.Rate()
	return problem.New(http.StatusTooManyRequests, "rate_limited",
		"too many requests from your address: %g a second, and %d at once, are the most of this kind",
		rate.PerSecond, rate.Burst).After(wait)
}

// invalid returns what is wrong with a request whatever it asks for.
func (h *Handler) invalid(hr *http.Request) *problem.Problem {
	switch {
	case hr.ContentLength > h.MaxBody:
		return problem.TooLarge(h.MaxBody)
	case hr.ContentLength != 0 && hr.Method != http.MethodPost && hr.Method != http.MethodPatch:
		return problem.New(http.StatusBadRequest, "malformed_request", "%s takes no body", hr.Method)
	}
	query, err := url.ParseQuery(hr.URL.RawQuery)
	if err != nil {
		return problem.New(http.StatusBadRequest, "malformed_request",
			"the query is not encoded as name=value&name=value, with %% before hex digits")
	}
	for name, values := range query {
		if len(values) > 1 {
			return problem.New(http.StatusUnprocessableEntity, "invalid_request",
				"the query has %.40q %d times: give it once", name, len(values))
		}
	}
	return nil
}

// drain reads what is left of a body, within the bound of bodies. Closing a connection
// with something unread resets it, by which the client could lose the answer; a client that
// sends more than the bound is left some time for it by net/http, which is what
// MaxBytesReader asks for.
func (h *Handler) drain(w http.ResponseWriter, hr *http.Request) {
	if hr.ContentLength == 0 || hr.Header.Get("Expect") != "" {
		return // there is nothing, or it was not asked for
	}
	_, _ = io.Copy(io.Discard, http.MaxBytesReader(w, hr.Body, h.MaxBody))
}

// finish ends a request, also one that panicked: it is counted, and logged in one line
// that holds no secret and no address.
func (h *Handler) finish(r *Request, hr *http.Request) {
	panicked := recover()
	cut := panicked == http.ErrAbortHandler
	if panicked != nil && !cut {
		p := problem.Internal(fmt.Errorf("panic: %v\n%s", panicked, debug.Stack()))
		if cut = r.status != 0; cut {
			r.cause = p.Cause
		} else {
			r.Refuse(p)
		}
	}
	if r.status == 0 {
		r.status = http.StatusOK
	}
	took := time.Since(r.began)
	h.Metrics.observe(r, hr.Method, took, h.Traits[r.pattern].Stream)
	h.log(r, hr.Method, took)
	if cut {
		panic(http.ErrAbortHandler) // so that the client sees that its answer is not whole
	}
}

// log writes a request's line.
func (h *Handler) log(r *Request, method string, took time.Duration) {
	level, left := h.lines.levelOf(r, method, h.Now().Std())
	e := h.Log.WithLevel(level)
	if r.code != "" {
		e.Str("code", r.code)
	}
	if left > 0 {
		e.Int64("left_out", left)
	}
	e.Str("request_id", r.ID).
		Str("method", methodOf(method)).
		Str("route", r.route()).
		Int("status", r.status).
		Int64("bytes", r.bytes).
		Int64("duration_ms", took.Milliseconds()).
		Err(r.cause).
		Msg("request")
}

func known(method string) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodDelete, http.MethodPut, http.MethodPatch, http.MethodOptions:
		return true
	}
	return false
}

// methodOf returns a method as it is counted: a client can think of any.
func methodOf(method string) string {
	if known(method) {
		return method
	}
	return "other"
}
