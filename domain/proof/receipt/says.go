package receipt

import (
	"fmt"
	"strings"

	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/payment"
	"sandglass/domain/resource"
	"sandglass/domain/stream"
)

// What became of a payment.
const (
	Credited    = "credited"    // it bought time
	Reversed    = "reversed"    // what it had bought was taken back, since the money did not stay
	Unallocated = "unallocated" // it arrived, and bought nothing: it is the operator's to give to a resource, or back
)

// Said is what the event of a receipt says of a payment.
type Said struct {
	What     string // Credited, Reversed or Unallocated
	Payment  string // its key
	Resource string // that it is of; empty where it is of none
	At       instant.Time
	Recorded instant.Time // when it was written, by the clock of the log

	Amount     money.Msat     // what arrived; 0 of what is unallocated where the receipt is one of before
	Time       instant.Millis // what it bought; of what was reversed, what was left of that
	Price      money.Price    // at which it did
	DebtPaid   money.Msat     // what of it paid off debt first
	Above      money.Msat     // what came above the amount that was asked for, and bought at AbovePrice
	AbovePrice money.Price
	Reason     string // why it was not credited, or taken back
}

// Says returns what the event says of a payment, or an error if it says nothing of one.
func (r *Receipt) Says() (Said, error) {
	s, ok, err := said(&r.Record)
	if err == nil && !ok {
		err = fmt.Errorf("%w: an event %s says nothing of what a payment bought", ErrMalformed, r.Record.Type)
	}
	if err != nil || r.Paid == nil {
		return s, err
	}
	paid, err := r.Paid.of(r)
	if err != nil {
		return s, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	s.Amount = paid.Amount
	return s, nil
}

// said returns what an event says of a payment, if it does.
func said(r *stream.Record) (s Said, ok bool, err error) {
	if id, of := strings.CutPrefix(r.Stream, resource.Prefix); of {
		e, err := resource.Decode(r)
		if err != nil {
			return s, false, fmt.Errorf("%w: %w", ErrMalformed, err)
		}
		s, ok = ofResource(e)
		s.Resource = id
		s.At, s.Recorded = r.At, r.RecordedAt
		return s, ok, nil
	}
	key, of := strings.CutPrefix(r.Stream, payment.Prefix)
	if !of {
		return s, false, nil
	}
	e, err := payment.Decode(r)
	if err != nil {
		return s, false, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	u, ok := e.(*payment.Unallocated)
	if !ok {
		return s, false, nil
	}
	return Said{
		What: Unallocated, Payment: key, Resource: string(u.Resource), At: r.At, Recorded: r.RecordedAt, Reason: string(u.Reason),
	}, true, nil
}

func ofResource(e resource.Event) (Said, bool) {
	switch e := e.(type) {
	case *resource.Credited:
		return Said{
			What: Credited, Payment: e.Payment, Amount: e.Amount, Time: e.Time, Price: e.Price, DebtPaid: e.DebtPaid,
			Above: e.Above, AbovePrice: e.AbovePrice,
		}, true
	case *resource.Reversed:
		return Said{What: Reversed, Payment: e.Payment, Amount: e.Amount, Time: e.Time, Reason: string(e.Reason)}, true
	}
	return Said{}, false
}
