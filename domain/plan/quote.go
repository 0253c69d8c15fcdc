package plan

import (
	"errors"
	"fmt"

	"sandglass/domain/instant"
	"sandglass/domain/money"
)

// Quote is what a plan gives for an amount, or asks for a time.
type Quote struct {
	Plan   string
	Price  money.Price
	Amount money.Msat
	Time   instant.Millis
}

// Quote prices a time or an amount, of which exactly one is not zero, at a price within the bounds of
// the plan. The error is [ErrInvalid] where not one is given, and else [ErrBounds].
func (s *State) Quote(price money.Price, time instant.Millis, amount money.Msat) (Quote, error) {
	q, err := Priced(price, time, amount)
	q.Plan = s.Name
	if errors.Is(err, ErrInvalid) {
		return q, err
	}
	if err == nil && (q.Time < s.Min || q.Time > s.Max) {
		err = fmt.Errorf("%d ms", q.Time)
	}
	if err != nil {
		least, _ := price.CostOf(s.Min)
		most, _ := price.CostOf(s.Max)
		return q, fmt.Errorf("%w: %w: one payment on plan %q buys %d to %d ms, for %d to %d msat",
			ErrBounds, err, s.Name, s.Min, s.Max, least, most)
	}
	return q, nil
}

// Priced prices a time or an amount, of which exactly one is not zero, else the error is [ErrInvalid].
// An amount is rounded up, a time down. Others are of package money.
func Priced(price money.Price, time instant.Millis, amount money.Msat) (q Quote, err error) {
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
