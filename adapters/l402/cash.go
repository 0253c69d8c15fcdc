package l402

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"sandglass/adapters/httpapi/client"
	"sandglass/adapters/httpapi/client/inprocess"
	"sandglass/adapters/httpapi/wire"
	"sandglass/adapters/l402/token"
	"sandglass/domain/money"
	"sandglass/domain/payment"
	"sandglass/domain/resource"
)

// cashHeader has a token in a request, and what a token is to be in an answer (NUT-24).
const cashHeader = "X-Cashu"

// The length of an Idempotency-Key, as an order's is.
const minKey, maxKey = 20, 128

// Cash is what takes tokens of digital cash. An error of it may be a [Refused].
type Cash interface {
	// Asks returns what a token is asked to be that buys an amount: as wallets read it, in satoshi, and of which mints.
	Asks(amount money.Msat) (request string, sat int64, mints []string)
	// Hash returns what names a token, however it is written.
	Hash(cash string) ([32]byte, error)
	// Sent reports whether the token of that name is known of a request before.
	Sent(hash [32]byte) bool
	// Pay has a token pay for a resource, once, however often it is sent, and returns the payment, which may not be
	// credited yet. sale makes an invoice: of what is asked for where the amount is 0, or of more. What it returns
	// as an error is returned, and the token was not used then.
	Pay(
		ctx context.Context, cash string, of resource.ID, sale func(context.Context, money.Msat) (payment.Key, error),
	) (payment.Key, error)
}

// Refused is an error that says itself how a request is answered.
type Refused interface {
	error
	Refused() (status int, code, why string, retry time.Duration)
}

// unlessRefused returns a [Refused] as the problem that it is, with its cause for the log, and other errors as
// they are.
func unlessRefused(err error) error {
	no, ok := errors.AsType[Refused](err)
	if !ok {
		return err
	}
	status, code, why, retry := no.Refused()
	p := problem(status, code, "%s", why)
	p.RetryAfter = retry
	if cause := errors.Unwrap(no); cause != nil {
		return errors.Join(p, cause)
	}
	return p
}

// cashOf returns the token in a request, "" if there is none, and takes it out of what was asked for.
func cashOf(r *http.Request, req *wire.BuyRequest) (string, error) {
	all := r.Header.Values(cashHeader)
	if req.Cashu != "" {
		all, req.Cashu = append(all, req.Cashu), ""
	}
	switch {
	case len(all) == 0:
		return "", nil
	case len(all) > 1:
		return "", problem(http.StatusBadRequest, "bad_token",
			"there is more than one token: send one, as X-Cashu or as cashu in the body")
	case strings.HasPrefix(strings.ToLower(all[0]), "creq"):
		return "", problem(http.StatusBadRequest, "bad_token",
			"X-Cashu has what was asked for: send a token of it, cashuA… or cashuB…")
	}
	return all[0], nil
}

// askForCash says in a demand which token would do.
func (s *Server) askForCash(w http.ResponseWriter, p *wire.PaymentRequired) {
	if s.Cash == nil {
		return
	}
	request, sat, mints := s.Cash.Asks(p.Payment.Asked)
	w.Header().Set(cashHeader, request)
	p.Cashu = &wire.Cashu{Request: request, Amount: sat, Mints: mints}
	p.Detail += fmt.Sprintf(". Or send the same request with a Cashu token as X-Cashu, or as cashu in its body: of %d sat, "+
		"what its mint takes for it included as far as that is known, of %s. What is over buys time, but for what the mint "+
		"keeps in reserve for the way", sat, strings.Join(mints, " or "))
}

// errBought says that what is asked for was bought so long ago that the payment is not found by its token any more.
var errBought = errors.New("l402: it is bought")

// buyByCash answers a request with what a token buys. Who sends the same again is answered so again.
func (s *Server) buyByCash(w http.ResponseWriter, r *http.Request, req *wire.BuyRequest, c *token.Credential, cash string) {
	if s.Cash == nil {
		refuse(w, problem(http.StatusBadRequest, "no_cash", "no tokens of digital cash are taken here: "+
			"send the same request without one, and pay the invoice of the answer"))
		return
	}
	hash, err := s.Cash.Hash(cash)
	if err != nil {
		refuse(w, err)
		return
	}
	if s.Cash.Sent(hash) { // its invoice, which counted, is there: its mint is asked again all the same
		if err := inprocess.CountWrite(w); err != nil {
			refuse(w, err)
			return
		}
	}
	id, err := purchaseOf(r, hash, req)
	if err != nil {
		refuse(w, err)
		return
	}
	of, key := s.mint.HolderKey(id)
	sale := s.order(w, r, req, id)
	if req.Resource != "" {
		of, key = resource.ID(req.Resource), bearer(r)
		if c != nil && c.Resource == of {
			key = s.holder(c)
		}
		sale = s.topUp(w, r, req, key)
	}
	paid, err := s.Cash.Pay(r.Context(), cash, of, sale)
	if p, ok := errors.AsType[*client.Problem](err); ok {
		p.Detail += ": your token was not used"
	}
	if err != nil && !errors.Is(err, errBought) {
		refuse(w, err)
		return
	}
	s.give(w, r, of, paid, key, func(out *wire.Order) {
		if req.Plan != "" {
			out.HolderKey = key
		}
	})
}

// purchaseOf returns what names a purchase, from which its holder key follows: the token, the request, and, since its
// mint has seen the token, what the payer added that the mint has not. A token in another request is another purchase,
// whose holder key is another: it bought one of them.
func purchaseOf(r *http.Request, hash [32]byte, req *wire.BuyRequest) ([32]byte, error) {
	named := fmt.Appendf(nil, "cashu %x %s", hash, hashOfRequest(req))
	switch key := r.Header.Get("Idempotency-Key"); {
	case key == "":
	case len(key) < minKey || len(key) > maxKey:
		return [32]byte{}, invalid(fmt.Sprintf("Idempotency-Key has %d characters: want %d to %d that nobody can guess, or none",
			len(key), minKey, maxKey))
	default:
		named = fmt.Appendf(named, " %s", key)
	}
	return sha256.Sum256(named), nil
}

// order returns what makes the invoices of an order that is named by an id.
func (s *Server) order(w http.ResponseWriter, r *http.Request, req *wire.BuyRequest, id [32]byte) sale {
	return func(ctx context.Context, amount money.Msat) (payment.Key, error) {
		of, key := s.mint.HolderKey(id)
		if amount > 0 {
			p, err := s.client(w, r, key).Fund(ctx, string(of), wire.FundRequest{Amount: amount, Own: true})
			return payment.Key(p.Key), err
		}
		o, err := s.client(w, r, "").Order(ctx, wire.OrderRequest{
			Plan: req.Plan, Time: req.Time, Amount: req.Amount, Host: req.Host, Params: req.Params,
		}, s.mint.Seed(id))
		if err == nil && o.Payment == nil {
			return "", errBought
		}
		if err != nil {
			return "", err
		}
		return payment.Key(o.Payment.Key), nil
	}
}

// sale makes invoices: see [Cash].
type sale = func(context.Context, money.Msat) (payment.Key, error)

// topUp returns what makes the invoices of a resource.
func (s *Server) topUp(w http.ResponseWriter, r *http.Request, req *wire.BuyRequest, key string) sale {
	return func(ctx context.Context, amount money.Msat) (payment.Key, error) {
		ask := wire.FundRequest{Time: req.Time, Amount: req.Amount, Own: true}
		if amount > 0 {
			ask.Time, ask.Amount = 0, amount
		}
		p, err := s.client(w, r, key).Fund(ctx, req.Resource, ask)
		return payment.Key(p.Key), err
	}
}
