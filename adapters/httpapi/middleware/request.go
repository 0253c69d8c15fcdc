package middleware

import (
	"context"
	"io"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"sandglass/adapters/httpapi/auth"
	"sandglass/adapters/httpapi/problem"
	"sandglass/domain/stream"

	"github.com/google/uuid"
)

// Request is what is known of a request besides its parameters. It is the writer of its
// answer, too, and counts what is written.
type Request struct {
	http.ResponseWriter
	ID      string
	Addr    netip.Addr // by which limits are counted
	Caller  auth.Caller
	public  string // what a Location begins with
	began   time.Time
	pattern string // of its call, empty if there is none
	status  int
	bytes   int64
	refuse  func(http.ResponseWriter, *problem.Problem) // of its traits, or nil
	take    func() *problem.Problem                     // counts it as a write
	code    string                                      // of the problem that was answered
	cause   error                                       // for the log
}

type requestKey struct{}

// RequestOf returns the request that ctx belongs to: it is that of a call.
func RequestOf(ctx context.Context) *Request { return ctx.Value(requestKey{}).(*Request) }

// Asks returns the request that ctx belongs to, or false where it is of none: the daemon itself
// does something.
func Asks(ctx context.Context) (*Request, bool) {
	r, ok := ctx.Value(requestKey{}).(*Request)
	return r, ok
}

// WriteHeader implements [http.ResponseWriter].
func (r *Request) WriteHeader(status int) {
	if path := r.Header().Get("Location"); strings.HasPrefix(path, "/") {
		r.Header().Set("Location", r.public+path)
	}
	if r.status == 0 && status >= 200 {
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

// Write implements [http.ResponseWriter].
func (r *Request) Write(b []byte) (int, error) {
	if r.status == 0 {
		r.WriteHeader(http.StatusOK)
	}
	n, err := r.ResponseWriter.Write(b)
	r.bytes += int64(n)
	return n, err
}

// Unwrap lets [http.ResponseController] reach the connection.
func (r *Request) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// Note completes a problem that is going to be answered, and keeps it for the log.
func (r *Request) Note(p *problem.Problem) {
	p.RequestID = r.ID
	r.code, r.cause = p.Code, p.Cause
}

// CountWrite counts a request whose call is free of rate limits as a write of its client, and returns the refusal of one
// that has asked too often, else nil.
func (r *Request) CountWrite() *problem.Problem { return r.take() }

// Refuse answers with a problem.
func (r *Request) Refuse(p *problem.Problem) {
	r.Note(p)
	if r.refuse != nil {
		r.refuse(r, p)
		return
	}
	p.Write(r)
}

// Abort breaks an answer off that has begun, so that the client does not take it for whole.
// It does not return.
func (r *Request) Abort(cause error) {
	r.cause = cause
	panic(http.ErrAbortHandler)
}

// AllowTime gives a request whose body was read its time to be handled. The deadline for
// reading would else end it; without any, a client could hold on to the connection with
// a body that nobody waits for.
func (r *Request) AllowTime(d time.Duration) {
	_ = http.NewResponseController(r).SetReadDeadline(time.Now().Add(d)) // not every server has deadlines
}

// Meta is what events tell of the request that caused them.
func (r *Request) Meta(actor string) stream.Meta {
	return stream.Meta{Actor: actor, Correlation: r.ID}
}

// route is the path of the call with the names of its parameters, never their values.
func (r *Request) route() string {
	if r.pattern == "" {
		return "none"
	}
	_, path, _ := strings.Cut(r.pattern, " ")
	return strings.TrimSuffix(path, "{$}")
}

// requestID returns the id that the client gave its request, if it is one that can do no
// harm in a log, or a new one.
func requestID(hr *http.Request) string {
	id := hr.Header.Get("X-Request-Id")
	ok := id != "" && len(id) <= 64
	for _, c := range []byte(id) {
		ok = ok && (c == '-' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z')
	}
	if ok {
		return id
	}
	return uuid.Must(uuid.NewV7()).String() // fails only if the system has no random bytes
}

// body is a request's body, of which every error is a timeout: it did not arrive whole.
// Else huma would take an error of the client for one of ours. It stays open for drain.
type body struct{ io.Reader }

// Close implements [io.Closer].
func (body) Close() error { return nil }

type incomplete struct{ error }

// Timeout implements [net.Error], as does Temporary.
func (incomplete) Timeout() bool { return true }

// Temporary implements [net.Error].
func (incomplete) Temporary() bool { return true }

// Read implements [io.Reader].
func (b body) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if err != nil && err != io.EOF {
		err = incomplete{err}
	}
	return n, err
}
