package payment

import (
	"cmp"
	"fmt"

	"sandglass/domain/money"
	"sandglass/domain/resource"
)

// Evolve returns s after e.
func Evolve(s State, e Event) State {
	s.Last = max(s.Last, *e.Effective())
	switch e := e.(type) {
	case *Requested:
		s.Status, s.Requested = StatusRequested, e.Requested
		s.Resource, s.Asked, s.Price = e.Resource, e.Amount, e.Price
		s.Expiry, s.Invoice, s.Order = e.Expiry, e.Invoice, e.Order
	case *Accepted:
		s.Status, s.AcceptedAt, s.Reason = StatusAccepted, e.At.At, ""
		s.Amount, s.Node = e.Amount, e.Node
	case *Canceled:
		s.Status, s.Reason = StatusCanceled, e.Reason
	case *Settled:
		s.Status, s.SettledAt, s.Reason, s.WasSettled = StatusSettled, e.At.At, "", true
		s.Amount, s.Via, s.Node, s.Index = e.Amount, e.Via, e.Node, e.Index
		s.Meant, s.Ours = e.Meant, e.Ours
		if e.Resource != "" {
			s.meanFor(e.Resource)
		}
	case *Credited:
		s.Status, s.Resource, s.Reason = StatusCredited, e.Resource, ""
	case *Unallocated:
		s.Status, s.Resource, s.Reason = StatusUnallocated, e.Resource, e.Reason
	case *Allocated:
		s.Status, s.Reason, s.Meant, s.Order = StatusSettled, "", "", nil // whichever order its resource is of
		s.meanFor(e.Resource)
	case *Expired:
		s.Status, s.Reason = StatusExpired, e.Reason
	default:
		s.evolveOnChain(e)
	}
	return s
}

// evolveOnChain takes an event that only a payment on the chain has.
func (s *State) evolveOnChain(e Event) {
	switch e := e.(type) {
	case *Seen:
		s.Status, s.Requested = StatusSeen, e.At.At
		s.Resource, s.Address, s.Amount = cmp.Or(e.Resource, e.Meant), e.Address, e.Amount
		s.Meant = e.Meant
	case *Confirmed:
		s.Status, s.Height, s.Block, s.Reason = StatusConfirmed, e.Height, e.Block, ""
	case *Reorged:
		s.Status, s.Height, s.Block, s.SettledAt, s.Reason = StatusReorged, 0, "", 0, ReasonReorged
	case *Replaced:
		s.Status, s.Reason = StatusReplaced, e.Reason
	case *Finalized:
		s.Final = true
	default:
		panic(fmt.Sprintf("payment: unknown event %T", e))
	}
}

// meanFor means the money for a resource. What was quoted and ordered for another one does not
// go with it.
func (s *State) meanFor(id resource.ID) {
	if s.Resource != id {
		s.Resource, s.Price, s.Order = id, money.Price{}, nil
	}
}
