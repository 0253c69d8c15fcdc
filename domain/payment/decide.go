package payment

import (
	"errors"
	"fmt"

	"sandglass/domain/instant"
)

// Decide returns the events that c causes: none where they have happened already.
func Decide(s State, c Command) ([]Event, error) {
	if c.when() > instant.Max {
		return nil, fmt.Errorf("%w: %w", ErrInvalid, instant.ErrRange)
	}
	at := At{At: max(c.when(), s.Last)}
	switch c := c.(type) {
	case Request:
		return request(s, c, at)
	case Accept:
		return accept(s, c, at)
	case Cancel:
		if s.Status != StatusAccepted {
			return nil, nil // it is settled, or went back before
		}
		return []Event{&Canceled{at, c.Reason}}, nil
	case Settle:
		return settle(s, c, at)
	case Credit:
		return credit(s, c, at)
	case Unallocate:
		if s.Status == StatusUnallocated {
			return nil, nil
		}
		possible := s.Status == StatusSettled && !c.Credited ||
			s.Status == StatusCredited && c.Credited && s.Resource == c.Resource
		return onlyIf(possible, s, &Unallocated{at, c.Resource, c.Reason})
	case Allocate:
		if s.Resource == c.Resource && (s.Status == StatusSettled || s.Status == StatusCredited) {
			return nil, nil
		}
		return onlyIf(s.Status == StatusUnallocated && c.Resource != "", s, &Allocated{at, c.Resource})
	case Expire:
		if s.Status != StatusRequested {
			return nil, nil // the money was faster
		}
		return []Event{&Expired{at, c.Reason}}, nil
	}
	return decideOnChain(s, c, at)
}

// decideOnChain decides a command that only a payment on the chain has.
func decideOnChain(s State, c Command, at At) ([]Event, error) {
	if !s.OnChain() {
		return nil, fmt.Errorf("%w: payment %s is not on the chain", ErrInvalid, s.Key)
	}
	switch c := c.(type) {
	case See:
		return see(s, c, at)
	case Confirm:
		return confirm(s, c, at)
	case Reorg:
		if !s.InBlock() || s.Block != c.Block {
			return nil, nil // it is in none, or in another one by now
		}
		return []Event{&Reorged{at, s.Height, s.Block}}, nil
	case Replace:
		if s.Status == StatusReplaced {
			return nil, nil
		}
		return onlyIf(s.Status == StatusSeen || s.Status == StatusReorged, s, &Replaced{at, c.Reason})
	case Finalize:
		if s.Final {
			return nil, nil
		}
		return onlyIf(s.Status == StatusCredited || s.Status == StatusUnallocated, s, &Finalized{at, c.Height})
	}
	panic(fmt.Sprintf("payment: unknown command %T", c))
}

// onlyIf returns e if it is possible in the payment's present state.
func onlyIf(possible bool, s State, e Event) ([]Event, error) {
	switch {
	case s.Status == StatusNone:
		return nil, ErrUnknown
	case !possible:
		return nil, fmt.Errorf("%w: payment %s is %s for resource %q", ErrState, s.Key, s.Status, s.Resource)
	}
	return []Event{e}, nil
}

func request(s State, c Request, at At) ([]Event, error) {
	switch e, err := requested(&c, at); {
	case err != nil:
		return nil, err
	case s.Status == StatusNone:
		return []Event{e}, nil
	case s.Invoice == c.Invoice && s.Resource == c.Resource && s.Asked == c.Amount && s.Price == c.Price && s.Expiry == c.Expiry:
		return nil, nil
	}
	return nil, fmt.Errorf("%w: payment %s was requested for resource %q", ErrConflict, s.Key, s.Resource)
}

// requested returns the event of a request that the log learns of at that time.
func requested(c *Request, at At) (*Requested, error) {
	err := errors.Join(c.Amount.Check(), c.Price.Check())
	if c.Order != nil {
		err = errors.Join(err, c.Order.Terms.Check())
	}
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	case c.Resource == "" || c.Order != nil && (c.Order.Plan == "" || c.Order.Terms.Price != c.Price):
		return nil, fmt.Errorf("%w: a request has a resource, and its order a plan and the price that was quoted", ErrInvalid)
	}
	for _, t := range []instant.Time{c.At, c.Expiry} {
		if t < instant.Min || t > instant.Max {
			return nil, fmt.Errorf("%w: a request is made, and expires, in the years 1970 to 9999", ErrInvalid)
		}
	}
	return &Requested{at, c.Resource, c.Amount, c.Price, c.At, c.Expiry, c.Invoice, c.Order, c.Cash}, nil
}

// withRequest puts before e what it is for, where the log does not say so yet.
func withRequest(s *State, c *Request, at At, e Event) ([]Event, error) {
	if s.Status != StatusNone || c == nil {
		return []Event{e}, nil
	}
	first, err := requested(c, at)
	if err != nil {
		return nil, err
	}
	return []Event{first, e}, nil
}

// credit takes the word of the resource, which has the money, also against another
// booker, whom the resource refused just before.
func credit(s State, c Credit, at At) ([]Event, error) {
	meant := s.Resource == c.Resource && c.Resource != ""
	if meant && s.Status == StatusCredited {
		return nil, nil
	}
	possible := meant && (s.Status == StatusSettled || s.Status == StatusUnallocated)
	return onlyIf(possible, s, &Credited{at, c.Resource})
}

// accept takes the wallet's word that it holds the money of a request. What is settled was held
// before, and what went back is not held again.
func accept(s State, c Accept, at At) ([]Event, error) {
	if err := c.Amount.Check(); err != nil || c.Amount == 0 || c.Node == "" || s.OnChain() {
		return nil, fmt.Errorf("%w: payment %s held with %s at node %q", ErrInvalid, s.Key, c.Amount, c.Node)
	}
	switch s.Status {
	case StatusNone, StatusRequested, StatusExpired:
		return withRequest(&s, c.Request, at, &Accepted{at, c.Amount, c.Node})
	}
	return nil, nil
}

func settle(s State, c Settle, at At) ([]Event, error) {
	if s.Status == StatusConfirmed && c.Block != "" && c.Block != s.Block {
		return nil, nil // it is in another one by now, which may lie less deep
	}
	if err := c.Amount.Check(); err != nil || c.Amount == 0 || c.Index < 0 {
		return nil, fmt.Errorf("%w: payment %s settled with %s at settle_index %d", ErrInvalid, s.Key, c.Amount, c.Index)
	}
	switch s.Status {
	case StatusNone, StatusRequested, StatusExpired, StatusAccepted, StatusCanceled, StatusConfirmed:
		if s.OnChain() != (s.Status == StatusConfirmed) {
			return nil, fmt.Errorf("%w: payment %s is %s", ErrState, s.Key, s.Status)
		}
		if s.OnChain() {
			c.Meant = s.Meant // it was decided when it was seen
		}
		return withRequest(&s, c.Request, at, &Settled{at, c.Amount, c.Via, c.Node, c.Index, c.Resource, c.Meant, c.Ours})
	case StatusSeen, StatusReorged, StatusReplaced:
		return nil, fmt.Errorf("%w: payment %s is %s", ErrState, s.Key, s.Status)
	}
	switch {
	case s.Amount != c.Amount:
		return nil, fmt.Errorf("%w: payment %s settled with %s, and now with %s", ErrConflict, s.Key, s.Amount, c.Amount)
	case s.Via != c.Via:
		return nil, fmt.Errorf("%w: payment %s settled by %s, and now by %s", ErrConflict, s.Key, s.Via, c.Via)
	case s.Node != c.Node && s.Node != "" && c.Node != "":
		return nil, fmt.Errorf("%w: payment %s settled at node %s, and now at %s", ErrConflict, s.Key, s.Node, c.Node)
	}
	return nil, nil // delivered before, or told anew by a wallet that counts anew
}

func see(s State, c See, at At) ([]Event, error) {
	if err := c.Amount.Check(); err != nil || c.Amount == 0 || (c.Resource == "") == (c.Meant == "") || c.Address == "" {
		return nil, fmt.Errorf("%w: an output has a resource, an address and an amount", ErrInvalid)
	}
	switch {
	case s.Status == StatusNone:
		return withRequest(&s, c.Request, at, &Seen{at, c.Resource, c.Address, c.Amount, c.Meant})
	case s.Address != c.Address || s.Amount != c.Amount:
		return nil, fmt.Errorf("%w: output %s pays %s to %s, and now %s to %s",
			ErrConflict, s.Key, s.Amount, s.Address, c.Amount, c.Address)
	}
	return nil, nil
}

// confirm takes the block of an output. One that stands in another block has to be
// reorged first, so that what was credited is reversed.
func confirm(s State, c Confirm, at At) ([]Event, error) {
	if c.Height < 1 || c.Block == "" {
		return nil, fmt.Errorf("%w: a block has a height and a hash", ErrInvalid)
	}
	if s.InBlock() {
		if s.Block == c.Block {
			return nil, nil
		}
		return nil, fmt.Errorf("%w: output %s is in block %s: it has to leave it first", ErrState, s.Key, s.Block)
	}
	possible := s.Status == StatusSeen || s.Status == StatusReorged || s.Status == StatusReplaced
	return onlyIf(possible, s, &Confirmed{at, c.Height, c.Block})
}
