package billing

import (
	"fmt"

	"sandglass/domain/billing/keys"
	"sandglass/domain/billing/params"
	"sandglass/domain/plan"
	"sandglass/domain/resource"
)

// orderParams returns what a new order says of its resource, nil if nothing. It is kept on the host of the
// resource alone: so an order that says something is for the host of the daemon that takes it, which r
// names from then on.
func (b *Service) orderParams(p *plan.State, r *OrderRequest, id resource.ID, holder string) (*params.Kept, error) {
	if b.Params == nil {
		if p.Params != "" || len(r.Params) > 0 {
			return nil, fmt.Errorf("%w: no parameters are kept here", ErrInvalid)
		}
		return nil, nil
	}
	k, err := b.Params.Order(p, id, keys.Salt(holder), r.Params)
	if k == nil || err != nil || b.Host == "" {
		return k, err
	}
	if r.Host != "" && r.Host != b.Host || !p.Hosts.Allow(b.Host) {
		return nil, fmt.Errorf("%w: its parameters are kept there alone: order it at the API of that host, not of %s", ErrHost, b.Host)
	}
	r.Host = b.Host
	return k, nil
}

// keptAgain returns what an order says that was taken before, for what was kept of it may be forgotten; nil
// where its plan declares something else by now.
func (b *Service) keptAgain(r OrderRequest, o *resource.Order, id resource.ID, holder string) *params.Kept {
	p, ok := b.Views.Plan(r.Plan)
	if !ok || b.Params == nil {
		return nil
	}
	k, err := b.Params.Order(&p, id, keys.Salt(holder), r.Params)
	if err != nil || k == nil || k.Ref().Hash != o.Params {
		return nil
	}
	return k
}
