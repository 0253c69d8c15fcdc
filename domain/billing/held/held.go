// Package held says what whoever holds a resource can't do while a payment of it is held: whatever would
// keep it from coming up, and so have the money go back at will. Else one could order, pay and take back
// for nothing, again and again, until no more payments are held for anybody.
package held

import (
	"errors"
	"slices"

	"sandglass/domain/payment"
	"sandglass/domain/resource"
)

// Err says that only the operator can do it now.
var Err = errors.New("held: its payment is held until it is up, and goes back if it is not so in time: " +
	"after that it can be released, paused or told something else")

// Views are the read models that say what is held.
type Views interface {
	PaymentsOf(id resource.ID) []payment.State
}

// Check returns [Err] while a payment of a resource is held, but for the operator: by is who asks, as the
// actor of an event or the reason of a release. What was sent besides gives it time, and changes nothing of
// that: so the payments are looked at, and not its time alone.
func Check(v Views, by resource.Reason, s *resource.State) error {
	accepted := func(p payment.State) bool { return p.Status == payment.StatusAccepted }
	if by != resource.ReasonOperator && (s.Unpaid() || slices.ContainsFunc(v.PaymentsOf(s.ID), accepted)) {
		return Err
	}
	return nil
}
