package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"sandglass/adapters/httpapi/wire"
	"sandglass/domain/billing"
	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/payment"
	"sandglass/domain/plan"
	"sandglass/domain/resource"
	"sandglass/domain/stream"

	"github.com/danielgtaylor/huma/v2"
)

// problem is an error that is shown to the client.
type problem struct {
	wire.Problem
	retry time.Duration // Retry-After, rounded up to seconds; 0 is none
	auth  string        // WWW-Authenticate
	close bool          // the connection is of no more use
	cause error         // logged, not shown; nil where there is nothing to log
}

// newProblem returns a problem whose title is its code in words.
func newProblem(status int, code, format string, args ...any) *problem {
	title := strings.ReplaceAll(code, "_", " ")
	return &problem{Problem: wire.Problem{
		Type: "urn:sandglass:problem:" + code, Title: strings.ToUpper(title[:1]) + title[1:],
		Status: status, Code: code, Detail: fmt.Sprintf(format, args...),
	}}
}

// after returns p, to be tried again after d.
func (p *problem) after(d time.Duration) *problem {
	p.retry = d
	return p
}

// Error implements error.
func (p *problem) Error() string { return p.Detail }

// GetStatus implements [huma.StatusError].
func (p *problem) GetStatus() int { return p.Status }

// ContentType implements [huma.ContentTypeFilter].
func (p *problem) ContentType(string) string { return "application/problem+json" }

// GetHeaders implements [huma.HeadersError].
func (p *problem) GetHeaders() http.Header {
	h := http.Header{}
	if p.retry > 0 {
		h.Set("Retry-After", strconv.FormatInt(int64((p.retry+time.Second-1)/time.Second), 10))
	}
	if p.auth != "" {
		h.Set("WWW-Authenticate", p.auth)
	}
	if p.close {
		h.Set("Connection", "close")
	}
	return h
}

// write answers with p, for what does not go through huma.
func (p *problem) write(w http.ResponseWriter, r *request) {
	r.show(p)
	for name, values := range p.GetHeaders() {
		w.Header()[name] = values
	}
	w.Header().Set("Content-Type", p.ContentType(""))
	w.WriteHeader(p.Status)
	b, _ := json.Marshal(p.Problem) // plain values
	_, _ = w.Write(append(b, '\n')) // who has gone needs no answer
}

// refusals are the errors of the domain, with the status and the code that they are
// shown as. The first that fits is taken, since some wrap others. The texts of these
// errors are written for who asked; detail is for those that are not.
var refusals = []struct {
	err    error
	status int
	code   string
	retry  time.Duration
	detail string
}{
	{billing.ErrStarting, 503, "starting", 5 * time.Second, "the daemon has just started and not read its wallet yet: try again in a moment"},
	{billing.ErrTooManyOpen, 429, "too_many_open", time.Minute, "too many open invoices or unpaid orders: pay one that is open, or wait until one expires"},
	{billing.ErrWallet, 503, "no_wallet", 15 * time.Second, "the wallet gives no invoice now, and nothing was changed: try again later"},
	{billing.ErrHost, 422, "wrong_host", 0, ""},
	{billing.ErrInvalid, 422, "invalid_request", 0, ""},
	{stream.ErrUnavailable, 503, "store_unavailable", 15 * time.Second, "the daemon's log does not answer now, so no money is taken: it is open whether what was asked for was done; the same request can be sent again"},
	{stream.ErrReadOnly, 503, "read_only", 30 * time.Second, "the daemon can't record anything now, so it takes no money either: try again later"},
	{stream.ErrWrongRevision, 503, "busy", time.Second, "others changed the same at the same time: try again"},
	{resource.ErrNotOpened, 404, "unknown_resource", 0, "there is no such resource: POST /v1/orders makes one"},
	{resource.ErrExists, 409, "order_conflict", 0, "the id or Idempotency-Key belongs to another order: send the same content again, or choose a new one"},
	{resource.ErrReleased, 409, "released", 0, "the resource is released, which is final: POST /v1/orders makes another one"},
	{resource.ErrNotRuns, 409, "not_running", 0, ""},
	{resource.ErrNotPaused, 409, "not_paused", 0, ""},
	{resource.ErrNoTime, 409, "no_time", 0, "no time is left: pay first, by POST /v1/resources/{id}/payments"},
	{resource.ErrConflict, 409, "conflict", 0, ""},
	{resource.ErrInvalid, 422, "invalid_request", 0, ""},
	{payment.ErrConflict, 409, "conflict", 0, ""},
	{payment.ErrUnknown, 404, "unknown_payment", 0, "there is no such payment: GET /v1/unallocated lists those without a resource"},
	{payment.ErrState, 409, "not_possible", 0, ""},
	{payment.ErrInvalid, 422, "invalid_request", 0, ""},
	{plan.ErrWithdrawn, 409, "withdrawn_plan", 0, "the plan is withdrawn: GET /v1/plans lists what is on offer"},
	{plan.ErrUnknown, 404, "unknown_plan", 0, "there is no such plan: GET /v1/plans lists what is on offer"},
	{plan.ErrBounds, 422, "out_of_bounds", 0, ""},
	{plan.ErrInvalid, 422, "invalid_request", 0, ""},
	{money.ErrTooMuch, 422, "out_of_bounds", 0, ""},
	{money.ErrTooLong, 422, "out_of_bounds", 0, ""},
	{money.ErrNegative, 422, "out_of_bounds", 0, ""},
	{money.ErrPrice, 422, "out_of_bounds", 0, ""},
	{instant.ErrRange, 422, "out_of_bounds", 0, ""},
}

// problemOf returns err as it is shown. What is not known is an internal error, of which
// the client learns no more than the id of its request.
func problemOf(ctx context.Context, err error) *problem {
	if p, ok := errors.AsType[*problem](err); ok {
		return p
	}
	for _, r := range refusals {
		if !errors.Is(err, r.err) {
			continue
		}
		p := newProblem(r.status, r.code, "%s", r.detail).after(r.retry)
		if p.Detail == "" {
			p.Detail = bare(err)
		}
		if r.status >= 500 {
			p.cause = err
		}
		return p
	}
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return newProblem(499, "canceled", "the request was broken off")
	case errors.Is(ctx.Err(), context.DeadlineExceeded), errors.Is(err, context.DeadlineExceeded): // of the request, or of what it waited for
		p := newProblem(http.StatusServiceUnavailable, "timeout", "the daemon took too long: it is open whether it was done; the same request can be sent again").after(5 * time.Second)
		p.cause = err
		return p
	}
	return internal(err)
}

func internal(cause error) *problem {
	p := newProblem(http.StatusInternalServerError, "internal_error", "internal error: tell the operator the request_id")
	p.cause = cause
	return p
}

// bare returns the text of err without the name of the package that leads it.
func bare(err error) string {
	text := err.Error()
	if name, rest, ok := strings.Cut(text, ": "); ok && !strings.Contains(name, " ") {
		return rest
	}
	return text
}

// ofHuma returns what huma found wrong with a request. Values are not shown again: they
// may be secrets, or the whole body.
func (s *Server) ofHuma(e *huma.ErrorModel) *problem {
	switch e.Status {
	case http.StatusRequestEntityTooLarge:
		return s.tooLarge()
	case http.StatusRequestTimeout:
		return newProblem(e.Status, "incomplete_body", "the body did not arrive whole and in time: send it at once")
	case http.StatusUnsupportedMediaType:
		return newProblem(e.Status, "content_type", "the body is of another type: send JSON with Content-Type: application/json")
	}
	p := newProblem(e.Status, "invalid_request", "%s", e.Detail)
	if e.Status == http.StatusBadRequest {
		p = newProblem(e.Status, "malformed_request", "%s", e.Detail)
	}
	var texts []string
	for _, d := range e.Errors {
		if d == nil {
			continue
		}
		p.Errors = append(p.Errors, wire.Fault{Location: d.Location, Message: d.Message})
		texts = append(texts, strings.TrimPrefix(d.Location+": ", ": ")+d.Message)
	}
	if len(texts) > 0 {
		p.Detail = strings.Join(texts, "; ")
	}
	return p
}

func (s *Server) tooLarge() *problem {
	p := newProblem(http.StatusRequestEntityTooLarge, "too_large", "the body is too large: %d bytes are the most", s.Limits.Body)
	p.close = true // the rest of the body is not read
	return p
}
