package desk

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
func (d *Desk) Pause(ctx context.Context, meta stream.Meta, id string) (resource.State, stream.Position, error) {
	return d.command(ctx, meta, id, resource.Pause{When: d.when()})
}

// Resume lets a paused resource run again.
func (d *Desk) Resume(ctx context.Context, meta stream.Meta, id string) (resource.State, stream.Position, error) {
	return d.command(ctx, meta, id, resource.Resume{When: d.when()})
}

// Release ends a resource for good. Reason is holder or operator.
func (d *Desk) Release(ctx context.Context, meta stream.Meta, id, reason string) (resource.State, stream.Position, error) {
	return d.command(ctx, meta, id, resource.Release{When: d.when(), Reason: reason})
}

// Grant gives time for nothing, once for each key.
func (d *Desk) Grant(ctx context.Context, meta stream.Meta, id, key string, time instant.Millis, reason string) (resource.State, stream.Position, error) {
	if err := plan.CheckName(key); err != nil {
		return resource.State{}, 0, err
	}
	return d.command(ctx, meta, id, resource.Grant{When: d.when(), Key: key, Time: time, Reason: reason})
}

// Reprice sets the price of a resource's later credits.
func (d *Desk) Reprice(ctx context.Context, meta stream.Meta, id string, p money.Price) (resource.State, stream.Position, error) {
	return d.command(ctx, meta, id, resource.Reprice{When: d.when(), Price: p})
}

// Move gives a resource to another host. Both daemons may run: whoever settles it
// meanwhile does so at the revision that they read.
func (d *Desk) Move(ctx context.Context, meta stream.Meta, id, host string) (resource.State, stream.Position, error) {
	return d.command(ctx, meta, id, resource.Place{When: d.when(), Host: host})
}

// command executes c once the wallet has been read: a command settles its resource
// first, which must not end the time of somebody whose payment is still to be found.
func (d *Desk) command(ctx context.Context, meta stream.Meta, id string, c resource.Command) (resource.State, stream.Position, error) {
	if err := d.started(); err != nil {
		return resource.State{}, 0, err
	}
	out, err := d.Resources.Execute(ctx, id, meta, c)
	return out.State, out.Position, err
}

// Publish puts a plan on offer, or changes it for later orders.
func (d *Desk) Publish(ctx context.Context, meta stream.Meta, name string, p plan.Published) (plan.State, stream.Position, error) {
	p.At.At = d.Now()
	out, err := d.Plans.Execute(ctx, name, meta, plan.Publish{Published: p})
	return out.State, out.Position, err
}

// Withdraw takes a plan off the offer. What was sold runs on.
func (d *Desk) Withdraw(ctx context.Context, meta stream.Meta, name string) (plan.State, stream.Position, error) {
	out, err := d.Plans.Execute(ctx, name, meta, plan.Withdraw{Withdrawn: plan.Withdrawn{At: plan.At{At: d.Now()}}})
	return out.State, out.Position, err
}

// Allocate gives unallocated money to a resource.
func (d *Desk) Allocate(ctx context.Context, meta stream.Meta, key, to string) (payment.State, stream.Position, error) {
	if err := d.started(); err != nil {
		return payment.State{}, 0, err
	}
	return d.Booker.Give(ctx, meta, key, to)
}
