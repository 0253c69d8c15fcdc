package billing

import (
	"errors"
	"fmt"

	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/plan"
	"sandglass/domain/resource"
)

// Quote is what a plan gives for an amount, or asks for a time.
type Quote struct {
	Plan   string
	Price  money.Price
	Amount money.Msat
	Time   instant.Millis
}

// Quote prices a time or an amount, of which exactly one is not zero. It changes nothing.
func (b *Service) Quote(name string, time instant.Millis, amount money.Msat) (Quote, error) {
	p, ok := b.Views.Plan(name)
	switch {
	case !ok:
		return Quote{}, fmt.Errorf("%w: %q", plan.ErrUnknown, name)
	case !p.OnOffer:
		return Quote{}, fmt.Errorf("%w: %q", plan.ErrWithdrawn, name)
	}
	return quote(&p, p.Terms.Price, time, amount)
}

// quote prices within the bounds of a plan.
func quote(p *plan.State, price money.Price, time instant.Millis, amount money.Msat) (Quote, error) {
	q, err := priced(price, time, amount)
	q.Plan = p.Name
	if errors.Is(err, ErrInvalid) {
		return q, err
	}
	if err == nil && (q.Time < p.Min || q.Time > p.Max) {
		err = fmt.Errorf("%d ms", q.Time)
	}
	if err != nil {
		least, _ := price.CostOf(p.Min)
		most, _ := price.CostOf(p.Max)
		return q, fmt.Errorf("%w: %w: one payment on plan %q buys %d to %d ms, for %d to %d msat",
			plan.ErrBounds, err, p.Name, p.Min, p.Max, least, most)
	}
	return q, nil
}

// priced prices a time or an amount.
func priced(price money.Price, time instant.Millis, amount money.Msat) (q Quote, err error) {
	q = Quote{Price: price, Amount: amount, Time: time}
	switch {
	case (time == 0) == (amount == 0) || time < 0 || amount < 0:
		return q, fmt.Errorf("%w: give time_ms or amount_msat, one of them, above 0", ErrInvalid)
	case time > 0:
		q.Amount, err = price.CostOf(min(time, money.MaxTime))
	default:
		q.Time, err = price.TimeFor(amount)
	}
	return q, err
}

// quoteResource quotes at the resource's own price, within the bounds of its plan.
func (b *Service) quoteResource(s resource.State, time instant.Millis, amount money.Msat) (Quote, error) {
	p, ok := b.Views.Plan(s.Plan)
	if !ok {
		return Quote{}, fmt.Errorf("%w: %q", plan.ErrUnknown, s.Plan)
	}
	return quote(&p, s.Terms.Price, time, amount)
}
