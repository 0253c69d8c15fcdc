package payment

import (
	"context"
	"errors"
	"fmt"

	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/resource"
	"sandglass/domain/stream"
)

// Handlers of the two aggregates that a payment touches.
type (
	// Payments executes commands on payments.
	Payments = stream.Handler[State, Command, Event]
	// Resources executes commands on resources.
	Resources = stream.Handler[resource.State, resource.Command, resource.Event]
)

// Booker carries settled payments to their end. Every step knows its own traces: after
// a crash, or an error that leaves it open what was kept, booking again goes on.
type Booker struct {
	Payments  *Payments
	Resources *Resources
	Now       func() instant.Time
	Gap       resource.When // the policy for gaps; its At is not used
}

// Book takes a settlement that the wallet tells of, once or ten times, and returns the
// payment when it is credited or unallocated: durable, both. It returns the position of
// the last event that it wrote, 0 if none. A settlement that contradicts an earlier one
// is [ErrConflict], and changes nothing.
func (b *Booker) Book(ctx context.Context, meta stream.Meta, key string, c Settled) (State, stream.Position, error) {
	return b.book(ctx, meta, key, Settle{Settled: c})
}

// BookBlock books an output that has its confirmations in its block, at a node. If it was
// confirmed in another block in the meantime, it is left at that.
func (b *Booker) BookBlock(ctx context.Context, meta stream.Meta, s *State, node string) (State, stream.Position, error) {
	return b.book(ctx, meta, s.Key, Settle{SettledOnChain(s, b.Now(), node), s.Block})
}

func (b *Booker) book(ctx context.Context, meta stream.Meta, key string, c Settle) (State, stream.Position, error) {
	out, err := b.Payments.Execute(ctx, key, meta, c)
	if err != nil {
		return out.State, out.Position, err
	}
	return b.finish(ctx, meta, out)
}

// finish carries on what was written just now.
func (b *Booker) finish(ctx context.Context, meta stream.Meta, before stream.Outcome[State]) (State, stream.Position, error) {
	s, position, err := b.Finish(ctx, meta, before.State)
	return s, max(position, before.Position), err
}

// Finish carries a settled payment on from where it stands, and takes back from its
// resource what a reorg took from us.
func (b *Booker) Finish(ctx context.Context, meta stream.Meta, s State) (State, stream.Position, error) {
	if s.Status == StatusReorged {
		return b.takeBack(ctx, meta, s.Key)
	}
	if s.Status != StatusSettled {
		return s, 0, nil
	}
	reason, err := b.credit(ctx, meta, s)
	if err != nil {
		return s, 0, err
	}
	at := At{b.Now()}
	var end Command = Credit{Credited{at, s.Resource}}
	if reason != "" {
		end = Unallocate{Unallocated{at, s.Resource, reason}}
	}
	out, err := b.Payments.Execute(ctx, s.Key, meta, end)
	if reason == "" && errors.Is(err, ErrState) {
		err = errors.Join(err, b.undo(ctx, meta, s))
	}
	return out.State, out.Position, err
}

// takeBack takes the credit of a reorged payment back, unless it is in a block again by
// now: who asks may know only what it was a while ago.
func (b *Booker) takeBack(ctx context.Context, meta stream.Meta, key string) (State, stream.Position, error) {
	out, err := b.Payments.Load(ctx, key)
	if err != nil || out.State.Status != StatusReorged {
		return out.State, 0, err
	}
	position, err := b.reverse(ctx, meta, out.State, func(s *State) bool { return s.Status != StatusReorged })
	return out.State, position, err
}

// undo takes back what was given just now by a payment whose block left the chain in the
// meantime: who wrote that found no credit to take back yet.
func (b *Booker) undo(ctx context.Context, meta stream.Meta, given State) error {
	_, err := b.reverse(ctx, meta, given, func(s *State) bool { return s.inBlock() && s.Status != StatusConfirmed })
	return err
}

// reverse takes the credit of a payment back, if there is one, and the payment does not
// stand. That is asked once the resource has been read: if another watcher credits the
// payment anew after the answer, the resource has moved on, and it is asked again. Else
// the new credit would be taken for the old one.
func (b *Booker) reverse(ctx context.Context, meta stream.Meta, s State, stands func(*State) bool) (stream.Position, error) {
	when := b.Gap
	when.At = b.Now()
	resources := b.unless(ctx, s.Key, stands)
	out, err := resources.Execute(ctx, s.Resource, meta, resource.Reverse{When: when, Payment: s.Key, Reason: "reorged"})
	if errors.Is(err, resource.ErrNoCredit) || errors.Is(err, resource.ErrNotOpened) {
		err = nil // it never had it, or gave it back before
	}
	if err != nil || out.Events == 0 {
		return out.Position, err
	}
	return out.Position, b.Assure(ctx, meta, s.Key)
}

// unless is the resources' handler, which does nothing if that holds of a payment once the
// resource has been read.
func (b *Booker) unless(ctx context.Context, key string, holds func(*State) bool) *Resources {
	resources := *b.Resources
	resources.Decide = func(r resource.State, c resource.Command) ([]resource.Event, error) {
		now, err := b.Payments.Load(ctx, key)
		if err != nil || holds(&now.State) {
			return nil, err
		}
		return b.Resources.Decide(r, c)
	}
	return &resources
}

// Assure credits a payment that stands as credited, and whose resource does not have it:
// one watcher took the credit back while another found it there, which leaves no trace at
// the resource, and said that the payment is credited. It changes nothing otherwise.
func (b *Booker) Assure(ctx context.Context, meta stream.Meta, key string) error {
	credited := func(s *State) bool { return s.Status == StatusCredited }
	out, err := b.Payments.Load(ctx, key)
	if err != nil || !credited(&out.State) {
		return err
	}
	again := *b
	again.Resources = b.unless(ctx, key, func(s *State) bool { return !credited(s) })
	_, err = again.credit(ctx, meta, out.State)
	return err
}

// credit gives the money to its resource, or says why it can't.
func (b *Booker) credit(ctx context.Context, meta stream.Meta, s State) (reason string, err error) {
	if s.Resource == "" {
		if s.Via == "bolt11" {
			return "foreign_invoice", nil
		}
		return "no_resource", nil
	}
	when := b.Gap
	when.At = b.Now()
	_, err = b.Resources.Execute(ctx, s.Resource, meta, resource.Credit{
		When: when, Payment: s.Key, Amount: s.Amount, Paid: s.Settled, Price: s.quoted(),
	})
	switch {
	case err == nil:
		return "", nil
	case errors.Is(err, resource.ErrNotOpened):
		return "unknown_resource", nil
	case errors.Is(err, resource.ErrReleased):
		return "released", nil
	case errors.Is(err, money.ErrTooLong):
		return "too_long", nil
	case errors.Is(err, money.ErrTooMuch):
		return "too_much", nil
	}
	return "", err
}

// quoted returns the price that the payer was shown, if the money came before the
// invoice expired: later money buys at the resource's own price.
func (s *State) quoted() money.Price {
	if s.Settled > s.Expiry {
		return money.Price{}
	}
	return s.Price
}

// Give allocates unallocated money to a resource that can take it. The choice is an
// event of the payment first, so that two operators can't give it twice. If the
// resource refuses in the meantime, the money is unallocated again.
func (b *Booker) Give(ctx context.Context, meta stream.Meta, key, to string) (State, stream.Position, error) {
	target, err := b.Resources.Load(ctx, to)
	switch {
	case err != nil:
		return State{}, 0, err
	case target.State.Status == resource.StatusNone:
		return State{}, 0, fmt.Errorf("%w: %q", resource.ErrNotOpened, to)
	case target.State.Status == resource.StatusReleased:
		return State{}, 0, resource.ErrReleased
	}
	mended, err := b.mend(ctx, meta, key)
	if err != nil {
		return mended.State, mended.Position, err
	}
	out, err := b.Payments.Execute(ctx, key, meta, Allocate{Allocated{At{b.Now()}, to}})
	out.Position = max(out.Position, mended.Position)
	if err != nil {
		return out.State, out.Position, err
	}
	return b.finish(ctx, meta, out)
}

// mend says that a payment is credited where it stands as unallocated, and yet its
// resource has the money: one booker was refused, another was not, and died before it
// could say so.
func (b *Booker) mend(ctx context.Context, meta stream.Meta, key string) (stream.Outcome[State], error) {
	out, err := b.Payments.Load(ctx, key)
	if err != nil || out.State.Status != StatusUnallocated || out.State.Resource == "" {
		return out, err
	}
	meant, err := b.Resources.Load(ctx, out.State.Resource)
	if err != nil || !meant.State.Has(key) {
		return out, err
	}
	return b.Payments.Execute(ctx, key, meta, Credit{Credited{At{b.Now()}, out.State.Resource}})
}
