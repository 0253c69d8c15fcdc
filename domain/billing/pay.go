package billing

import (
	"context"
	"fmt"

	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/payment"
	"sandglass/domain/resource"
	"sandglass/domain/stream"
)

// Pay asks the wallet for another invoice of a resource. An open one of the same
// amount that lasts for at least half its time is given again.
func (b *Service) Pay(
	ctx context.Context, meta stream.Meta, id resource.ID, time instant.Millis, amount money.Msat,
) (payment.Outcome, error) {
	if err := b.checkSwept(); err != nil {
		return payment.Outcome{}, err
	}
	defer b.lock(id)()
	out, err := b.Resources.Load(ctx, id)
	switch {
	case err != nil:
		return payment.Outcome{}, err
	case out.State.Status == resource.StatusNone:
		return payment.Outcome{}, resource.ErrNotOpened
	case out.State.Status == resource.StatusReleased:
		return payment.Outcome{}, resource.ErrReleased
	}
	q, err := b.quoteResource(out.State, time, amount)
	if err != nil {
		return payment.Outcome{}, err
	}
	return b.invoice(ctx, meta, id, q)
}

// Required returns how many confirmations a payment to a resource needs to be credited, while
// a reorg can take that sum of it: see [plan.ConfirmationRule].
func (b *Service) Required(id resource.ID, sum money.Msat) int {
	r, _, _ := b.Views.Resource(id)
	p, _ := b.Views.Plan(r.Plan) // where there is none, nothing asks for more
	return p.Large.Required(sum, b.Confirmations)
}

// invoice gives an open invoice for q, or makes one. The caller holds the lock of id.
// While the log takes nothing, no invoice is given and the wallet is asked for none:
// money that is paid then could not be recorded.
func (b *Service) invoice(ctx context.Context, meta stream.Meta, id resource.ID, q Quote) (payment.Outcome, error) {
	if err := b.writable(); err != nil {
		return payment.Outcome{}, err
	}
	now, open := b.Now(), 0
	for _, p := range b.Views.PaymentsOf(id) {
		if p.Status != payment.StatusRequested {
			continue
		}
		if p.Asked == q.Amount && p.Price == q.Price && p.Expiry.Sub(now) > b.Limits.Expiry/2 {
			<-b.ensureAddress(ctx, meta, id) // which may have failed when the invoice was made
			return payment.Outcome{State: p}, nil
		}
		open++
	}
	if open >= b.Limits.OpenPerResource || b.Views.OpenCount() >= b.Limits.Open {
		return payment.Outcome{}, ErrTooManyOpen
	}
	issued := b.ensureAddress(ctx, meta, id)
	inv, err := b.Wallet.Invoice(ctx, q.Amount, "sandglass "+string(id), b.Limits.Expiry)
	<-issued
	if err != nil {
		return payment.Outcome{}, fmt.Errorf("%w: %w", ErrWallet, err)
	}
	out, err := b.Payments.Execute(ctx, inv.Key, meta, payment.Request{
		At: b.Now(), Resource: id, Amount: q.Amount, Price: q.Price, Expiry: inv.Expiry, Invoice: inv.Request,
	})
	if err != nil {
		return out, err // the invoice was shown to nobody, and will expire
	}
	return out, b.Views.WaitFor(ctx, out.Position)
}
