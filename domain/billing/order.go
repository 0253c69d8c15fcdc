package billing

import (
	"context"
	"errors"
	"slices"

	"sandglass/domain/billing/keys"
	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/payment"
	"sandglass/domain/plan"
	"sandglass/domain/plan/param"
	"sandglass/domain/request"
	"sandglass/domain/resource"
	"sandglass/domain/stream"
)

// OrderRequest asks for a resource that is yet to be made.
type OrderRequest struct {
	Plan   string
	Time   instant.Millis // or Amount
	Amount money.Msat
	ID     resource.ID // chosen by the caller, or empty
	Host   string      // likewise
	// IdempotencyKey names the request: sent again it gives the same order. It is a
	// secret, since the holder key follows from it.
	IdempotencyKey string
	Address        bool         // on the chain is wanted too, if it can be had now
	Params         param.Values // as the plan declares them
}

// Order is a resource that waits for its payment, or has had it.
type Order struct {
	Resource  resource.State
	HolderKey string        // pauses, resumes and releases; empty where only its first caller may know it
	Payment   payment.State // zero once the resource was paid
	New       bool
}

// Order takes an order and asks the wallet for its invoice. Nothing of it is in the log until
// somebody pays. The same key with the same content gives the same order, at the terms that it
// had, as the same id does for who sends no key. Other content, or an id that another key's order
// has, is [resource.ErrExists], for as long as one of its invoices can be paid, or what pays its
// address is on its way.
func (b *Service) Order(ctx context.Context, meta stream.Meta, r OrderRequest) (Order, error) {
	id, holder, err := keys.Names(b.Random, r.IdempotencyKey, r.ID)
	if err != nil {
		return Order{}, err
	}
	if err := b.Reading(); err != nil {
		return Order{}, err
	}
	if r.Address && !b.OnChain() {
		return Order{}, ErrNoChain
	}
	defer b.lock(id)()
	hash := keys.OfRequest(r.Plan, r.Time, r.Amount, r.Host, r.Params, holder)
	s, err := b.find(ctx, id)
	isNew := errors.Is(err, resource.ErrNotOpened)
	if err == nil {
		same, own := s.Plan == r.Plan && s.Request == hash, keys.Holds(s.State, holder)
		isNew = s.order != nil && !(same && own) && !b.mayBePaid(id)
		if !isNew && !(same && (own || r.IdempotencyKey == "")) { // a key answers with the order that it made alone
			err = resource.ErrExists
		}
	}
	if isNew && err == nil { // in the place of another one
		err = b.checkDeposits(id)
	}
	if isNew && (err == nil || errors.Is(err, resource.ErrNotOpened)) {
		s, err = b.newOrder(ctx, r, id, resource.Order{Plan: r.Plan, Holder: keys.Hash(holder), Request: hash}, holder)
	} else if err == nil && s.order != nil {
		s.kept = b.keptAgain(r, s.order, id, holder)
	}
	if err != nil {
		return Order{}, err
	}
	if r.Address && holds(&s) {
		return Order{}, ErrNotHeld
	}
	o := Order{New: isNew}
	if s.Status == resource.StatusAwaiting {
		q, err := plan.Priced(s.Terms.Price, r.Time, r.Amount) // its bounds were held when it was new
		if err != nil {
			return Order{}, err
		}
		if o.Payment, err = b.invoice(ctx, &s, wish{Quote: q, byHolder: keys.Holds(s.State, holder)}); err != nil {
			return Order{}, err
		}
		if r.Address {
			_, _ = b.address(ctx, meta, &s) // the invoice pays all the same, and the next request tries again
		}
	}
	if keys.Holds(s.State, holder) {
		o.HolderKey = holder
	}
	o.Resource = s.State
	return o, nil
}

// mayBePaid reports whether what was given out by an order of an id may still bring money: an
// invoice, or a deposit that is on its way. Until then the id is not free.
func (b *Service) mayBePaid(id resource.ID) bool {
	now := b.Now()
	if slices.ContainsFunc(b.Requests.Of(id), func(r *request.Record) bool {
		return r.Key != "" && r.Expiry.Add(request.Settling) > now
	}) {
		return true
	}
	return len(b.Opening.Coming(id)) > 0
}

// checkDeposits returns [ErrStarting] while it is not known what is on its way to the addresses of
// the orders of an id.
func (b *Service) checkDeposits(id resource.ID) error {
	if b.Deposits == nil || !slices.ContainsFunc(b.Requests.Of(id), func(r *request.Record) bool { return r.Address != "" }) {
		return nil
	}
	select {
	case <-b.Deposits.Swept():
		return nil
	default:
		return ErrStarting
	}
}

// newOrder returns what an order would open, at the terms that its plan has now.
func (b *Service) newOrder(
	ctx context.Context, r OrderRequest, id resource.ID, o resource.Order, holder string,
) (subject, error) {
	if _, err := b.Quote(r.Plan, r.Time, r.Amount); err != nil {
		return subject{}, err
	}
	p, _ := b.Views.Plan(r.Plan)
	o.Terms, o.Enforcer = p.Terms, p.Enforcer
	kept, err := b.orderParams(&p, &r, id, holder)
	if err != nil {
		return subject{}, err
	}
	if kept != nil {
		o.Params = kept.Ref().Hash
	}
	if o.Host, err = b.place(ctx, &p, r.Host, id); err != nil {
		return subject{}, err
	}
	opens, err := resource.Opens(id, &o, b.Now())
	return subject{opens, &o, kept}, err
}
