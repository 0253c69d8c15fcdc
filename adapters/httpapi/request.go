package httpapi

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"runtime/debug"
	"strings"
	"time"

	"sandglass/adapters/httpapi/auth"
	"sandglass/adapters/httpapi/limit"
	"sandglass/adapters/httpapi/problem"
	"sandglass/domain/stream"

	"github.com/google/uuid"
	"github.com/rs/zerolog"
)

// request is what is known of a request beside its parameters. It is the writer of its
// answer, too, and counts what is written.
type request struct {
	http.ResponseWriter
	id      string
	addr    netip.Addr
	caller  auth.Caller
	began   time.Time
	pattern string
	status  int
	bytes   int64
	code    string // of the problem that was answered
	cause   error
}

type requestKey struct{}

// requestOf returns the request that ctx belongs to.
func requestOf(ctx context.Context) *request { return ctx.Value(requestKey{}).(*request) }

// WriteHeader implements [http.ResponseWriter].
func (r *request) WriteHeader(status int) {
	if r.status == 0 && status >= 200 {
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

// Write implements [http.ResponseWriter].
func (r *request) Write(b []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	n, err := r.ResponseWriter.Write(b)
	r.bytes += int64(n)
	return n, err
}

// Unwrap lets [http.ResponseController] reach the connection.
func (r *request) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// show completes a problem that is answered, and notes it for the log.
func (r *request) show(p *problem.Problem) {
	p.RequestID = r.id
	r.code, r.cause = p.Code, p.Cause
}

// refuse answers with a problem, for what does not go through huma.
func (r *request) refuse(p *problem.Problem) {
	r.show(p)
	p.Write(r)
}

// meta is what events tell of the request that caused them.
func (r *request) meta(actor string) stream.Meta {
	return stream.Meta{Actor: actor, Correlation: r.id}
}

// serve answers a request: all of them come through here.
func (s *Server) serve(w http.ResponseWriter, hr *http.Request) {
	r := &request{ResponseWriter: w, id: requestID(hr), addr: s.clientOf(hr), caller: auth.Tokens{Operator: s.Operator, Auditor: s.Auditor}.CallerOf(hr), began: time.Now()}
	defer s.finish(r, hr)
	defer s.empty(w, hr)
	w.Header().Set("X-Request-Id", r.id)
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	unmatched, pattern := s.mux.Handler(hr)
	r.pattern = pattern
	if p := s.limited(r, hr); p != nil {
		r.refuse(p)
		return
	}
	if pattern == "" {
		r.refuse(unknown(unmatched, hr))
		return
	}
	if p := s.sane(hr); p != nil {
		p.Close = p.Close || hr.ContentLength != 0 // its body is not read to the end
		r.refuse(p)
		return
	}
	known := hr.WithContext(context.WithValue(hr.Context(), requestKey{}, r))
	known.Body = body{hr.Body}
	s.mux.ServeHTTP(r, known)
}

// empty reads what is left of a body, within the bound of bodies. Closing a connection
// with something unread resets it, by which the client could lose the answer; who sends
// more than the bound is left some time for it by net/http, which is what MaxBytesReader
// asks for.
func (s *Server) empty(w http.ResponseWriter, hr *http.Request) {
	if hr.ContentLength == 0 || hr.Header.Get("Expect") != "" {
		return // there is nothing, or it was not asked for
	}
	_, _ = io.Copy(io.Discard, http.MaxBytesReader(w, hr.Body, s.Limits.Body))
}

// body is a request's body, of which every error is a timeout: it did not arrive whole.
// Else huma would take an error of the client for one of ours. It stays open for empty.
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

// bodyRead gives a request whose body was read its time to be handled. The deadline for
// reading would else end it; without any, a client could hold on to the connection with
// a body that nobody waits for.
func (s *Server) bodyRead(ctx context.Context) {
	c := http.NewResponseController(requestOf(ctx))
	_ = c.SetReadDeadline(time.Now().Add(2 * s.Limits.Request)) // not every server has deadlines
}

// limited says whether the client has asked too often.
func (s *Server) limited(r *request, hr *http.Request) *problem.Problem {
	if r.caller.Auditor || s.routes[r.pattern].free {
		return nil
	}
	write := hr.Method != http.MethodGet && hr.Method != http.MethodHead
	wait := s.rates.Take(r.addr, write, s.Now().Std())
	if wait <= 0 {
		return nil
	}
	kind, rate := "read", s.Limits.Reads
	if write {
		kind, rate = "write", s.Limits.Writes
	}
	s.metrics.limited.WithLabelValues(kind).Inc()
	return problem.New(http.StatusTooManyRequests, "rate_limited", "too many requests from your address: %g a second, and %d at once, are the most of this kind", rate.PerSecond, rate.Burst).After(wait)
}

// unknown says what is wrong with a path or a method that no call has.
func unknown(h http.Handler, hr *http.Request) *problem.Problem {
	var probe probe
	h.ServeHTTP(&probe, hr)
	if allow := probe.Header().Get("Allow"); allow != "" {
		return problem.New(http.StatusMethodNotAllowed, "wrong_method", "this path does not take %.20s: it takes %s", hr.Method, allow)
	}
	return problem.New(http.StatusNotFound, "unknown_path", "there is no such path: GET /openapi.json lists what there is")
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

// sane says what is wrong with a request whatever it asks for.
func (s *Server) sane(hr *http.Request) *problem.Problem {
	switch {
	case hr.ContentLength > s.Limits.Body:
		return problem.TooLarge(s.Limits.Body)
	case hr.ContentLength != 0 && hr.Method != http.MethodPost:
		return problem.New(http.StatusBadRequest, "malformed_request", "%s takes no body", hr.Method)
	}
	query, err := url.ParseQuery(hr.URL.RawQuery)
	if err != nil {
		return problem.New(http.StatusBadRequest, "malformed_request", "the query is not encoded as name=value&name=value, with %% before hex digits")
	}
	for name, values := range query {
		if len(values) > 1 {
			return problem.New(http.StatusUnprocessableEntity, "invalid_request", "the query has %.40q %d times: give it once", name, len(values))
		}
	}
	return nil
}

// finish ends a request, also one that panicked: it is counted, and logged in one line
// that holds no secret and no address.
func (s *Server) finish(r *request, hr *http.Request) {
	panicked := recover()
	cut := panicked == http.ErrAbortHandler
	if panicked != nil && !cut {
		p := problem.Internal(fmt.Errorf("panic: %v\n%s", panicked, debug.Stack()))
		if cut = r.status != 0; cut {
			r.cause = p.Cause
		} else {
			r.refuse(p)
		}
	}
	if r.status == 0 {
		r.status = http.StatusOK
	}
	took := time.Since(r.began)
	s.metrics.observe(r, hr.Method, took, s.routes[r.pattern].stream)
	s.log(r, hr.Method, took)
	if cut {
		panic(http.ErrAbortHandler) // so that the client sees that its answer is not whole
	}
}

// log writes a request's line. What changes nothing is of interest to few.
func (s *Server) log(r *request, method string, took time.Duration) {
	level := zerolog.DebugLevel
	switch {
	case r.cause != nil:
		level = zerolog.ErrorLevel
		if r.status != http.StatusInternalServerError {
			level = zerolog.WarnLevel
		}
	case known(method) && method != http.MethodGet && method != http.MethodHead:
		level = zerolog.InfoLevel
	}
	e := s.Log.WithLevel(level)
	if r.code != "" {
		e.Str("code", r.code)
	}
	e.Str("request_id", r.id).Str("method", methodOf(method)).Str("route", r.route()).Int("status", r.status).
		Int64("bytes", r.bytes).Int64("duration_ms", took.Milliseconds()).Err(r.cause).Msg("request")
}

// route is the path of the call with the names of its parameters, never their values.
func (r *request) route() string {
	if r.pattern == "" {
		return "none"
	}
	_, path, _ := strings.Cut(r.pattern, " ")
	return strings.TrimSuffix(path, "{$}")
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

// clientOf returns the address that limits are counted by.
func (s *Server) clientOf(hr *http.Request) netip.Addr {
	if s.TrustProxy {
		entries := strings.Split(strings.Join(hr.Header.Values("X-Forwarded-For"), ","), ",")
		if a := limit.AddressOf(strings.TrimSpace(entries[len(entries)-1])); a.IsValid() {
			return a
		}
	}
	return limit.AddressOf(hr.RemoteAddr)
}
