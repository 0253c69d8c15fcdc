package resource

import (
	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/resource/config"
	"sandglass/domain/resource/terms"
	"sandglass/domain/stream"
)

// Event is a fact of a resource's life. Each is a small struct of plain values; its
// time stands in the metadata of its record, the rest in the JSON of its payload.
type Event interface{ stream.Fact }

// At is when an event took effect.
type At = stream.At

// Reason is the code of why something happened to a resource.
type Reason string

// The reasons of a start, of a reversal and of a release.
const (
	ReasonPaid      Reason = "paid"      // a credit gave it time
	ReasonGranted   Reason = "granted"   // a grant did
	ReasonResumed   Reason = "resumed"   // its holder let it run again
	ReasonReturned  Reason = "returned"  // time that was given back did
	ReasonMoved     Reason = "moved"     // it is on another host
	ReasonUp        Reason = "up"        // the keeper says that it is up
	ReasonAccepted  Reason = "accepted"  // its first payment is held until it is up
	ReasonReorged   Reason = "reorged"   // the block of the payment left the chain
	ReasonAllocated Reason = "allocated" // the payment went to another resource meanwhile
	ReasonGraceOver Reason = "grace_over"
	ReasonNeverPaid Reason = "never_paid"
	ReasonHolder    Reason = "holder"   // asked for it
	ReasonOperator  Reason = "operator" // asked for it
	// ReasonNotDelivered is that it did not come up in time: its first payment went back.
	ReasonNotDelivered Reason = "not_delivered"
)

// Opened begins a resource: it has terms, and waits for its first payment.
type Opened struct {
	At
	Plan     string
	Terms    Terms
	Enforcer string // what stops and starts it
	Holder   [16]byte
	Request  [16]byte // tells an order that is sent again from another one
}

// Terms are what a plan promised when the resource was opened, and Warn is when that warns.
type (
	Terms = terms.Terms
	Warn  = terms.Warn
)

// Credited records money that arrived, and the lot that it opened.
type Credited struct {
	At
	Payment  string         // the key of the payment, which is credited once
	Amount   money.Msat     // what arrived
	Time     instant.Millis // what it bought: see below
	Price    money.Price    // at which price
	DebtPaid money.Msat     // what of it paid off debt first

	// Above is what came above the amount for which Price was quoted, and bought at AbovePrice,
	// the resource's own: both are zero where there is one price. Time is (Amount − DebtPaid −
	// Above) × per / price, and Above × per / price of its own, each rounded down.
	Above      money.Msat
	AbovePrice money.Price
}

// Granted records time that was given for nothing: a lot without money.
type Granted struct {
	At
	Key    string // names the grant, so that it is given once
	Time   instant.Millis
	Reason string
}

// Starting says that the resource, which is billed by its uptime, has time and should be up from
// now on. Its clock stands still until it is. By ReasonAccepted it has none yet, and by ReasonUp it
// is up: its time begins once its first payment is taken.
type Starting struct {
	At
	Reason Reason // ReasonPaid, ReasonGranted, ReasonResumed, ReasonReturned or ReasonMoved, or one of these
}

// Started says that the resource runs from now on: its clock does.
type Started struct {
	At
	Reason Reason // ReasonPaid, ReasonGranted or ReasonResumed; or ReasonUp, by its uptime
}

// Stopped says that the resource, which should be up, is down from now on, and its clock stands
// still: it is starting again.
type Stopped struct {
	At
	Why string // as the keeper says; empty where it does not, or where it is up again
}

// Returned gives back what was debited over an outage that was learned late, [From, From + Time),
// to the lots that were drawn last.
type Returned struct {
	At
	From   instant.Time
	Time   instant.Millis
	Amount money.Msat // the money that moved back with it
}

// Debited records use of a resource whose clock runs over [From, At).
type Debited struct {
	At
	From     instant.Time
	Time     instant.Millis // drawn from lots: At − From − Forgiven
	Amount   money.Msat     // the money that moved with it
	Forgiven instant.Millis // of a gap that the policy did not bill; or for which the clock stood still before it ran
}

// Paused says that the holder stopped the clock.
type Paused struct{ At }

// Warned says that what is left fell to the threshold, at that instant.
type Warned struct{ At }

// Recovered says that a credit lifted what is left above the threshold again.
type Recovered struct{ At }

// Exhausted says that no time is left: the resource is suspended from the computed
// instant on, whenever that was noticed.
type Exhausted struct{ At }

// Reversed takes a credit back.
type Reversed struct {
	At
	Payment string
	Amount  money.Msat     // of the credit
	Balance money.Msat     // what was left in its lot, and is no more
	Time    instant.Millis // that its lot had left
	Debt    money.Msat     // what had been drawn, and is owed now: Amount − Balance
	Reason  Reason
}

// Held says until when a deposit that was seen on the chain keeps a resource without
// time from being released. An instant that has passed ends it.
type Held struct {
	At
	Payment string
	Until   instant.Time
}

// Repriced sets the price of later credits. Time that was bought is kept.
type Repriced struct {
	At
	Price money.Price
}

// Placed says which host the resource belongs to from now on: its daemon alone lets the
// resource's time pass. It is written with Opened, and again when the resource moves.
type Placed struct {
	At
	Host string
}

// Configured says with which parameters it is configured from now on.
type Configured = config.Configured

// Released ends the resource for good.
type Released struct {
	At
	Reason Reason // ReasonGraceOver, ReasonNeverPaid, ReasonHolder, ReasonOperator or ReasonNotDelivered
}

// Type implements [stream.Fact].
func (*Opened) Type() string    { return "resource.opened.v1" }
func (*Credited) Type() string  { return "resource.credited.v2" }
func (*Granted) Type() string   { return "resource.granted.v1" }
func (*Started) Type() string   { return "resource.started.v1" }
func (*Starting) Type() string  { return "resource.starting.v1" }
func (*Stopped) Type() string   { return "resource.stopped.v1" }
func (*Returned) Type() string  { return "resource.returned.v1" }
func (*Debited) Type() string   { return "resource.debited.v1" }
func (*Paused) Type() string    { return "resource.paused.v1" }
func (*Warned) Type() string    { return "resource.warned.v1" }
func (*Recovered) Type() string { return "resource.recovered.v1" }
func (*Exhausted) Type() string { return "resource.exhausted.v1" }
func (*Reversed) Type() string  { return "resource.reversed.v1" }
func (*Held) Type() string      { return "resource.held.v1" }
func (*Repriced) Type() string  { return "resource.repriced.v1" }
func (*Placed) Type() string    { return "resource.placed.v1" }
func (*Released) Type() string  { return "resource.released.v1" }
