// Package payment guards what pays for resources: one payment, one credit, ever.
//
// A payment has a stream of its own. Money that arrived is first a fact there, and
// then a credit of its resource, or unallocated: it is never dropped. [Booker] carries
// a settled payment to its end; [Watcher] feeds it from the wallet.
package payment

import (
	"cmp"
	"errors"
	"fmt"

	"sandglass/domain/codec"
	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/stream"
)

// Prefix begins the name of every payment's stream. The rest is its key:
//
//	ln-<payment_hash>                            a BOLT 11 invoice
//	ln-<payment_hash>-<chan_id>-<htlc_index>     a keysend, by the HTLC that carried it
//	ln-<set_id>                                  one payment to an AMP invoice (BOLT 4 set id)
//	btc-<txid>-<vout>                            an output on the chain
const Prefix = "payment-"

// Errors of Decide. Nothing was changed.
var (
	// ErrConflict says that a payment is known with other content: never a silent hit.
	ErrConflict = errors.New("payment: the same key with other content")
	ErrUnknown  = errors.New("payment: there is no such payment")
	ErrState    = errors.New("payment: not possible in its present state")
	ErrInvalid  = errors.New("payment: invalid command")
)

// Event is a fact of a payment's life.
type Event interface {
	codec.Fielder
	kind() string
	at() *instant.Time
}

// At is when an event took effect.
type At struct{ At instant.Time }

func (a *At) at() *instant.Time { return &a.At }

func (a At) when() instant.Time { return a.At }

// The events.
type (
	// Requested says that an invoice was made for a resource. It holds no preimage.
	Requested struct {
		At
		Resource string
		Amount   money.Msat  // asked for; 0 leaves it to the payer
		Price    money.Price // quoted
		Expiry   instant.Time
		Invoice  string // BOLT 11
	}
	// Settled says that the wallet holds the money for good.
	Settled struct {
		At
		Amount   money.Msat // what arrived
		Via      string     // bolt11, keysend, amp or onchain
		Node     string     // identity_pubkey of the node that received it
		Index    int64      // lnd's settle_index, 0 where it has none
		Resource string     // named by the payer (keysend), or of the invoice's request (AMP)
	}
	// Credited ends a payment: the resource has had it.
	Credited struct {
		At
		Resource string
	}
	// Unallocated says that the money found no home: visible, refundable, allocatable.
	Unallocated struct {
		At
		Resource string // for which it was meant, if that is known
		Reason   string // no_resource, unknown_resource, released, too_long, too_much, foreign_invoice
	}
	// Allocated says that the operator gave unallocated money to a resource.
	Allocated struct {
		At
		Resource string
	}
	// Expired says that the wallet will not take the money any more.
	Expired struct {
		At
		Reason string // canceled, or unknown to the wallet
	}
)

func (*Requested) kind() string   { return "payment.requested.v1" }
func (*Settled) kind() string     { return "payment.settled.v1" }
func (*Credited) kind() string    { return "payment.credited.v1" }
func (*Unallocated) kind() string { return "payment.unallocated.v1" }
func (*Allocated) kind() string   { return "payment.allocated.v1" }
func (*Expired) kind() string     { return "payment.expired.v1" }

// Status is where a payment stands.
type Status uint8

// The life of a payment.
const (
	StatusNone        Status = iota // no event yet
	StatusRequested                 // an invoice is open
	StatusSettled                   // the money is here, and on its way to a resource
	StatusCredited                  // a resource has it
	StatusUnallocated               // no resource has it
	StatusExpired                   // nobody paid
	StatusSeen                      // an output on the chain, not in a block
	StatusConfirmed                 // in a block, not deep enough to count
	StatusReorged                   // its block left the chain
	StatusReplaced                  // it will not come
)

var statusNames = [...]string{"none", "requested", "settled", "credited", "unallocated", "expired", "seen", "confirmed", "reorged", "replaced"}

// String returns the word that the API and the event catalogue use.
func (s Status) String() string { return statusNames[s] }

// State is a payment as its events tell it.
type State struct {
	Key       string
	Status    Status
	Resource  string // for which it is meant, or which has it
	Asked     money.Msat
	Price     money.Price // quoted, or zero
	Expiry    instant.Time
	Invoice   string
	Requested instant.Time
	Amount    money.Msat // that arrived, or is to be seen on the chain
	Via, Node string
	Index     int64
	Settled   instant.Time
	Reason    string // why it is unallocated, expired, reorged or replaced
	Last      instant.Time

	// Of a payment on the chain.
	Address string
	Height  int64  // of its block, 0 while it is in none
	Block   string // hash
	Final   bool   // deep enough not to be watched any more
}

// New returns the state of a payment without events.
func New(key string) State { return State{Key: key} }

// Evolve returns s after e.
func Evolve(s State, e Event) State {
	s.Last = max(s.Last, *e.at())
	switch e := e.(type) {
	case *Requested:
		s.Status, s.Resource, s.Asked, s.Price, s.Expiry, s.Invoice = StatusRequested, e.Resource, e.Amount, e.Price, e.Expiry, e.Invoice
		s.Requested = e.At.At
	case *Settled:
		s.Status, s.Amount, s.Via, s.Node, s.Index, s.Settled, s.Reason = StatusSettled, e.Amount, e.Via, e.Node, e.Index, e.At.At, ""
		if e.Resource != "" {
			s.give(e.Resource)
		}
	case *Credited:
		s.Status, s.Resource, s.Reason = StatusCredited, e.Resource, ""
	case *Unallocated:
		s.Status, s.Resource, s.Reason = StatusUnallocated, e.Resource, e.Reason
	case *Allocated:
		s.Status, s.Reason = StatusSettled, ""
		s.give(e.Resource)
	case *Expired:
		s.Status, s.Reason = StatusExpired, e.Reason
	default:
		return evolveChain(s, e)
	}
	return s
}

// give means the money for a resource. The price that was quoted for another one does
// not go with it.
func (s *State) give(resource string) {
	if s.Resource != resource {
		s.Resource, s.Price = resource, money.Price{}
	}
}

// Command is a request to change a payment.
type Command interface{ when() instant.Time }

// The commands. Each takes effect at its time, or at the latest event's if that is later.
type (
	Request    struct{ Requested }
	Credit     struct{ Credited }
	Unallocate struct{ Unallocated }
	Allocate   struct{ Allocated }
	Expire     struct{ Expired }
	Settle     struct {
		Settled
		Block string // in which an output has its confirmations; empty where there is none
	}
)

// Decide returns the events that c causes: none where they have happened already.
func Decide(s State, c Command) ([]Event, error) {
	if c.when() > instant.Max {
		return nil, fmt.Errorf("%w: %w", ErrInvalid, instant.ErrRange)
	}
	at := At{max(c.when(), s.Last)}
	switch c := c.(type) {
	case Request:
		return request(s, c.Requested, at)
	case Settle:
		if s.Status == StatusConfirmed && c.Block != "" && c.Block != s.Block {
			return nil, nil // it is in another one by now, which may lie less deep
		}
		return settle(s, c.Settled, at)
	case Credit:
		return credit(s, c.Credited, at)
	case Unallocate:
		if s.Status == StatusUnallocated {
			return nil, nil
		}
		return when(s, s.Status == StatusSettled, &Unallocated{at, c.Resource, c.Reason})
	case Allocate:
		if s.Resource == c.Resource && (s.Status == StatusSettled || s.Status == StatusCredited) {
			return nil, nil
		}
		return when(s, s.Status == StatusUnallocated && c.Resource != "", &Allocated{at, c.Resource})
	case Expire:
		if s.Status != StatusRequested {
			return nil, nil // the money was faster
		}
		return []Event{&Expired{at, c.Reason}}, nil
	}
	return decideChain(s, c, at)
}

func when(s State, possible bool, e Event) ([]Event, error) {
	switch {
	case s.Status == StatusNone:
		return nil, ErrUnknown
	case !possible:
		return nil, fmt.Errorf("%w: payment %s is %s for resource %q", ErrState, s.Key, s.Status, s.Resource)
	}
	return []Event{e}, nil
}

func request(s State, c Requested, at At) ([]Event, error) {
	switch err := cmp.Or(c.Amount.Check(), c.Price.Check()); {
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	case c.Resource == "" || c.Expiry < instant.Min || c.Expiry > instant.Max:
		return nil, fmt.Errorf("%w: a request has a resource, and expires in the years 1970 to 9999", ErrInvalid)
	case s.Status == StatusNone:
		c.At = at
		return []Event{&c}, nil
	case s.Invoice == c.Invoice && s.Resource == c.Resource && s.Asked == c.Amount && s.Price == c.Price && s.Expiry == c.Expiry:
		return nil, nil
	}
	return nil, fmt.Errorf("%w: payment %s was requested for resource %q", ErrConflict, s.Key, s.Resource)
}

// credit takes the word of the resource, which has the money, also against another
// booker, whom the resource refused just before.
func credit(s State, c Credited, at At) ([]Event, error) {
	meant := s.Resource == c.Resource && c.Resource != ""
	if meant && s.Status == StatusCredited {
		return nil, nil
	}
	return when(s, meant && (s.Status == StatusSettled || s.Status == StatusUnallocated), &Credited{at, c.Resource})
}

func settle(s State, c Settled, at At) ([]Event, error) {
	if err := c.Amount.Check(); err != nil || c.Amount == 0 || c.Index < 0 {
		return nil, fmt.Errorf("%w: payment %s settled with %s at settle_index %d", ErrInvalid, s.Key, c.Amount, c.Index)
	}
	switch s.Status {
	case StatusNone, StatusRequested, StatusExpired, StatusConfirmed:
		if s.OnChain() != (s.Status == StatusConfirmed) {
			return nil, fmt.Errorf("%w: payment %s is %s", ErrState, s.Key, s.Status)
		}
		c.At = at
		return []Event{&c}, nil
	case StatusSeen, StatusReorged, StatusReplaced:
		return nil, fmt.Errorf("%w: payment %s is %s", ErrState, s.Key, s.Status)
	}
	switch {
	case s.Amount != c.Amount:
		return nil, fmt.Errorf("%w: payment %s settled with %s, and now with %s", ErrConflict, s.Key, s.Amount, c.Amount)
	case s.Node != c.Node && s.Node != "" && c.Node != "":
		return nil, fmt.Errorf("%w: payment %s settled at node %s, and now at %s", ErrConflict, s.Key, s.Node, c.Node)
	}
	return nil, nil // delivered before, or told anew by a wallet that counts anew
}

// Aggregate is the package as [stream.Handler] takes it.
func Aggregate() stream.Aggregate[State, Command, Event] {
	return stream.Aggregate[State, Command, Event]{
		Prefix: Prefix, New: New, Decide: Decide, Evolve: Evolve, Encode: Encode, Decode: Decode,
	}
}
