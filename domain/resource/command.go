// Package resource decides what a prepaid resource owes and when it runs out.
//
// Its [State] is folded from its stream by [Evolve]; [Decide] turns a command into
// events. Both are pure: the time is a field of the command. What the wallet does, and
// which plan is on offer, is left to the packages payment and plan.
package resource

import (
	"errors"

	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/resource/config"
	"sandglass/domain/resource/terms"
	"sandglass/domain/stream"
)

// Prefix begins the name of every resource's stream. The rest is its id.
const Prefix = "resource-"

// ID names a resource: see [IsName].
type ID string

// Errors of Decide. Nothing was changed.
var (
	ErrNotOpened = errors.New("resource: there is no such resource")
	ErrExists    = errors.New("resource: the id is taken by another order")
	ErrReleased  = errors.New("resource: it is released, which is final")
	ErrNotRuns   = errors.New("resource: only a running resource can be paused")
	ErrNotPaused = errors.New("resource: only a paused resource can be resumed")
	ErrNoTime    = errors.New("resource: no time is left: pay first")
	ErrNoCredit  = errors.New("resource: it has no credit of that payment")
	ErrConflict  = errors.New("resource: the same key with another amount")
	ErrInvalid   = errors.New("resource: invalid command")
	// ErrOtherOrder says that the money is for an order of that id that is not the one which
	// opened it.
	ErrOtherOrder = errors.New("resource: the id was ordered anew")
)

// Aggregate is the package as [stream.Handler] takes it.
func Aggregate() stream.Aggregate[ID, State, Command, Event] {
	return stream.Aggregate[ID, State, Command, Event]{
		Prefix: Prefix, New: New, Decide: Decide, Evolve: Evolve, Decode: Decode,
		Copy: func(s State) (State, int) { return s.Clone(), stateBytes + len(s.Lots)*lotBytes },
	}
}

// About how many bytes a state takes without its lots, and a lot with its key.
const (
	stateBytes = 512
	lotBytes   = 160
)

// Handler executes commands on resources.
type Handler = stream.Handler[ID, State, Command, Event]

// Outcome is a resource after a command.
type Outcome = stream.Outcome[State]

// Command is a request to change a resource at an instant.
type Command interface{ when() When }

// Order is what a resource is opened with.
type Order = terms.Order

// Opens returns the resource that o would open at an instant: awaiting its first payment.
func Opens(id ID, o *Order, at instant.Time) (State, error) {
	s := New(id)
	events, err := Decide(s, Open{When: When{At: at}, Order: *o})
	for _, e := range events {
		s = Evolve(s, e)
	}
	return s, err
}

// When is the time of a command, and the policy for a time that nobody watched.
type When struct {
	At instant.Time
	// MaxGap is how long a running resource may go without a debit before the rest of
	// the time counts as a gap: the daemon was dead, or the clock jumped. 0 is no bound.
	MaxGap instant.Millis
	// Forgive leaves a gap's time beyond MaxGap unbilled. Else all of it is billed.
	Forgive bool
}

func (w When) when() When { return w }

// The commands.
type (
	// Open begins a resource. Done again with the same order it changes nothing.
	Open struct {
		When
		Order
	}
	// Credit adds money that arrived. It is applied once for each Payment.
	Credit struct {
		When
		Payment string
		Amount  money.Msat
		// Paid is when the wallet counted the money as final, at most At. A running
		// resource is credited as of then, so that a late daemon suspends nobody who
		// paid in time.
		Paid instant.Time
		// Price is what the payer was quoted; the zero Price is the resource's own.
		Price money.Price
		// Quoted is the amount for which Price was quoted: what comes above it buys at the
		// resource's own price. 0 is all that comes.
		Quoted money.Msat
		// Order is what the money is for, if it pays an order: a resource that is not opened
		// is opened by it, and one that another order opened is [ErrOtherOrder].
		Order *Order
	}
	// Accept opens what was ordered once its first payment is held, before its time is paid: it is
	// starting, and its time begins with the credit. Done again, or later, it changes nothing.
	Accept struct {
		When
		Order
	}
	// Grant gives time for nothing, once for each Key.
	Grant struct {
		When
		Key    string
		Time   instant.Millis
		Reason string
	}
	// Settle does what time alone brings: debits, warnings, exhaustion, release.
	Settle struct {
		When
		// Swept is up to when all that was paid is known. A resource is released only if its
		// grace had ended by then: the zero Swept releases nothing.
		Swept instant.Time
		Gap   instant.Gap // the last one, after which its length, or the grace, is given again
	}
	// Pause stops the clock of a running resource.
	Pause struct{ When }
	// Resume lets a paused resource run again.
	Resume struct{ When }
	// Reverse takes back the credit of a payment. Done again it is ErrNoCredit, unless
	// the payment was credited again in between.
	Reverse struct {
		When
		Payment string
		Reason  Reason
	}
	// Hold keeps a resource without time from being released until then, for a deposit
	// that was seen on the chain, or, at a time that has passed, no longer. It is bounded
	// by [MaxHold], and does nothing to a resource that has time.
	Hold struct {
		When
		Payment string
		Until   instant.Time
	}
	// Reprice sets the price of later credits.
	Reprice struct {
		When
		Price money.Price
	}
	// Place gives the resource to a host, of which it was another one's or nobody's.
	Place struct {
		When
		Host string
	}
	// Configure sets the parameters, or deletes them, by the zero hash.
	Configure struct {
		When
		Params config.Hash
	}
	// Release ends the resource. Its reason is ReasonHolder, ReasonOperator, or
	// ReasonNotDelivered: that ends only what is [State.Unpaid].
	Release struct {
		When
		Reason Reason
	}
)
