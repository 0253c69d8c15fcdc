package billing

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"sandglass/domain/billing/held"
	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/payment"
	"sandglass/domain/plan"
	"sandglass/domain/request"
	"sandglass/domain/resource"
	"sandglass/domain/stream"
)

// Pause stops the clock of a running resource. While a payment of it is held it is [held.Err] for its holder.
func (b *Service) Pause(ctx context.Context, meta stream.Meta, id resource.ID) (resource.Outcome, error) {
	out, err := b.Resources.Load(ctx, id)
	if err = errors.Join(err, held.Check(b.Views, resource.Reason(meta.Actor), &out.State)); err != nil {
		return out, err
	}
	return b.command(ctx, meta, id, resource.Pause{When: b.when()})
}

// Resume lets a paused resource run again.
func (b *Service) Resume(ctx context.Context, meta stream.Meta, id resource.ID) (resource.Outcome, error) {
	return b.command(ctx, meta, id, resource.Resume{When: b.when()})
}

// Release ends a resource for good. Reason is holder or operator. Its open invoices are
// canceled at the wallet first, since one that can be paid buys time: where one can't be, it is
// [ErrPayable], and nothing is released; while a payment of it is held it is [held.Err] for its holder. An
// order that nobody has paid is gone, and its id free: what comes to its address from then on is unallocated.
func (b *Service) Release(
	ctx context.Context, meta stream.Meta, id resource.ID, reason resource.Reason,
) (resource.Outcome, error) {
	if err := b.Reading(); err != nil {
		return resource.Outcome{}, err
	}
	defer b.lock(id)()
	s, err := b.find(ctx, id)
	if err == nil {
		err = held.Check(b.Views, reason, &s.State)
	}
	if err != nil {
		return resource.Outcome{}, err
	}
	c := resource.Release{When: b.when(), Reason: reason}
	if s.order == nil {
		err = b.cancelAll(ctx, id)
	} else {
		err = b.releaseOrder(ctx, &s, c.At)
	}
	if err != nil {
		return resource.Outcome{}, err
	}
	out, err := b.Resources.Execute(ctx, id, meta, c) // its money may just have opened an order
	if s.order == nil || !errors.Is(err, resource.ErrNotOpened) {
		return out, err
	}
	events, err := resource.Decide(s.State, c)
	for _, e := range events {
		s.State = resource.Evolve(s.State, e)
	}
	return resource.Outcome{State: s.State}, err
}

// releaseOrder ends what was given out by an order, for good, its invoices first: they are canceled
// unless it is known that nothing comes by them.
func (b *Service) releaseOrder(ctx context.Context, s *subject, at instant.Time) error {
	var addresses []*request.Record
	payable := b.Requests.PayableOf(s.ID)
	for _, r := range b.Requests.Of(s.ID) {
		switch {
		case !sameOrder(r.Order, s.order):
			continue
		case r.Address != "":
			addresses = append(addresses, r)
			continue
		case slices.Contains(payable, r):
			if err := b.Wallet.Cancel(ctx, r.Key); err != nil {
				return fmt.Errorf("%w until %s: %w", ErrPayable, r.Expiry, err)
			}
		}
		if err := b.release(ctx, r, at); err != nil {
			return err
		}
	}
	for _, r := range addresses {
		if err := b.release(ctx, r, at); err != nil {
			return err
		}
	}
	return nil
}

// release says of a record that its order is released.
func (b *Service) release(ctx context.Context, r *request.Record, at instant.Time) error {
	released := *r
	released.Released = at
	return b.Requests.Keep(ctx, &released)
}

// cancelAll cancels every invoice of a resource that may still be paid.
func (b *Service) cancelAll(ctx context.Context, id resource.ID) error {
	now := b.Now()
	for _, r := range b.Requests.Of(id) {
		if r.Key == "" || r.Expiry <= now {
			continue
		}
		if err := b.cancel(ctx, r); err != nil {
			return fmt.Errorf("%w until %s: %w", ErrPayable, r.Expiry, err)
		}
	}
	for _, p := range b.Views.PaymentsOf(id) { // that earlier builds asked for
		if p.Status == payment.StatusRequested && p.Expiry > now {
			if err := b.Wallet.Cancel(ctx, p.Key); err != nil {
				return fmt.Errorf("%w until %s: %w", ErrPayable, p.Expiry, err)
			}
		}
	}
	return nil
}

// Grant gives time for nothing, once for each key. It opens what was only ordered, as all
// that operators do: by its latest order.
func (b *Service) Grant(
	ctx context.Context, meta stream.Meta, id resource.ID, key string, time instant.Millis, reason string,
) (Outcome[resource.State], error) {
	if err := plan.CheckName(key); err != nil {
		return Outcome[resource.State]{}, err
	}
	return b.byOperator(ctx, meta, id, resource.Grant{When: b.when(), Key: key, Time: time, Reason: reason})
}

// Reprice sets the price of a resource's later credits.
func (b *Service) Reprice(
	ctx context.Context, meta stream.Meta, id resource.ID, p money.Price,
) (Outcome[resource.State], error) {
	return b.byOperator(ctx, meta, id, resource.Reprice{When: b.when(), Price: p})
}

// Move gives a resource to another host. Both daemons may run: whoever settles it
// meanwhile does so at the revision that they read.
func (b *Service) Move(ctx context.Context, meta stream.Meta, id resource.ID, host string) (Outcome[resource.State], error) {
	return b.byOperator(ctx, meta, id, resource.Place{When: b.when(), Host: host})
}

// byOperator executes c, on a resource that it opens if it was only ordered and c is possible.
func (b *Service) byOperator(
	ctx context.Context, meta stream.Meta, id resource.ID, c resource.Command,
) (did Outcome[resource.State], err error) {
	did.Outcome, err = b.command(ctx, meta, id, c)
	if !errors.Is(err, resource.ErrNotOpened) {
		return did, err
	}
	if did.Opened, err = b.openLatest(ctx, meta, id); err != nil {
		return did, err
	}
	did.Outcome, err = b.command(ctx, meta, id, c)
	return did, err
}

// command executes c once the wallet has been read: a command settles its resource
// first, which must not end the time of somebody whose payment is still to be found.
func (b *Service) command(ctx context.Context, meta stream.Meta, id resource.ID, c resource.Command) (resource.Outcome, error) {
	if err := b.Reading(); err != nil {
		return resource.Outcome{}, err
	}
	out, err := b.Resources.Execute(ctx, id, meta, c)
	return out, b.refuse(id, c, err)
}

// Publish puts a plan on offer, or changes it for later orders.
func (b *Service) Publish(ctx context.Context, meta stream.Meta, name string, o plan.Offer) (plan.Outcome, error) {
	if o.Terms.Uptime && (b.Reports == nil || !b.Reports()) {
		return plan.Outcome{}, fmt.Errorf("%w: uptime is billed by what the keeper of a host says, and this host has none: "+
			"install it (systemd/MANUAL.md, Installing the keeper), or bill the wall", plan.ErrInvalid)
	}
	if o.Terms.Hold {
		err := errors.New("this daemon has no wallet that does so")
		if b.Holding != nil {
			err = b.Holding.CanHold()
		}
		if err != nil {
			return plan.Outcome{}, fmt.Errorf("%w: no payment can be held: %w", plan.ErrInvalid, err)
		}
	}
	return b.Plans.Execute(ctx, name, meta, plan.Publish{At: b.Now(), Offer: o})
}

// Withdraw takes a plan off the offer. What was sold runs on.
func (b *Service) Withdraw(ctx context.Context, meta stream.Meta, name string) (plan.Outcome, error) {
	return b.Plans.Execute(ctx, name, meta, plan.Withdraw{At: b.Now()})
}
