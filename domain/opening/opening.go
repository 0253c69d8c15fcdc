// Package opening holds the one rule of which money opens what was ordered.
//
// An id may be ordered anew as long as nobody has paid, and what an earlier order gave out can
// be paid at any time: an address for ever. So whoever pays names an order, and the id is kept
// for the latest of its orders from which money may still come. [Rule.Refuses] says so when the
// money is to be given to the id, which is at its last confirmation on the chain, and not when
// it was first seen. Less than is sold opens nothing either: [Rule.TooLittle].
package opening

import (
	"context"
	"slices"
	"time"

	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/payment"
	"sandglass/domain/request"
	"sandglass/domain/resource"
	"sandglass/domain/stream"
)

// patience bounds how long is waited until the payments of an id are known.
const patience = 10 * time.Second

// Log is what is known of the payments of an id. It may be late, and be waited for.
type Log interface {
	PaymentsOf(id resource.ID) []payment.State
	WaitFor(context.Context, stream.Position) error
}

// Rule answers from the orders that nobody has paid, and from the payments that are on their way.
type Rule struct {
	Requests  *request.Set
	Resources *resource.Handler
	// Least returns the least amount that a plan sells for at that price.
	Least func(plan string, price money.Price) money.Msat
	Log   Log
	// Head returns the position of the last event.
	Head func(context.Context) (stream.Position, error)
	// Unlogged returns the payments of an id that are to be seen on the chain, and that the log
	// does not have. It may be nil.
	Unlogged func(id resource.ID) []payment.State
}

// Refuses returns why the money of a payment does not open the id that its order names, which
// that order has not opened: its order was released, or the id was ordered later, and that order
// can be paid, or is paid. Else it is empty.
func (r *Rule) Refuses(ctx context.Context, p *payment.State) (payment.Reason, error) {
	if r.IsReleased(p) {
		return payment.ReasonReleased, nil
	}
	later := r.later(p)
	if len(later) == 0 {
		return "", nil
	}
	for _, q := range r.Requests.PayableOf(p.Resource) {
		if slices.Contains(later, q) {
			return payment.ReasonOtherOrder, nil
		}
	}
	if err := r.catchUp(ctx); err != nil {
		return "", err
	}
	for _, d := range r.Coming(p.Resource) {
		if slices.ContainsFunc(later, func(q *request.Record) bool { return q.Order.Same(d.Order) }) {
			return payment.ReasonOtherOrder, nil
		}
	}
	return "", nil
}

// later returns what was given out by orders of the id that are later than the payment's.
func (r *Rule) later(p *payment.State) []*request.Record {
	asked := r.Requests.Of(p.Resource)
	own := instant.Time(0)
	if p.Address == "" { // else it is when the payment was seen
		own = p.Requested
	}
	for _, q := range asked {
		if q.Order != nil && q.Order.Same(p.Order) {
			own = max(own, q.At)
		}
	}
	return slices.DeleteFunc(asked, func(q *request.Record) bool {
		return q.Order == nil || q.At <= own || q.Order.Same(p.Order)
	})
}

// catchUp waits until the payments are known as the log has them now.
func (r *Rule) catchUp(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	head, err := r.Head(ctx)
	if err != nil {
		return err
	}
	return r.Log.WaitFor(ctx, head)
}

// IsReleased reports whether what a payment pays was given out by an order that was released.
func (r *Rule) IsReleased(p *payment.State) bool {
	q, ok := r.Requests.FindAddress(p.Address)
	if p.Address == "" {
		q, ok = r.Requests.Find(p.Key)
	}
	return ok && q.Released > 0
}

// Coming returns the payments of orders of an id that are on their way to it.
func (r *Rule) Coming(id resource.ID) []payment.State {
	return slices.DeleteFunc(r.Payments(id), func(p payment.State) bool {
		comes := p.Coming() || p.Status == payment.StatusAccepted || p.Status == payment.StatusSettled
		return p.Order == nil || p.Meant != "" || !comes || r.IsReleased(&p)
	})
}

// Payments returns the payments of an id, of whichever order, that the log or the watcher of the
// chain has, and that are not at their end.
func (r *Rule) Payments(id resource.ID) []payment.State {
	list := r.Log.PaymentsOf(id)
	if r.Unlogged == nil {
		return list
	}
	for _, p := range r.Unlogged(id) {
		logged := func(other payment.State) bool { return other.Key == p.Key } // a sweep may just have logged it
		if !slices.ContainsFunc(list, logged) {
			list = append(list, p)
		}
	}
	return list
}

// TooLittle reports whether an amount is less than is sold in one payment: by the order that it
// pays or, where that is nil, to the resource of that id, if there is one. What an invoice of the
// same asks for is never too little.
func (r *Rule) TooLittle(ctx context.Context, id resource.ID, o *resource.Order, amount money.Msat) (bool, error) {
	sold := o
	if sold == nil {
		named, err := r.Resources.Load(ctx, id)
		if err != nil || named.State.Status == resource.StatusNone || named.State.Status == resource.StatusReleased {
			return false, err
		}
		sold = &resource.Order{Plan: named.State.Plan, Terms: named.State.Terms}
	}
	return amount < r.Least(sold.Plan, sold.Terms.Price) && !r.Requests.Asks(id, o, amount), nil
}

// Named returns what a payer asks for who only names an id: its latest order, if it is not opened.
// It is nil where there is none.
func (r *Rule) Named(ctx context.Context, id resource.ID) (*payment.Request, error) {
	named, err := r.Resources.Load(ctx, id)
	if err != nil || named.State.Status != resource.StatusNone {
		return nil, err
	}
	q, _, ok := r.Requests.Order(id)
	if !ok || q.Order.Terms.Hold { // its first payment is held, which this one can't be
		return nil, nil
	}
	return &payment.Request{At: q.At, Resource: id, Price: q.Order.Terms.Price, Order: q.Order}, nil
}
