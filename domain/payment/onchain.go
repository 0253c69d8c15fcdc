package payment

import (
	"fmt"
	"strings"

	"sandglass/domain/instant"
	"sandglass/domain/money"
)

// ChainPrefix begins the key of a payment on the chain: btc-<txid>-<vout>.
const ChainPrefix = "btc-"

// OnChain says whether the payment is an output on the chain.
func (s *State) OnChain() bool { return strings.HasPrefix(s.Key, ChainPrefix) }

// ChainKey returns the key of an output.
func ChainKey(txid string, vout uint32) string {
	return fmt.Sprintf("%s%s-%d", ChainPrefix, txid, vout)
}

// The events of a payment on the chain, beside those that every payment has: it is
// settled when it has the confirmations that are asked for.
type (
	// Seen says that an output pays one of our addresses. It is shown, never credited.
	Seen struct {
		At
		Resource string // that the address was issued for
		Address  string
		Amount   money.Msat
	}
	// Confirmed says that a block of the active chain holds the output.
	Confirmed struct {
		At
		Height int64
		Block  string // its hash
	}
	// Reorged says that this block left the active chain. What was credited is reversed.
	Reorged struct {
		At
		Height int64
		Block  string
	}
	// Replaced says that the output will not come: another transaction spent what it
	// spends, or nobody knows it any more. Should the chain hold it after all, it is
	// confirmed again.
	Replaced struct {
		At
		Reason string // conflict, vanished or stale
	}
	// Finalized says that so many blocks stand on the output that it is not watched any
	// more.
	Finalized struct {
		At
		Height int64 // of the tip
	}
)

func (*Seen) kind() string      { return "payment.seen.v1" }
func (*Confirmed) kind() string { return "payment.confirmed.v1" }
func (*Reorged) kind() string   { return "payment.reorged.v1" }
func (*Replaced) kind() string  { return "payment.replaced.v1" }
func (*Finalized) kind() string { return "payment.finalized.v1" }

// The commands of a payment on the chain.
type (
	See      struct{ Seen }
	Confirm  struct{ Confirmed }
	Reorg    struct{ Reorged }
	Replace  struct{ Replaced }
	Finalize struct{ Finalized }
)

// evolveChain returns s after an event that only a payment on the chain has.
func evolveChain(s State, e Event) State {
	switch e := e.(type) {
	case *Seen:
		s.Status, s.Resource, s.Address, s.Amount, s.Requested = StatusSeen, e.Resource, e.Address, e.Amount, e.At.At
	case *Confirmed:
		s.Status, s.Height, s.Block, s.Reason = StatusConfirmed, e.Height, e.Block, ""
	case *Reorged:
		s.Status, s.Height, s.Block, s.Settled, s.Reason = StatusReorged, 0, "", 0, "reorged"
	case *Replaced:
		s.Status, s.Reason = StatusReplaced, e.Reason
	case *Finalized:
		s.Final = true
	default:
		panic(fmt.Sprintf("payment: unknown event %T", e))
	}
	return s
}

// decideChain decides a command that only a payment on the chain has.
func decideChain(s State, c Command, at At) ([]Event, error) {
	if !s.OnChain() {
		return nil, fmt.Errorf("%w: payment %s is not on the chain", ErrInvalid, s.Key)
	}
	switch c := c.(type) {
	case See:
		return see(s, c.Seen, at)
	case Confirm:
		return confirm(s, c.Confirmed, at)
	case Reorg:
		if !s.inBlock() || s.Block != c.Block {
			return nil, nil // it is in none, or in another one by now
		}
		return []Event{&Reorged{at, s.Height, s.Block}}, nil
	case Replace:
		if s.Status == StatusReplaced {
			return nil, nil
		}
		return when(s, s.Status == StatusSeen || s.Status == StatusReorged, &Replaced{at, c.Reason})
	case Finalize:
		if s.Final {
			return nil, nil
		}
		return when(s, s.Status == StatusCredited || s.Status == StatusUnallocated, &Finalized{at, c.Height})
	}
	panic(fmt.Sprintf("payment: unknown command %T", c))
}

// inBlock says whether the payment counts as in a block of the active chain.
func (s *State) inBlock() bool {
	switch s.Status {
	case StatusConfirmed, StatusSettled, StatusCredited, StatusUnallocated:
		return s.Block != ""
	}
	return false
}

func see(s State, c Seen, at At) ([]Event, error) {
	if err := c.Amount.Check(); err != nil || c.Amount == 0 || c.Resource == "" || c.Address == "" {
		return nil, fmt.Errorf("%w: an output has a resource, an address and an amount", ErrInvalid)
	}
	switch {
	case s.Status == StatusNone:
		c.At = at
		return []Event{&c}, nil
	case s.Address != c.Address || s.Amount != c.Amount:
		return nil, fmt.Errorf("%w: output %s pays %s to %s, and now %s to %s", ErrConflict, s.Key, s.Amount, s.Address, c.Amount, c.Address)
	}
	return nil, nil
}

// confirm takes the block of an output. One that stands in another block has to be
// reorged first, so that what was credited is reversed.
func confirm(s State, c Confirmed, at At) ([]Event, error) {
	if c.Height < 1 || c.Block == "" {
		return nil, fmt.Errorf("%w: a block has a height and a hash", ErrInvalid)
	}
	if s.inBlock() {
		if s.Block == c.Block {
			return nil, nil
		}
		return nil, fmt.Errorf("%w: output %s is in block %s: it has to leave it first", ErrState, s.Key, s.Block)
	}
	c.At = at
	return when(s, s.Status == StatusSeen || s.Status == StatusReorged || s.Status == StatusReplaced, &c)
}

// coming says whether the payment is on its way: it may still buy time.
func (s *State) coming() bool {
	return s.Status == StatusSeen || s.Status == StatusConfirmed || s.Status == StatusReorged
}

// Waits says whether there is something left to learn of the payment: money that may
// still come, may still go, or is on its way.
func (s *State) Waits() bool {
	switch s.Status {
	case StatusRequested, StatusSettled, StatusSeen, StatusConfirmed, StatusReorged:
		return true
	case StatusCredited, StatusUnallocated:
		return s.OnChain() && !s.Final
	}
	return false
}

// Ended says whether nothing more is to be done about the payment: who wants to know it
// reads its stream.
func (s *State) Ended() bool { return !s.Waits() && s.Status != StatusUnallocated }

// viaChain is how an output came.
const viaChain = "onchain"

// SettledOnChain returns the settlement of an output that has its confirmations.
func SettledOnChain(s *State, at instant.Time, node string) Settled {
	return Settled{At: At{at}, Amount: s.Amount, Via: viaChain, Node: node}
}

// Address is an address that the wallet has made.
type Address struct {
	Address string
	Node    string // identity_pubkey of the wallet that holds its key
	Height  int64  // of the chain at that time
}
