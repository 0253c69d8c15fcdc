// Package payment guards what pays for resources: one payment, one credit, ever.
//
// A payment has a stream of its own. Money that arrived is first a fact there, and
// then a credit of its resource, or unallocated: it is never dropped. [Booker] carries
// a settled payment to its end; the packages lightning and chain feed it.
//
//	over Lightning:  requested ──▶ settled ──▶ credited
//	                     │  ▲         │ ▲
//	                     ▼  │         ▼ │ allocated
//	                  expired      unallocated
//
//	an order's first payment, where its plan holds it until what was ordered is up:
//	                 requested ──▶ accepted ──▶ settled ──▶ credited
//	                                  │
//	                                  ▼
//	                              canceled: it went back to the payer
//
//	on the chain:    seen ──▶ confirmed ──▶ settled ──▶ credited or unallocated ──▶ finalized
//	                  │           ▲  │          │                  │
//	                  │           │  └──────────┴──▶ reorged ◀─────┘  its block left the chain
//	                  ▼           │                   │  │
//	               replaced ──────┤◀──────────────────┘  │
//	                              └──────────────────────┘  a block holds it (again)
//
// An invoice that expired is settled all the same if its money comes. A keysend and a
// payment by AMP begin with settled. Unallocated money on the chain is allocated
// as over Lightning.
//
// A credit is two appends: to the resource's stream, then to the payment's, which says that
// the resource has it; and so is its reversal, in the other order: the payment is reorged,
// then its resource gives the credit back. A crash may come between, and another daemon or
// a late projection may do the same step at the same time. This repairs it:
//
//	what came between                                 what repairs it
//	crash after settled, or after the resource's      the next sweep books it again ([Booker.Book],
//	credit                                            [Booker.Resume]): the resource takes it once
//	crash after reorged, before the reversal          [Booker.TakeBack], from the next sweep
//	a late watcher reverses what stands again, in     reverse does so only if the payment does not
//	its next block                                    stand once the resource has been read
//	reorged while its credit was being given: the     finishSettled finds that the payment moved
//	other watcher found no credit to take back        on, and takes back what it gave: undoCredit
//	one takes the credit back, another finds it       [Booker.EnsureCredit], after each reversal, and
//	there and says credited: the resource is without  in each full sweep; if the resource refuses it by
//	                                                  then, the payment is unallocated
//	allocated to another resource while its credit    the same: undoCredit
//	was being given
//	the other watcher dies before undoCredit, and     [Booker.TakeBack], in each full sweep, of what was
//	the payment is replaced meanwhile                 settled once, and will not come
//	refused at one booker and credited by another,    [Booker.EnsureCredit] in each full sweep, and
//	which died before it said so                      [Booker.Allocate], say first that it is credited:
//	                                                  creditedAfterAll
package payment

import (
	"cmp"
	"errors"

	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/resource"
	"sandglass/domain/stream"
)

// Errors of Decide. Nothing was changed.
var (
	// ErrConflict says that a payment is known with other content: never a silent hit.
	ErrConflict = errors.New("payment: the same key with other content")
	ErrUnknown  = errors.New("payment: there is no such payment")
	ErrState    = errors.New("payment: not possible in its present state")
	ErrInvalid  = errors.New("payment: invalid command")
)

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
	StatusAccepted                  // the wallet holds the money, which is not ours yet
	StatusCanceled                  // it went back to its payer
)

var statusNames = [...]string{
	"none", "requested", "settled", "credited", "unallocated", "expired", "seen", "confirmed", "reorged", "replaced",
	"accepted", "canceled",
}

// String returns the word that the API and the event catalogue use.
func (s Status) String() string { return statusNames[s] }

// State is a payment as its events tell it.
type State struct {
	Key       Key
	Status    Status
	Resource  resource.ID // for which it is meant, or which has it
	Asked     money.Msat
	Price     money.Price // quoted, or zero
	Expiry    instant.Time
	Invoice   string
	Requested instant.Time
	Order     *resource.Order // by which its resource is opened, or nil
	Amount    money.Msat      // that arrived, or is to be seen on the chain
	Via       Via
	Node      string
	Index     int64
	SettledAt instant.Time
	// AcceptedAt is from when on the wallet held the money, 0 if it came at once.
	AcceptedAt instant.Time
	// Meant is what is told of an invoice whose request is not known: see [Settled]. On the chain
	// it is the resource that gets nothing of it: see [Seen].
	Meant  resource.ID
	Ours   bool
	Reason Reason // why it is unallocated, expired, reorged or replaced
	Last   instant.Time

	// WasSettled says that it was settled at some time: a resource may have been given its
	// money, whatever came since.
	WasSettled bool

	// Of a payment on the chain.
	Address string
	Height  int64  // of its block, 0 while it is in none
	Block   string // hash
	Final   bool   // deep enough not to be watched any more
}

// New returns the state of a payment without events.
func New(key Key) State { return State{Key: key} }

// OnChain reports whether the payment is an output on the chain.
func (s *State) OnChain() bool { return s.Key.OnChain() }

// InBlock reports whether the payment counts as in a block of the active chain.
func (s *State) InBlock() bool {
	switch s.Status {
	case StatusConfirmed, StatusSettled, StatusCredited, StatusUnallocated:
		return s.Block != ""
	}
	return false
}

// wentElsewhere reports whether the money was given, or is on its way, to another resource.
func (s *State) wentElsewhere(than resource.ID) bool {
	return (s.Status == StatusSettled || s.Status == StatusCredited) && s.Resource != than
}

// AtRisk reports whether the resource has the payment's money, or is to get it, by a block
// that may still leave the chain.
func (s *State) AtRisk() bool {
	return s.InBlock() && s.Status != StatusUnallocated && s.Meant == "" && !s.Final
}

// Risk returns what a reorg can take of the payments of one resource: the sum of those that
// are [State.AtRisk]. It stops at [money.MaxMsat].
func Risk(payments []State) (sum money.Msat) {
	for i := range payments {
		if payments[i].AtRisk() {
			sum = min(sum+payments[i].Amount, money.MaxMsat)
		}
	}
	return sum
}

// Coming reports whether the payment is on its way on the chain: it may still buy time.
func (s *State) Coming() bool {
	return s.Meant == "" && (s.Status == StatusSeen || s.Status == StatusConfirmed || s.Status == StatusReorged)
}

// Waits reports whether there is something left to learn of the payment: money that may
// still come, may still go, or is on its way.
func (s *State) Waits() bool {
	switch s.Status {
	case StatusRequested, StatusAccepted, StatusSettled, StatusSeen, StatusConfirmed, StatusReorged:
		return true
	case StatusCredited, StatusUnallocated:
		return s.OnChain() && !s.Final
	case StatusReplaced:
		return s.WasSettled // a booker may give its money late: see [Booker.TakeBack]
	}
	return false
}

// Ended reports whether nothing more is to be done about the payment: whoever wants to know
// it reads its stream.
func (s *State) Ended() bool { return !s.Waits() && s.Status != StatusUnallocated }

// quoted returns the price that the payer was shown, and for which amount, if the money came
// before the invoice expired: later money buys at the resource's own price, and so does that
// of an invoice for any amount.
func (s *State) quoted() (money.Price, money.Msat) {
	if cmp.Or(s.AcceptedAt, s.SettledAt) > s.Expiry || s.Asked == 0 {
		return money.Price{}, 0
	}
	return s.Price, s.Asked
}

// Aggregate is the package as [stream.Handler] takes it.
func Aggregate() stream.Aggregate[Key, State, Command, Event] {
	return stream.Aggregate[Key, State, Command, Event]{
		Prefix: Prefix, New: New, Decide: Decide, Evolve: Evolve, Decode: Decode, Facts: true,
	}
}

// Handler executes commands on payments.
type Handler = stream.Handler[Key, State, Command, Event]

// Outcome is a payment after a command.
type Outcome = stream.Outcome[State]
