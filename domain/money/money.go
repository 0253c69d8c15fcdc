// Package money counts millisatoshi and turns them into time.
//
// Money is an integer, time is an integer, and what is bought goes through 128 bits:
// nothing here is rounded twice, wraps, or has ever been a float.
package money

import (
	"errors"
	"fmt"
	"math/bits"

	"sandglass/domain/instant"
)

// Msat is an amount in millisatoshi, the unit of Lightning (BOLT 2). One bitcoin is
// 100,000,000,000 msat. Amounts in events are never negative.
type Msat int64

// Sat is one satoshi, BTC one bitcoin, and MaxMsat every bitcoin there can ever be:
// 21 million. It fits an int64 four times over.
const (
	Sat     Msat = 1000
	BTC          = 100_000_000 * Sat
	MaxMsat      = 21_000_000 * BTC
)

// MaxTime is the longest time that one resource can hold: 250 Julian years. It keeps
// every paid_until a date that RFC 3339 can write and [time.Duration] can hold.
const MaxTime = 250 * instant.Year

// Errors of arithmetic. Each says that a figure would leave its bounds; nothing wraps.
var (
	ErrTooMuch  = errors.New("money: more than 21 million bitcoin")
	ErrTooLong  = errors.New("money: more than 250 years of time")
	ErrNegative = errors.New("money: a negative amount")
	ErrPrice    = errors.New("money: a price is 1 msat to 21 million bitcoin for 1 ms to 100 years")
)

// Check returns an error unless m is an amount that can exist: 0 to [MaxMsat].
func (m Msat) Check() error {
	switch {
	case m < 0:
		return ErrNegative
	case m > MaxMsat:
		return ErrTooMuch
	}
	return nil
}

// Add returns m + n, or [ErrTooMuch]. Both are amounts that can exist.
func (m Msat) Add(n Msat) (Msat, error) {
	if m > MaxMsat-n {
		return 0, ErrTooMuch
	}
	return m + n, nil
}

// String returns m with its unit, as in "3600000 msat".
func (m Msat) String() string { return fmt.Sprintf("%d msat", int64(m)) }

// Price is what a length of time costs: Msat for every Per milliseconds.
type Price struct {
	Msat Msat
	Per  instant.Millis
}

// Check returns an error unless p lies within the bounds that [ErrPrice] names.
func (p Price) Check() error {
	if p.Msat < 1 || p.Msat > MaxMsat || p.Per < 1 || p.Per > instant.Century {
		return ErrPrice
	}
	return nil
}

// TimeFor returns how long amount lasts: amount × per / price, rounded down, so that
// nobody is promised time that was not paid for. More than [MaxTime] is [ErrTooLong].
func (p Price) TimeFor(amount Msat) (instant.Millis, error) {
	q, ok := mulDiv(uint64(amount), uint64(p.Per), uint64(p.Msat))
	if !ok || q > uint64(MaxTime) {
		return 0, ErrTooLong
	}
	return instant.Millis(q), nil
}

// CostOf returns the least amount that buys d: d × price / per, rounded up. It is the
// inverse of TimeFor in that TimeFor(CostOf(d)) ≥ d. More than [MaxMsat] is [ErrTooMuch].
func (p Price) CostOf(d instant.Millis) (Msat, error) {
	hi, lo := bits.Mul64(uint64(d), uint64(p.Msat))
	lo, carry := bits.Add64(lo, uint64(p.Per)-1, 0)
	hi += carry
	if hi >= uint64(p.Per) {
		return 0, ErrTooMuch
	}
	q, _ := bits.Div64(hi, lo, uint64(p.Per))
	if q > uint64(MaxMsat) {
		return 0, ErrTooMuch
	}
	return Msat(q), nil
}

// String returns p with its units, as in "3600000 msat per 3600000 ms".
func (p Price) String() string { return fmt.Sprintf("%d msat per %d ms", p.Msat, p.Per) }

// Share returns total × part / whole rounded down, for 0 ≤ part ≤ whole and whole > 0.
// It is how the money of a lot follows its time: the product goes through 128 bits,
// and the quotient never exceeds total.
func Share(total Msat, part, whole instant.Millis) Msat {
	q, _ := mulDiv(uint64(total), uint64(part), uint64(whole))
	return Msat(q)
}

// Reach returns the least part for which Share(total, part, whole) ≥ moved, for
// 0 ≤ moved ≤ total and total > 0: the time at which that much money has moved.
func Reach(total, moved Msat, whole instant.Millis) instant.Millis {
	hi, lo := bits.Mul64(uint64(moved), uint64(whole))
	lo, carry := bits.Add64(lo, uint64(total)-1, 0)
	q, _ := bits.Div64(hi+carry, lo, uint64(total))
	return instant.Millis(q)
}

// mulDiv returns a × b / c rounded down, and whether it fits 64 bits.
func mulDiv(a, b, c uint64) (uint64, bool) {
	hi, lo := bits.Mul64(a, b)
	if hi >= c {
		return 0, false
	}
	q, _ := bits.Div64(hi, lo, c)
	return q, true
}
