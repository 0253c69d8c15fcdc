package payment

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/resource"
	"sandglass/domain/stream"
)

// Booker carries settled payments to their end. Every step knows its own traces: after
// a crash, or an error that leaves it open what was kept, booking again goes on.
//
// What it returns is the payment, with the position of the last event that was written, be
// it in the payment's stream or in the resource's. What it writes names the payment's event
// that it follows from.
type Booker struct {
	Payments  *Handler
	Resources *resource.Handler
	// Refuses returns why the money of a payment does not open the id that its order names, which
	// that order has not opened, or nothing: see package opening. Where it is nil, all does.
	Refuses func(ctx context.Context, p *State) (Reason, error)
	Now     func() instant.Time
	Gap     resource.When // the policy for gaps; its At is not used
}

// Book takes a settlement that the wallet tells of, once or ten times, and returns the
// payment when it is credited or unallocated: durable, both. A settlement that contradicts
// an earlier one is [ErrConflict], and changes nothing. An output that was confirmed in
// another block than the settlement names is left at that.
func (b *Booker) Book(ctx context.Context, meta stream.Meta, key Key, c Settle) (Outcome, error) {
	out, err := b.Payments.Execute(ctx, key, meta, c)
	if err != nil {
		return out, err
	}
	return b.finishSettled(ctx, meta, out)
}

// Resume carries a settled payment on from where it stands: a crash may have come between.
// It does nothing to any other.
func (b *Booker) Resume(ctx context.Context, meta stream.Meta, key Key) (Outcome, error) {
	out, err := b.Payments.Load(ctx, key)
	if err != nil {
		return out, err
	}
	return b.finishSettled(ctx, meta, out)
}

// TakeBack takes the credit of a payment that is reorged or replaced back from its resource,
// also where a crash came between. It does nothing to any other: whoever asks may know only
// what the payment was a while ago, and it may be in a block again by now.
func (b *Booker) TakeBack(ctx context.Context, meta stream.Meta, key Key) (Outcome, error) {
	gone := func(current *State) bool { return current.Status == StatusReorged || current.Status == StatusReplaced }
	out, err := b.Payments.Load(ctx, key)
	if err != nil || !gone(&out.State) {
		return out, err
	}
	out.Position, err = b.reverse(ctx, meta.CausedBy(out.Last), &out.State, resource.ReasonReorged, gone)
	return out, err
}

// finishSettled gives the money of a settled payment to its resource, and says so; or says why it
// can't.
func (b *Booker) finishSettled(ctx context.Context, meta stream.Meta, p Outcome) (Outcome, error) {
	s := &p.State
	if s.Status != StatusSettled {
		return p, nil
	}
	meta = meta.CausedBy(p.Last)
	reason, err := b.credit(ctx, meta, s, nil)
	if err != nil {
		return p, err
	}
	var end Command = Credit{At: b.Now(), Resource: s.Resource}
	if reason != "" {
		end = Unallocate{At: b.Now(), Resource: cmp.Or(s.Resource, s.Meant), Reason: reason}
	}
	out, err := b.Payments.Execute(ctx, s.Key, meta, end)
	if reason == "" && errors.Is(err, ErrState) {
		err = errors.Join(err, b.undoCredit(ctx, meta, s))
	}
	out.Position = max(out.Position, p.Position)
	return out, err
}

// undoCredit takes back what was given just now by a payment that moved on in the meantime.
// On the chain its block left: the watcher that wrote that found no credit to take back yet.
// No reorg takes a payment over Lightning back, whatever is read of its stream, which a copy
// that lags may show as it was: only that it was allocated to another resource does.
func (b *Booker) undoCredit(ctx context.Context, meta stream.Meta, given *State) error {
	reason := resource.ReasonReorged
	gone := func(current *State) bool { return !current.InBlock() || current.Status == StatusConfirmed }
	if !given.OnChain() {
		reason = resource.ReasonAllocated
		gone = func(current *State) bool { return current.wentElsewhere(given.Resource) }
	}
	current, err := b.Payments.Load(ctx, given.Key)
	if err == nil && gone(&current.State) {
		_, err = b.reverse(ctx, meta.CausedBy(current.Last), given, reason, gone)
	}
	return err
}

// reverse takes the credit of a payment back, if there is one, and the payment is gone.
// That is asked once the resource has been read: if another watcher credits the payment
// anew after the answer, the resource has moved on, and it is asked again. Else the new
// credit would be taken for the old one.
func (b *Booker) reverse(
	ctx context.Context, meta stream.Meta, s *State, reason resource.Reason, gone func(current *State) bool,
) (stream.Position, error) {
	c := resource.Reverse{When: b.when(), Payment: string(s.Key), Reason: reason}
	out, err := b.Resources.ExecuteIf(ctx, s.Resource, meta, c, b.whether(s.Key, gone))
	if errors.Is(err, resource.ErrNoCredit) || errors.Is(err, resource.ErrNotOpened) {
		err = nil // it never had it, or gave it back before
	}
	if err != nil || out.Events == 0 {
		return out.Position, err
	}
	return out.Position, b.EnsureCredit(ctx, meta, s.Key)
}

// EnsureCredit credits a payment that stands as credited, and whose resource does not have
// it: one watcher took the credit back while another found it there, which leaves no trace
// at the resource, and said that the payment is credited. Where the resource can't take it
// any more, the payment is unallocated. One that stands as unallocated, and whose resource has
// it, is said to be credited. It changes nothing otherwise.
func (b *Booker) EnsureCredit(ctx context.Context, meta stream.Meta, key Key) error {
	credited := func(current *State) bool { return current.Status == StatusCredited }
	out, err := b.creditedAfterAll(ctx, meta, key)
	if err != nil || !credited(&out.State) {
		return err
	}
	meta = meta.CausedBy(out.Last)
	reason, err := b.credit(ctx, meta, &out.State, b.whether(key, credited))
	switch {
	case err != nil || reason == "":
		return err
	case reason == ReasonUnknownResource: // it was opened before it was credited: this is no refusal
		return fmt.Errorf("%w, and payment %s is credited to it", resource.ErrNotOpened, key)
	}
	_, err = b.Payments.Execute(ctx, key, meta, Unallocate{
		At: b.Now(), Resource: out.State.Resource, Reason: reason, Credited: true,
	})
	if errors.Is(err, ErrState) {
		return nil // it moved on: whoever moved it goes on with it
	}
	return err
}

// whether returns the precondition that something holds of a payment.
func (b *Booker) whether(key Key, holds func(current *State) bool) stream.Precondition {
	return func(ctx context.Context) (bool, error) {
		current, err := b.Payments.Load(ctx, key)
		return err == nil && holds(&current.State), err
	}
}

// credit gives the money to its resource, or returns why it can't. What holds says, if it
// is not nil, must be so.
func (b *Booker) credit(ctx context.Context, meta stream.Meta, s *State, holds stream.Precondition) (Reason, error) {
	if s.OnChain() && s.Meant != "" {
		return ReasonTooLittle, nil
	}
	if s.Resource == "" {
		switch {
		case s.Ours:
			return ReasonUnknownRequest, nil
		case s.Via == ViaBOLT11:
			return ReasonForeignInvoice, nil
		case s.Meant != "":
			return ReasonTooLittle, nil
		}
		return ReasonNoResource, nil
	}
	if reason, err := b.refuses(ctx, s); err != nil || reason != "" {
		return reason, err
	}
	c := resource.Credit{
		When: b.when(), Payment: string(s.Key), Amount: s.Amount, Paid: s.SettledAt, Order: s.Order,
	}
	c.Price, c.Quoted = s.quoted()
	_, err := b.Resources.ExecuteIf(ctx, s.Resource, meta, c, holds)
	switch {
	case err == nil:
		return "", nil
	case errors.Is(err, resource.ErrNotOpened):
		return ReasonUnknownResource, nil
	case errors.Is(err, resource.ErrReleased):
		return ReasonReleased, nil
	case errors.Is(err, resource.ErrOtherOrder):
		return ReasonOtherOrder, nil
	case errors.Is(err, money.ErrTooLong):
		return ReasonTooLong, nil
	case errors.Is(err, money.ErrTooMuch):
		return ReasonTooMuch, nil
	}
	return "", err
}

// refuses asks whether the money of a payment may open the id that its order names, unless that
// order did. It is asked again after a crash, and may answer otherwise then: what the resource
// has by that time stands.
func (b *Booker) refuses(ctx context.Context, s *State) (Reason, error) {
	if s.Order == nil || b.Refuses == nil {
		return "", nil
	}
	named, err := b.Resources.Load(ctx, s.Resource)
	if err != nil || named.State.Status != resource.StatusNone && named.State.OpenedBy(s.Order) {
		return "", err
	}
	return b.Refuses(ctx, s)
}

// when returns the time of a command on a resource, with the policy for gaps.
func (b *Booker) when() resource.When {
	when := b.Gap
	when.At = b.Now()
	return when
}

// Allocate gives unallocated money to a resource that can take it. The choice is an
// event of the payment first, so that two operators can't give it twice. If the
// resource refuses in the meantime, the money is unallocated again.
func (b *Booker) Allocate(ctx context.Context, meta stream.Meta, key Key, to resource.ID) (Outcome, error) {
	target, err := b.Resources.Load(ctx, to)
	switch {
	case err != nil:
		return Outcome{}, err
	case target.State.Status == resource.StatusNone:
		return Outcome{}, fmt.Errorf("%w: %q", resource.ErrNotOpened, to)
	case target.State.Status == resource.StatusReleased:
		return Outcome{}, resource.ErrReleased
	}
	before, err := b.creditedAfterAll(ctx, meta, key)
	if err != nil {
		return before, err
	}
	out, err := b.Payments.Execute(ctx, key, meta, Allocate{At: b.Now(), Resource: to})
	out.Position = max(out.Position, before.Position)
	if err != nil {
		return out, err
	}
	return b.finishSettled(ctx, meta, out)
}

// AllocateTo gives unallocated money to what it was asked for, which was found too late: a
// resource, or one that its order opens. Where it can't be had there it stays unallocated.
func (b *Booker) AllocateTo(ctx context.Context, meta stream.Meta, key Key, asked *Request) (Outcome, error) {
	if o := asked.Order; o != nil {
		reason, err := b.refuses(ctx, &State{Resource: asked.Resource, Order: o, Requested: asked.At})
		if err != nil || reason != "" {
			return Outcome{}, err
		}
		_, err = b.Resources.Execute(ctx, asked.Resource, meta, resource.Open{When: b.when(), Order: *o})
		if err != nil && !errors.Is(err, resource.ErrExists) {
			return Outcome{}, err
		}
		opened, err := b.Resources.Load(ctx, asked.Resource)
		if err != nil || !opened.State.OpenedBy(o) {
			return Outcome{}, err // money names an order
		}
	}
	out, err := b.Allocate(ctx, meta, key, asked.Resource)
	if errors.Is(err, resource.ErrReleased) || errors.Is(err, resource.ErrNotOpened) {
		err = nil
	}
	return out, err
}

// creditedAfterAll says that a payment is credited where it stands as unallocated, and yet
// its resource has the money: one booker was refused, another was not, and died before it
// could say so.
func (b *Booker) creditedAfterAll(ctx context.Context, meta stream.Meta, key Key) (Outcome, error) {
	out, err := b.Payments.Load(ctx, key)
	if err != nil || out.State.Status != StatusUnallocated || out.State.Resource == "" {
		return out, err
	}
	meant, err := b.Resources.Load(ctx, out.State.Resource)
	if err != nil || !meant.State.Has(string(key)) {
		return out, err
	}
	return b.Payments.Execute(ctx, key, meta, Credit{At: b.Now(), Resource: out.State.Resource})
}

// Contradicts reports whether an error of a booker says that the log has its own story of
// the payment, for good: the same again would be refused again.
func Contradicts(err error) bool {
	for _, e := range []error{ErrConflict, ErrInvalid, ErrState, resource.ErrConflict, resource.ErrInvalid} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}
