package billing

import (
	"fmt"

	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/plan"
	"sandglass/domain/resource"
)

// Quote prices a time or an amount, of which exactly one is not zero. It changes nothing.
func (b *Service) Quote(name string, time instant.Millis, amount money.Msat) (plan.Quote, error) {
	p, ok := b.Views.Plan(name)
	switch {
	case !ok:
		return plan.Quote{}, fmt.Errorf("%w: %q", plan.ErrUnknown, name)
	case !p.OnOffer:
		return plan.Quote{}, fmt.Errorf("%w: %q", plan.ErrWithdrawn, name)
	}
	return p.Quote(p.Terms.Price, time, amount)
}

// planOf returns the plan of a resource, which has the bounds of what is paid for it.
func (b *Service) planOf(s *resource.State) (plan.State, error) {
	p, ok := b.Views.Plan(s.Plan)
	if !ok {
		return p, fmt.Errorf("%w: %q", plan.ErrUnknown, s.Plan)
	}
	return p, nil
}
