package billing

import (
	"context"
	"fmt"

	"sandglass/domain/opening"
	"sandglass/domain/payment"
	"sandglass/domain/request"
	"sandglass/domain/resource"
	"sandglass/domain/stream"
)

// Outcome is what an operator's command came to.
type Outcome[S any] struct {
	stream.Outcome[S]
	Opened *request.Record // the order that was opened for it, nil where the resource was there
}

// Allocate gives unallocated money to a resource. One that is only ordered is opened: by the order
// that the payment pays, unless its money does not open that (see package opening), or by the one
// of that name. Else it is [opening.ErrWhichOrder].
func (b *Service) Allocate(
	ctx context.Context, meta stream.Meta, key payment.Key, to resource.ID, order string,
) (did Outcome[payment.State], err error) {
	if err := b.Reading(); err != nil {
		return did, err
	}
	named, err := b.Resources.Load(ctx, to)
	if err != nil {
		return did, err
	}
	paid, err := b.Booker.Payments.Load(ctx, key)
	if err != nil {
		return did, err
	}
	if s := &named.State; s.Status == resource.StatusNone {
		if did.Opened, err = b.Opening.Choose(ctx, &paid.State, to, order); err == nil {
			err = b.openFor(ctx, meta, did.Opened, &paid.State)
		}
	} else if is := opening.NameOf(&resource.Order{Plan: s.Plan, Holder: s.Holder, Request: s.Request}); order != "" && is != order {
		err = fmt.Errorf("%w %q is opened by its order %s, and by no other any more", opening.ErrWhichOrder, to, is)
	}
	if err != nil {
		return did, err
	}
	did.Outcome, err = b.Booker.Allocate(ctx, meta, key, to)
	return did, err
}

// openFor opens an order for money that it can take.
func (b *Service) openFor(ctx context.Context, meta stream.Meta, r *request.Record, p *payment.State) error {
	opens, err := resource.Opens(r.Resource, r.Order, b.Now())
	if err == nil {
		_, err = resource.Decide(opens, resource.Credit{When: b.when(), Payment: string(p.Key), Amount: p.Amount})
	}
	if err != nil {
		return err
	}
	return b.openBy(ctx, meta, r)
}

// openLatest opens what was only ordered, by its latest order: the operator's hand stands for money.
func (b *Service) openLatest(ctx context.Context, meta stream.Meta, id resource.ID) (*request.Record, error) {
	r, _, ok := b.Requests.Order(id)
	if !ok {
		return nil, resource.ErrNotOpened
	}
	return r, b.openBy(ctx, meta, r)
}

func (b *Service) openBy(ctx context.Context, meta stream.Meta, r *request.Record) error {
	_, err := b.Resources.Execute(ctx, r.Resource, meta, resource.Open{When: b.when(), Order: *r.Order})
	return err
}
