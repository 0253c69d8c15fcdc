package problem

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"sandglass/adapters/httpapi/wire"
	"sandglass/domain/address"
	"sandglass/domain/billing"
	"sandglass/domain/billing/held"
	"sandglass/domain/billing/params"
	"sandglass/domain/chain/find"
	"sandglass/domain/enforce/access"
	"sandglass/domain/fence"
	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/opening"
	"sandglass/domain/payment"
	"sandglass/domain/plan"
	"sandglass/domain/plan/param"
	"sandglass/domain/proof/fork"
	"sandglass/domain/proof/receipt"
	"sandglass/domain/proof/signing"
	"sandglass/domain/resource"
	"sandglass/domain/resource/config"
	"sandglass/domain/resource/uptime"
	"sandglass/domain/stream"
	"sandglass/domain/wallet"
)

// The texts of the table that are longer than a line.
const (
	starting    = "the daemon has just started and not read its wallet yet: try again in a moment"
	unread      = "the daemon has just started and is reading its log: try again in a moment"
	tooManyOpen = "too many open invoices, or addresses given out, for what nobody has paid yet: pay one, or try again later"
	noWallet    = "the wallet gives no invoice or address now, and nothing was changed: try again later"
	unavailable = "the daemon's log does not answer now, so no money is taken: " +
		"it is open whether what was asked for was done; the same request can be sent again"
	readOnly      = "the daemon can't record anything now, so it takes no money either: try again later"
	orderConflict = "the id or Idempotency-Key belongs to another order: send what its key was sent with, or choose a new id and key"
	noKeeper      = "the keeper of its host, which knows how it is reached, does not answer: try again later"
	logChanged    = "the log is not what was signed, so it proves nothing: GET /v1/log says why"
	released      = "the resource is released, which is final: POST /v1/orders makes another one"
	noPayment     = "there is no such payment: GET /v1/unallocated lists those without a resource"
	tooSlow       = "the daemon took too long: it is open whether it was done; the same request can be sent again"
)

// refusals are the errors of the domain, with the status and the code that they are
// shown as. The first that fits is taken, since some wrap others. The texts of these
// errors are written for the caller; detail is for those that are not.
var refusals = []struct {
	err    error
	status int
	code   string
	retry  time.Duration
	detail string
}{
	{billing.ErrPayable, 409, "payable", time.Minute, ""},
	{opening.ErrWhichOrder, 409, "which_order", 0, ""},
	{billing.ErrServed, 409, "served_wallet", 0, ""},
	{wallet.ErrUnknown, 404, "unknown_wallet", 0, "there is no such wallet: GET /v1/wallets lists those that were ever watched"},
	{signing.ErrNoKey, 409, "no_log_key", 0, "this host does not have the key of the log: fork it at the host that has"},
	{signing.ErrNoAlarm, 409, "log_as_signed", 0, "the log is what was signed, as far as is known here: " +
		"if its store was put back by other means than \"sandglass store restore\", say so by put_back (--put-back)"},
	{receipt.ErrNone, 409, "no_receipt", 0, ""},
	{receipt.ErrNotYet, 503, "not_signed_yet", 10 * time.Second, ""},
	{receipt.ErrUnproven, 503, "log_changed", time.Minute, logChanged},
	{fork.ErrMoved, 409, "log_forked", 0, "the log was forked meanwhile: GET /v1/log says why"},
	{fork.ErrInvalid, 400, "bad_reason", 0, ""},
	{billing.ErrPaid, 409, "being_paid", 5 * time.Second, "an invoice of it is just being paid: try again in a moment"},
	{billing.ErrNoChain, 409, "no_chain", 0, "nothing is paid on the chain here: pay the invoice"},
	{billing.ErrHeld, 409, "held", 15 * time.Second, ""},
	{held.Err, 409, "held", 15 * time.Second, ""},
	{billing.ErrNotHeld, 409, "only_invoice", 0, ""},
	{billing.ErrFull, 503, "too_many_held", time.Minute, ""},
	{billing.ErrStarting, 503, "starting", 5 * time.Second, starting},
	{fence.ErrUnread, 503, "starting", 2 * time.Second, unread},
	{billing.ErrTooManyOpen, 429, "too_many_open", time.Minute, tooManyOpen},
	{billing.ErrWallet, 503, "no_wallet", 15 * time.Second, noWallet},
	{param.ErrInvalid, 422, "invalid_parameter", 0, ""},
	{params.ErrElsewhere, 409, "other_host", 0, ""},
	{params.ErrFull, 429, "too_many_open", time.Minute, tooManyOpen},
	{access.ErrNoKeeper, 503, "no_keeper", 15 * time.Second, noKeeper},
	{access.ErrBusy, 503, "busy", time.Second, ""},
	{access.ErrNone, 404, "no_access", 0, ""},
	{access.ErrNotUp, 409, "not_up", 0, ""},
	{access.ErrTooSoon, 429, "too_soon", time.Second, ""},
	{access.ErrFailed, 502, "access_failed", 15 * time.Second, ""},
	{config.ErrTooSoon, 429, "too_soon", config.MinKept.Std(), ""},
	{billing.ErrCapacity, 409, "no_capacity", time.Minute, ""},
	{billing.ErrHost, 422, "wrong_host", 0, ""},
	{billing.ErrInvalid, 422, "invalid_request", 0, ""},
	{stream.ErrUnavailable, 503, "store_unavailable", 15 * time.Second, unavailable},
	{stream.ErrReadOnly, 503, "read_only", 30 * time.Second, readOnly},
	{stream.ErrWrongRevision, 503, "busy", time.Second, "others changed the same at the same time: try again"},
	{resource.ErrNotOpened, 404, "unknown_resource", 0, "there is no such resource: POST /v1/orders makes one"},
	{resource.ErrExists, 409, "order_conflict", 0, orderConflict},
	{resource.ErrReleased, 409, "released", 0, released},
	{resource.ErrNotRuns, 409, "not_running", 0, ""},
	{uptime.ErrTooSoon, 429, "too_soon", 0, ""},
	{resource.ErrNotPaused, 409, "not_paused", 0, ""},
	{resource.ErrNoTime, 409, "no_time", 0, "no time is left: pay first, by POST /v1/resources/{id}/payments"},
	{resource.ErrConflict, 409, "conflict", 0, ""},
	{resource.ErrInvalid, 422, "invalid_request", 0, ""},
	{payment.ErrConflict, 409, "conflict", 0, ""},
	{payment.ErrUnknown, 404, "unknown_payment", 0, noPayment},
	{payment.ErrState, 409, "not_possible", 0, ""},
	{payment.ErrInvalid, 422, "invalid_request", 0, ""},
	{address.ErrConflict, 409, "conflict", 0, ""},
	{find.ErrNotOurs, 409, "not_ours", 0, ""},
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

// Of returns err as it is shown to the client of a request, whose context is ctx.
func Of(ctx context.Context, err error) *Problem {
	if p, ok := errors.AsType[*Problem](err); ok {
		return p
	}
	for _, r := range refusals {
		if !errors.Is(err, r.err) {
			continue
		}
		p := New(r.status, r.code, "%s", r.detail).After(r.retry)
		if p.Detail == "" {
			p.Detail = bare(err)
		}
		if soon, ok := errors.AsType[*uptime.TooSoonError](err); ok {
			p.Retry = soon.Wait.Std()
		}
		if named, ok := errors.AsType[*param.Error](err); ok {
			p.Errors = []wire.Fault{{Location: "body.params." + cut(named.Name), Message: named.Why}}
		}
		if r.status >= 500 {
			p.Cause = err
		}
		return p
	}
	// A deadline is of the request, or of what it waited for.
	late := errors.Is(ctx.Err(), context.DeadlineExceeded) || errors.Is(err, context.DeadlineExceeded)
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return New(499, "canceled", "the request was broken off")
	case late:
		p := New(http.StatusServiceUnavailable, "timeout", tooSlow).After(5 * time.Second)
		p.Cause = err
		return p
	}
	return Internal(err)
}

// cut bounds a name that a client gave.
func cut(name string) string { return strings.ToValidUTF8(name[:min(len(name), 40)], "?") }

// bare returns the text of err without the name of the package that leads it.
func bare(err error) string {
	text := err.Error()
	if name, rest, ok := strings.Cut(text, ": "); ok && !strings.Contains(name, " ") {
		return rest
	}
	return text
}
