package resource

import (
	"fmt"
	"slices"

	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/resource/config"
	"sandglass/domain/resource/lots"
	"sandglass/domain/resource/uptime"
)

// Status is where a resource stands in its life.
type Status uint8

// The life of a resource. Released is final.
const (
	StatusNone      Status = iota // not opened
	StatusAwaiting                // opened, and never had time
	StatusStarting                // it has time and should be up, and is not known to be: its clock stands still
	StatusRunning                 // its time runs
	StatusPaused                  // its clock is stopped by its holder
	StatusSuspended               // its time ran out; kept for its grace
	StatusReleased                // ended
)

var statusNames = [...]string{"none", "awaiting", "starting", "running", "paused", "suspended", "released"}

// String returns the word that the API and the event catalogue use.
func (s Status) String() string { return statusNames[s] }

// State is a resource as its events tell it. The zero State is one not opened.
type State struct {
	ID       ID
	Plan     string
	Enforcer string
	Host     string // whose daemon lets its time pass; empty is no host's
	Terms    Terms
	Holder   [16]byte // hash of the key that pauses, resumes and releases
	Request  [16]byte
	Config   *config.State // with which parameters, nil if with none ever

	Last  instant.Time   // the latest event
	Since instant.Time   // since when it has its status
	Full  instant.Millis // what was left after the last credit or grant

	// One of these at most is not zero.
	DebitedTo instant.Time // up to when use was debited: of one that runs, or ran last
	HoldUntil instant.Time // of one without time: see [State.HeldUntil]

	Uptime *uptime.State // nil where the clock runs with the wall's while there is time, but for pauses

	lots.Queue // every credit and grant that stands: only events change it
	Debt       money.Msat

	// Sums over the whole stream, in money: Credited − Debited − Reversed is what the
	// lots hold less the debt, always. Debited is less what was returned.
	Credited, Debited, ReversedSum money.Msat

	Status Status
	Warned bool

	Resumed bool // it was its holder who last let it run, and no credit
	Halted  bool // suspended while it was paused: with new time it is paused again
}

// OpenedBy reports whether o is the order that opened the resource, or that it waits for. None is
// no such order.
func (s *State) OpenedBy(o *Order) bool {
	return o != nil && o.Same(&Order{Plan: s.Plan, Holder: s.Holder, Request: s.Request})
}

// New returns the state of a resource that has no events yet.
func New(id ID) State { return State{ID: id} }

// Clone returns a copy that shares nothing that changes.
func (s State) Clone() State {
	s.Lots = slices.Clone(s.Lots)
	return s
}

// Evolve returns s after e. It has no error to return: e has happened already.
// Like append it may reuse the storage of s, so use only what it returns.
func Evolve(s State, e Event) State {
	s.Last = max(s.Last, *e.Effective())
	s.pass(*e.Effective())
	switch e := e.(type) {
	case *Opened:
		s.Plan, s.Enforcer, s.Terms, s.Holder, s.Request = e.Plan, e.Enforcer, e.Terms, e.Holder, e.Request
		if e.Terms.Uptime || e.Terms.MaxPause > 0 {
			s.Uptime = &uptime.State{Opened: e.At.At}
		}
		s.enter(StatusAwaiting, e.At.At)
	case *Credited:
		s.Credited += e.Amount
		s.Debt -= e.DebtPaid
		s.add(lots.Lot{Key: e.Payment, Amount: e.Amount - e.DebtPaid, Time: e.Time, DebtPaid: e.DebtPaid})
	case *Granted:
		s.add(lots.Lot{Key: e.Key, Time: e.Time})
	case *Starting:
		s.begin(StatusStarting, e.At.At, e.Reason)
	case *Started:
		s.begin(StatusRunning, e.At.At, e.Reason)
	case *Stopped:
		s.Resumed = false
		s.alter(func(u *uptime.State) { u.Why = e.Why })
		s.enter(StatusStarting, e.At.At)
	case *Debited:
		s.debit(e)
	case *Returned:
		s.giveBack(e)
	case *Paused:
		s.begin(StatusPaused, e.At.At, "")
	case *Warned:
		s.Warned = true
	case *Recovered:
		s.Warned = false
	case *Exhausted:
		s.enter(StatusSuspended, e.At.At)
	case *Reversed:
		s.reverse(e)
	case *Held:
		s.DebitedTo, s.HoldUntil = 0, e.Until
	case *Repriced:
		s.Terms.Price = e.Price
	case *Placed:
		s.Host = e.Host
		s.alter(func(u *uptime.State) { u.Billed, u.Up = nil, false })
	case *Configured:
		s.Config = config.After(e)
	case *Released:
		s.enter(StatusReleased, e.At.At)
	default:
		panic(fmt.Sprintf("resource: unknown event %T", e))
	}
	return s
}

func (s *State) enter(status Status, at instant.Time) {
	s.Halted = s.Status == StatusPaused && status == StatusSuspended
	s.Status, s.Since = status, at
}

func (s *State) add(l lots.Lot) {
	s.Queue.Add(l)
	s.Full = s.Left()
}

// begin lets the clock begin that a status has, be it one that stands still.
func (s *State) begin(status Status, at instant.Time, reason Reason) {
	s.DebitedTo, s.HoldUntil = at, 0
	if reason != ReasonUp {
		s.Resumed = reason == ReasonResumed
	}
	s.alter(func(u *uptime.State) {
		u.Up, u.Why = u.Up || status == StatusRunning, ""
		u.Ready = status == StatusStarting && reason == ReasonUp
	})
	s.enter(status, at)
}

func (s *State) debit(e *Debited) {
	s.Debited += s.Draw(e.Time)
	s.DebitedTo = e.At.At
	if s.Status == StatusRunning && s.Terms.Uptime {
		s.alter(func(u *uptime.State) { u.Bill(uptime.Span{From: e.From, To: e.At.At}) })
	}
}

func (s *State) giveBack(e *Returned) {
	back := s.Undraw(e.Time)
	s.Debited -= back
	s.alter(func(u *uptime.State) {
		over := uptime.Span{From: e.From, To: e.From.Add(e.Time)}
		u.Unbill(over)
		u.Outage = u.Spend(u.Outage, over, s.Terms.MaxOutage)
		u.Returned += back
	})
}

func (s *State) reverse(e *Reversed) {
	s.Remove(s.Find(e.Payment, false))
	s.ReversedSum += e.Amount
	s.Debt += e.Debt
	// What was billed of it is owed, and not given back.
	s.alter(func(u *uptime.State) { u.KeepBilled(s.Drawn()) })
}
