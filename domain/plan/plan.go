// Package plan guards what is on offer, and at which price.
//
// A plan is a name and terms. It can be published again with other terms, which then
// hold for later orders: a resource keeps those it was opened with.
package plan

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"sandglass/domain/codec"
	"sandglass/domain/enforce"
	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/plan/param"
	"sandglass/domain/resource"
	"sandglass/domain/stream"
)

// Prefix begins the name of every plan's stream.
const Prefix = "plan-"

// Errors of Decide and Check. Nothing was changed.
var (
	ErrUnknown   = errors.New("plan: there is no such plan")
	ErrWithdrawn = errors.New("plan: it is withdrawn")
	ErrInvalid   = errors.New("plan: invalid")
	ErrBounds    = errors.New("plan: outside what one payment may buy")
)

// Event is a fact of a plan's life: [Published] or [Withdrawn].
type Event interface{ stream.Fact }

// At is when an event took effect.
type At = stream.At

// Offer is what a plan offers.
type Offer struct {
	Terms    resource.Terms
	Min, Max instant.Millis // that one payment may ask for
	Enforcer string         // what stops and starts the resource, see [enforce.CheckSpec]; empty is nothing
	Title    string         // for people
	Large    ConfirmationRule
	Hosts    Hosts      // on which it is offered; empty is any
	Capacity int64      // how many of them fit on each host; 0 is no bound
	Params   param.Spec // what an order may say of the resource
}

// ConfirmationRule asks for more confirmations above an amount: that of all that a resource
// was paid on the chain and a reorg can still take, so that nothing is gained by splitting it.
// The zero rule asks for none.
type ConfirmationRule struct {
	Above         money.Msat
	Confirmations int64
}

// Required returns how many confirmations the payments of a resource need while a reorg can
// take that sum of it ([payment.Risk]): those that every payment does, or more by the rule.
func (r ConfirmationRule) Required(sum money.Msat, every int) int {
	if sum > r.Above {
		return max(every, int(r.Confirmations))
	}
	return every
}

// MaxConfirmations is the most that a plan can ask for: a day.
const MaxConfirmations = 144

// MaxCapacity is how many of a plan a host may be said to take: more than a keeper cares for.
const MaxCapacity = 100_000

// The events.
type (
	// Published puts the plan on offer, or changes what is on offer.
	Published struct {
		At
		Offer
	}
	// Withdrawn ends the offer. What was sold runs on.
	Withdrawn struct{ At }
)

// Type implements [stream.Fact].
func (*Published) Type() string { return "plan.published.v1" }
func (*Withdrawn) Type() string { return "plan.withdrawn.v1" }

// Fields implements [codec.Fielder].
func (e *Published) Fields(f *codec.Fields) {
	codec.Int(f, "price_msat", &e.Terms.Price.Msat)
	codec.Int(f, "per_ms", &e.Terms.Price.Per)
	codec.Int(f, "min_time_ms", &e.Min)
	codec.Int(f, "max_time_ms", &e.Max)
	codec.OptInt(f, "warn_time_ms", &e.Terms.Warn.Time)
	codec.OptInt(f, "warn_amount_msat", &e.Terms.Warn.Amount)
	codec.OptInt(f, "warn_share_ppm", &e.Terms.Warn.Share)
	codec.Int(f, "grace_ms", &e.Terms.Grace)
	codec.OptString(f, "enforcer", &e.Enforcer)
	codec.OptString(f, "title", &e.Title)
	codec.OptInt(f, "deep_above_msat", &e.Large.Above)
	codec.OptInt(f, "deep_confirmations", &e.Large.Confirmations)
	codec.OptString(f, "hosts", &e.Hosts)
	e.Terms.LaterFields(f)
	codec.OptInt(f, "capacity", &e.Capacity)
	codec.OptString(f, "params", &e.Params)
}

// Fields implements [codec.Fielder].
func (*Withdrawn) Fields(*codec.Fields) {}

// State is a plan as its events tell it.
type State struct {
	Name string
	Offer
	OnOffer bool         // published, and not withdrawn since
	Last    instant.Time // of the latest event
}

// New returns the state of a plan without events.
func New(name string) State { return State{Name: name} }

// Evolve returns s after e.
func Evolve(s State, e Event) State {
	s.Last = *e.Effective()
	switch e := e.(type) {
	case *Published:
		s.Offer, s.OnOffer = e.Offer, true
	case *Withdrawn:
		s.OnOffer = false
	default:
		panic(fmt.Sprintf("plan: unknown event %T", e))
	}
	return s
}

// Command is [Publish] or [Withdraw].
type Command interface{ when() instant.Time }

// The commands. Each takes effect at its time, or at the latest event's if that is later.
type (
	Publish struct {
		At    instant.Time
		Offer Offer
	}
	Withdraw struct{ At instant.Time }
)

func (c Publish) when() instant.Time  { return c.At }
func (c Withdraw) when() instant.Time { return c.At }

// Decide returns the events that c causes: none where they have happened already.
func Decide(s State, c Command) ([]Event, error) {
	if c.when() > instant.Max {
		return nil, fmt.Errorf("%w: %w", ErrInvalid, instant.ErrRange)
	}
	at := At{At: max(c.when(), s.Last)}
	switch c := c.(type) {
	case Publish:
		return publish(s, c.Offer, at)
	case Withdraw:
		switch {
		case s.Max == 0: // never published
			return nil, ErrUnknown
		case !s.OnOffer:
			return nil, nil
		}
		return []Event{&Withdrawn{at}}, nil
	}
	panic(fmt.Sprintf("plan: unknown command %T", c))
}

func publish(s State, o Offer, at At) ([]Event, error) {
	if err := CheckName(s.Name); err != nil {
		return nil, err
	}
	if err := o.Check(); err != nil {
		return nil, err
	}
	if s.OnOffer && s.Offer == o {
		return nil, nil
	}
	return []Event{&Published{at, o}}, nil
}

// CheckName returns an error unless name can name a plan, a resource, a grant or a host: 1 to 64 of a-z,
// 0-9 and '-', not at an end.
func CheckName(name string) error {
	if !resource.IsName(name) {
		return fmt.Errorf("%w: the name %.80q: want 1 to 64 of a-z, 0-9 and -, no - at the ends", ErrInvalid, name)
	}
	return nil
}

// Check returns an error unless o can be offered.
func (o *Offer) Check() error {
	if err := o.Terms.Check(); err != nil {
		return fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	if o.Min < 1 || o.Max < o.Min || o.Max > money.MaxTime {
		return fmt.Errorf("%w: one payment buys %d to %d ms: want 1 ms ≤ minimum ≤ maximum ≤ 250 years", ErrInvalid, o.Min, o.Max)
	}
	if _, err := o.Terms.Price.CostOf(o.Max); err != nil {
		return fmt.Errorf("%w: the maximum costs %w", ErrInvalid, err)
	}
	if d := o.Large; d.Above < 0 || d.Above > money.MaxMsat ||
		d.Confirmations < 0 || d.Confirmations > MaxConfirmations || d.Above > 0 && d.Confirmations == 0 {
		return fmt.Errorf("%w: above an amount a plan may ask for 1 to %d confirmations", ErrInvalid, MaxConfirmations)
	}
	if o.Capacity < 0 || o.Capacity > MaxCapacity {
		return fmt.Errorf("%w: a host takes 1 to %d of a plan, or 0: no bound", ErrInvalid, MaxCapacity)
	}
	if len(o.Title) > 200 || len(o.Enforcer) > 64 || !utf8.ValidString(o.Title+o.Enforcer) {
		return fmt.Errorf("%w: a title has up to 200 bytes of UTF-8, an enforcer's name 64", ErrInvalid)
	}
	if strings.ContainsFunc(o.Title+o.Enforcer, IsControl) {
		return fmt.Errorf("%w: a title or an enforcer's name has a control character: want text on one line", ErrInvalid)
	}
	if o.Terms.Uptime && o.Enforcer == "" {
		return fmt.Errorf("%w: uptime is billed as the keeper of a host says: name what starts and stops the resource", ErrInvalid)
	}
	if o.Enforcer != "" {
		if err := enforce.CheckSpec(o.Enforcer); err != nil {
			return fmt.Errorf("%w: %w", ErrInvalid, err)
		}
	}
	if err := o.Params.Check(); err != nil {
		return fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	if o.Params != "" && o.Enforcer == "" {
		return fmt.Errorf("%w: parameters are for what starts and stops the resource: name it", ErrInvalid)
	}
	return o.Hosts.Check()
}

// IsControl reports whether a character steers what shows it, instead of being shown: a
// terminal takes some for commands, others end a line or turn the direction of what follows.
func IsControl(r rune) bool {
	return unicode.In(r, unicode.Cc, unicode.Zl, unicode.Zp, unicode.Bidi_Control)
}

// Decode returns the event of a record, or says what in it is unknown.
func Decode(r *stream.Record) (Event, error) { return stream.Decode(r, blank(r.Type)) }

func blank(kind string) Event {
	switch kind {
	case "plan.published.v1":
		return new(Published)
	case "plan.withdrawn.v1":
		return new(Withdrawn)
	}
	return nil
}

// Aggregate is the package as [stream.Handler] takes it.
func Aggregate() stream.Aggregate[string, State, Command, Event] {
	return stream.Aggregate[string, State, Command, Event]{
		Prefix: Prefix, New: New, Decide: Decide, Evolve: Evolve, Decode: Decode,
	}
}

// Handler executes commands on plans.
type Handler = stream.Handler[string, State, Command, Event]

// Outcome is a plan after a command.
type Outcome = stream.Outcome[State]
