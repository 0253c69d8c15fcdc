package opening

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"sandglass/domain/payment"
	"sandglass/domain/request"
	"sandglass/domain/resource"
)

// ErrWhichOrder says that an operator has to choose the order that money opens.
var ErrWhichOrder = errors.New("opening: which order is to be opened?")

// NameOf returns what an order is called among those of its id, in 8 hexadecimal digits: who and
// what it was asked for by, hashed.
func NameOf(o *resource.Order) string {
	sum := sha256.Sum256(slices.Concat(o.Holder[:], o.Request[:], []byte(o.Plan)))
	return hex.EncodeToString(sum[:4])
}

// Orders returns the orders of an id that nobody has paid, each by its latest record, the latest
// first.
func (r *Rule) Orders(id resource.ID) (orders []*request.Record) {
	for _, q := range slices.Backward(r.Requests.Of(id)) {
		same := func(other *request.Record) bool { return other.Order.Same(q.Order) }
		if q.Order != nil && !slices.ContainsFunc(orders, same) {
			orders = append(orders, q)
		}
	}
	return orders
}

// Choose returns the order by which an operator has unallocated money open an id: the one of that
// name or, where that is empty, the one that the payment is for, unless its money does not open that
// (see [Rule.Refuses]). Else it is [ErrWhichOrder], or [resource.ErrNotOpened] where there is none.
func (r *Rule) Choose(ctx context.Context, p *payment.State, id resource.ID, name string) (*request.Record, error) {
	switch {
	case p.Status == payment.StatusNone:
		return nil, payment.ErrUnknown
	case p.Status != payment.StatusUnallocated:
		return nil, fmt.Errorf("%w: payment %s is %s for resource %q", payment.ErrState, p.Key, p.Status, p.Resource)
	}
	orders := r.Orders(id)
	var own *request.Record
	if p.Order != nil && p.Resource == id {
		own = r.OrderOf(p)
		if !slices.ContainsFunc(orders, func(q *request.Record) bool { return q.Order.Same(own.Order) }) {
			orders = append(orders, own)
		}
	}
	if len(orders) == 0 {
		return nil, resource.ErrNotOpened
	}
	if name == "" && own != nil {
		if refused, err := r.Refuses(ctx, p); err != nil || refused == "" {
			return own, err
		}
	}
	if i := slices.IndexFunc(orders, func(q *request.Record) bool { return NameOf(q.Order) == name }); i >= 0 {
		return orders[i], nil
	}
	list := make([]string, len(orders))
	for i, q := range orders {
		list[i] = fmt.Sprintf("%s (plan %q, asked for at %s", NameOf(q.Order), q.Order.Plan, q.At)
		if own != nil && q.Order.Same(own.Order) {
			list[i] += ", which the payment is for"
		}
		list[i] += ")"
	}
	return nil, fmt.Errorf("%w %q was ordered and not paid: %s. Name the one that the money is to open (--order)",
		ErrWhichOrder, id, strings.Join(list, "; "))
}

// OrderOf returns the order that a payment names, with when it was asked for.
func (r *Rule) OrderOf(p *payment.State) *request.Record {
	if q, ok := r.Requests.FindAddress(p.Address); ok && q.Order.Same(p.Order) {
		return q
	}
	return &request.Record{Request: payment.Request{At: p.Requested, Resource: p.Resource, Order: p.Order}}
}
