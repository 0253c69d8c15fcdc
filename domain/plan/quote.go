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

// Bounds returns the least and the most that one payment at a price can be, in whole satoshi: the
// least is rounded up and the most down. The error is [ErrBounds] where no whole satoshi is between.
func (s *State) Bounds(price money.Price) (least, most money.Msat, err error) {
	least, err = price.CostOf(s.Min)
	if err == nil {
		most, err = price.CostOf(s.Max)
	}
	if err != nil {
		return 0, 0, fmt.Errorf("%w: %w", ErrBounds, err)
	}
	least, most = (least+money.Sat-1)/money.Sat*money.Sat, most/money.Sat*money.Sat
	if time, err := price.TimeFor(most); err != nil || time > s.Max { // what a time costs was rounded up
		most -= money.Sat
	}
	if least > most {
		return 0, 0, fmt.Errorf("%w: no whole number of satoshi is what one payment on plan %q can be", ErrBounds, s.Name)
	}
	return least, most, nil
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
