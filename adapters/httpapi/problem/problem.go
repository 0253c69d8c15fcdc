// Package problem shows errors to clients, as RFC 9457 has it.
//
// A [Problem] is an error with all that its answer takes: status, code, text, headers. [Of]
// makes one of any error: those of the domain have a status and a code each, in one table;
// what is not in it is an internal error, of which the client learns nothing.
//
// Who answers with a problem, and writes its cause into the log, is not decided here.
package problem

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"sandglass/adapters/httpapi/wire"
)

// Problem is an error that is shown to the client.
type Problem struct {
	wire.Problem
	Retry time.Duration // Retry-After, rounded up to seconds; 0 is none
	Auth  string        // WWW-Authenticate
	Allow string        // the methods that would be right
	Close bool          // the connection is of no more use
	Cause error         // logged, not shown; nil where there is nothing to log
}

// New returns a problem whose title is its code in words.
func New(status int, code, format string, args ...any) *Problem {
	title := strings.ReplaceAll(code, "_", " ")
	return &Problem{Problem: wire.Problem{
		Type:   "urn:sandglass:problem:" + code,
		Title:  strings.ToUpper(title[:1]) + title[1:],
		Status: status,
		Code:   code,
		Detail: fmt.Sprintf(format, args...),
	}}
}

// Internal returns what is shown of an error that the client is not to know: the id of its
// request.
func Internal(cause error) *Problem {
	p := New(http.StatusInternalServerError, "internal_error", "internal error: tell the operator the request_id")
	p.Cause = cause
	return p
}

// TooLarge returns what is shown of a body of more bytes than limit, which is then not read
// to its end.
func TooLarge(limit int64) *Problem {
	p := New(http.StatusRequestEntityTooLarge, "too_large", "the body is too large: %d bytes are the most", limit)
	p.Close = true
	return p
}

// After returns p, to be tried again after d.
func (p *Problem) After(d time.Duration) *Problem {
	p.Retry = d
	return p
}

// Error implements error.
func (p *Problem) Error() string { return p.Detail }

// GetStatus implements huma.StatusError.
func (p *Problem) GetStatus() int { return p.Status }

// ContentType implements huma.ContentTypeFilter.
func (p *Problem) ContentType(string) string { return "application/problem+json" }

// GetHeaders implements huma.HeadersError.
func (p *Problem) GetHeaders() http.Header {
	h := http.Header{}
	if p.Retry > 0 {
		h.Set("Retry-After", strconv.FormatInt(int64((p.Retry+time.Second-1)/time.Second), 10))
	}
	if p.Auth != "" {
		h.Set("WWW-Authenticate", p.Auth)
	}
	if p.Allow != "" {
		h.Set("Allow", p.Allow)
	}
	if p.Close {
		h.Set("Connection", "close")
	}
	return h
}

// Write answers with p.
func (p *Problem) Write(w http.ResponseWriter) {
	for name, values := range p.GetHeaders() {
		w.Header()[name] = values
	}
	w.Header().Set("Content-Type", p.ContentType(""))
	w.WriteHeader(p.Status)
	b, _ := json.Marshal(p.Problem) // plain values
	_, _ = w.Write(append(b, '\n')) // a client that is gone needs no answer
}
