package billing

import (
	"context"

	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/payment"
	"sandglass/domain/plan"
	"sandglass/domain/resource"
	"sandglass/domain/stream"
)

// Pause stops the clock of a running resource.
func (b *Service) Pause(ctx context.Context, meta stream.Meta, id resource.ID) (resource.Outcome, error) {
	return b.command(ctx, meta, id, resource.Pause{When: b.when()})
}

// Resume lets a paused resource run again.
func (b *Service) Resume(ctx context.Context, meta stream.Meta, id resource.ID) (resource.Outcome, error) {
	return b.command(ctx, meta, id, resource.Resume{When: b.when()})
}

// Release ends a resource for good. Reason is holder or operator.
func (b *Service) Release(
	ctx context.Context, meta stream.Meta, id resource.ID, reason resource.Reason,
) (resource.Outcome, error) {
	return b.command(ctx, meta, id, resource.Release{When: b.when(), Reason: reason})
}

// Grant gives time for nothing, once for each key.
func (b *Service) Grant(
	ctx context.Context, meta stream.Meta, id resource.ID, key string, time instant.Millis, reason string,
) (resource.Outcome, error) {
	if err := plan.CheckName(key); err != nil {
		return resource.Outcome{}, err
	}
	return b.command(ctx, meta, id, resource.Grant{When: b.when(), Key: key, Time: time, Reason: reason})
}

// Reprice sets the price of a resource's later credits.
func (b *Service) Reprice(ctx context.Context, meta stream.Meta, id resource.ID, p money.Price) (resource.Outcome, error) {
	return b.command(ctx, meta, id, resource.Reprice{When: b.when(), Price: p})
}

// Move gives a resource to another host. Both daemons may run: whoever settles it
// meanwhile does so at the revision that they read.
func (b *Service) Move(ctx context.Context, meta stream.Meta, id resource.ID, host string) (resource.Outcome, error) {
	return b.command(ctx, meta, id, resource.Place{When: b.when(), Host: host})
}

// command executes c once the wallet has been read: a command settles its resource
// first, which must not end the time of somebody whose payment is still to be found.
func (b *Service) command(ctx context.Context, meta stream.Meta, id resource.ID, c resource.Command) (resource.Outcome, error) {
	if err := b.checkSwept(); err != nil {
		return resource.Outcome{}, err
	}
	return b.Resources.Execute(ctx, id, meta, c)
}

// Publish puts a plan on offer, or changes it for later orders.
func (b *Service) Publish(ctx context.Context, meta stream.Meta, name string, o plan.Offer) (plan.Outcome, error) {
	return b.Plans.Execute(ctx, name, meta, plan.Publish{At: b.Now(), Offer: o})
}

// Withdraw takes a plan off the offer. What was sold runs on.
func (b *Service) Withdraw(ctx context.Context, meta stream.Meta, name string) (plan.Outcome, error) {
	return b.Plans.Execute(ctx, name, meta, plan.Withdraw{At: b.Now()})
}

// Allocate gives unallocated money to a resource.
func (b *Service) Allocate(ctx context.Context, meta stream.Meta, key payment.Key, to resource.ID) (payment.Outcome, error) {
	if err := b.checkSwept(); err != nil {
		return payment.Outcome{}, err
	}
	return b.Booker.Allocate(ctx, meta, key, to)
}
