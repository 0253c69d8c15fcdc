// Package inprocess lets what is served beside the API be a client of it: its calls go to the API's handler
// without a connection, in the name of the request that they serve. So they count against the limits of who
// asked, and are refused as his own would be.
package inprocess

import (
	"bytes"
	"io"
	"net/http"

	"sandglass/adapters/httpapi/client"
	"sandglass/adapters/httpapi/middleware"
	"sandglass/adapters/httpapi/problem"
	"sandglass/adapters/httpapi/wire"
)

// Client returns a client of an API in the name of a request, with a token, which may be empty. answer is
// the answer to the request, which tells the id that it was given. It is of no use for streams.
func Client(api http.Handler, asked *http.Request, answer http.ResponseWriter, token string) *client.Client {
	c, _ := client.New("http://api.invalid", token) // it is a URL
	t := &transport{api: api, asked: asked, id: answer.Header().Get("X-Request-Id")}
	return c.Over(&http.Client{Transport: t})
}

// Note leaves to the log with what a request is refused, and why, which may be nil. answer is the answer to it.
func Note(answer http.ResponseWriter, p wire.Problem, why error) {
	if r, ok := answer.(*middleware.Request); ok {
		r.Note(&problem.Problem{Problem: p, Cause: why})
	}
}

// CountWrite counts a request that is free of rate limits as a write of who asked, and returns why it is refused,
// or nil. answer is the answer to it.
func CountWrite(answer http.ResponseWriter) error {
	if r, ok := answer.(*middleware.Request); ok {
		if p := r.CountWrite(); p != nil {
			return &client.Problem{Problem: p.Problem, RetryAfter: p.Retry}
		}
	}
	return nil
}

// transport is an [http.RoundTripper] for calls of one request.
type transport struct {
	api   http.Handler
	asked *http.Request
	id    string
}

// RoundTrip implements [http.RoundTripper].
func (t *transport) RoundTrip(out *http.Request) (*http.Response, error) {
	r := out.Clone(out.Context())
	r.RemoteAddr, r.RequestURI = t.asked.RemoteAddr, out.URL.RequestURI()
	if r.Body == nil {
		r.Body = http.NoBody // as every request that a server reads has one
	}
	defer r.Body.Close()
	if via, ok := t.asked.Header["X-Forwarded-For"]; ok {
		r.Header["X-Forwarded-For"] = via
	}
	if t.id != "" {
		r.Header.Set("X-Request-Id", t.id)
	}
	a := &answer{header: http.Header{}}
	t.api.ServeHTTP(a, r)
	a.WriteHeader(http.StatusOK) // unless it did
	return &http.Response{
		StatusCode: a.status, Status: http.StatusText(a.status), Header: a.header, Request: out,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Body: io.NopCloser(&a.body), ContentLength: int64(a.body.Len()),
	}, nil
}

// answer keeps an answer.
type answer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

// Header implements [http.ResponseWriter].
func (a *answer) Header() http.Header { return a.header }

// WriteHeader implements [http.ResponseWriter].
func (a *answer) WriteHeader(status int) {
	if a.status == 0 && status >= http.StatusOK {
		a.status = status
	}
}

// Write implements [http.ResponseWriter].
func (a *answer) Write(b []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	return a.body.Write(b)
}
