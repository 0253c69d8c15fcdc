// Package plan guards what is on offer, and at which price.
//
// A plan is a name and terms. It can be published again with other terms, which then
// hold for later orders: a resource keeps those it was opened with.
package plan

import (
	"errors"
	"fmt"
	"unicode/utf8"

	"sandglass/domain/codec"
	"sandglass/domain/instant"
	"sandglass/domain/money"
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
type Event interface {
	codec.Fielder
	kind() string
	at() *instant.Time
}

// At is when an event took effect.
type At struct{ At instant.Time }

func (a *At) at() *instant.Time { return &a.At }

func (a At) when() instant.Time { return a.At }

// Published puts the plan on offer, or changes what is on offer.
type Published struct {
	At
	Terms    resource.Terms
	Min, Max instant.Millis // that one payment may ask for
	Enforcer string         // what stops and starts the resource; empty is nothing
	Title    string         // for people
	Deep     Deep
	Hosts    Hosts // on which it is offered; empty is any
}

// Deep asks for more confirmations above an amount. The zero Deep asks for none.
type Deep struct {
	Above         money.Msat
	Confirmations int64
}

// MaxConfirmations is the most that a plan can ask for: a day.
const MaxConfirmations = 144

// Withdrawn ends the offer. What was sold runs on.
type Withdrawn struct{ At }

func (*Published) kind() string { return "plan.published.v1" }
func (*Withdrawn) kind() string { return "plan.withdrawn.v1" }

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
	codec.OptInt(f, "deep_above_msat", &e.Deep.Above)
	codec.OptInt(f, "deep_confirmations", &e.Deep.Confirmations)
	codec.OptString(f, "hosts", &e.Hosts)
}

// Fields implements [codec.Fielder].
func (*Withdrawn) Fields(*codec.Fields) {}

// State is a plan as its events tell it.
type State struct {
	Name string
	Published
	OnOffer bool // published, and not withdrawn since
}

// New returns the state of a plan without events.
func New(name string) State { return State{Name: name} }

// Evolve returns s after e.
func Evolve(s State, e Event) State {
	switch e := e.(type) {
	case *Published:
		s.Published, s.OnOffer = *e, true
	case *Withdrawn:
		s.OnOffer, s.At = false, e.At
	default:
		panic(fmt.Sprintf("plan: unknown event %T", e))
	}
	return s
}

// Command is [Publish] or [Withdraw].
type Command interface{ when() instant.Time }

// The commands.
type (
	Publish  struct{ Published }
	Withdraw struct{ Withdrawn }
)

// Decide returns the events that c causes: none where they have happened already.
func Decide(s State, c Command) ([]Event, error) {
	if c.when() > instant.Max {
		return nil, fmt.Errorf("%w: %w", ErrInvalid, instant.ErrRange)
	}
	switch c := c.(type) {
	case Publish:
		return publish(s, c.Published)
	case Withdraw:
		switch {
		case s.Max == 0: // never published
			return nil, ErrUnknown
		case !s.OnOffer:
			return nil, nil
		}
		return []Event{&Withdrawn{At{max(c.At.At, s.At.At)}}}, nil
	}
	panic(fmt.Sprintf("plan: unknown command %T", c))
}

func publish(s State, p Published) ([]Event, error) {
	if err := CheckName(s.Name); err != nil {
		return nil, err
	}
	if err := p.Check(); err != nil {
		return nil, err
	}
	p.At.At = max(p.At.At, s.At.At)
	same := s.Published
	same.At = p.At
	if s.OnOffer && same == p {
		return nil, nil
	}
	return []Event{&p}, nil
}

// CheckName says whether name can name a plan, a resource, a grant or a host: 1 to 64 of a-z,
// 0-9 and '-', not at an end.
func CheckName(name string) error {
	if !resource.IsName(name) {
		return fmt.Errorf("%w: the name %.80q: want 1 to 64 of a-z, 0-9 and -, no - at the ends", ErrInvalid, name)
	}
	return nil
}

// Check says whether p can be offered.
func (p *Published) Check() error {
	if err := p.Terms.Check(); err != nil {
		return fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	if p.Min < 1 || p.Max < p.Min || p.Max > money.MaxTime {
		return fmt.Errorf("%w: one payment buys %d to %d ms: want 1 ms ≤ minimum ≤ maximum ≤ 250 years", ErrInvalid, p.Min, p.Max)
	}
	if _, err := p.Terms.Price.CostOf(p.Max); err != nil {
		return fmt.Errorf("%w: the maximum costs %w", ErrInvalid, err)
	}
	if d := p.Deep; d.Above < 0 || d.Above > money.MaxMsat || d.Confirmations < 0 || d.Confirmations > MaxConfirmations || d.Above > 0 && d.Confirmations == 0 {
		return fmt.Errorf("%w: above an amount a plan may ask for 1 to %d confirmations", ErrInvalid, MaxConfirmations)
	}
	if len(p.Title) > 200 || len(p.Enforcer) > 64 || !utf8.ValidString(p.Title+p.Enforcer) {
		return fmt.Errorf("%w: a title has up to 200 bytes of UTF-8, an enforcer's name 64", ErrInvalid)
	}
	return p.Hosts.Check()
}

// Encode returns e as it is appended.
func Encode(e Event) stream.Event {
	return stream.Event{Type: e.kind(), At: *e.at(), Data: codec.Encode(e)}
}

// Decode returns the event of a record, or says what in it is unknown.
func Decode(r *stream.Record) (e Event, err error) {
	switch r.Type {
	case "plan.published.v1":
		e = new(Published)
	case "plan.withdrawn.v1":
		e = new(Withdrawn)
	default:
		return nil, fmt.Errorf("plan: unknown event type %q: run a newer build", r.Type)
	}
	if err := codec.Decode(r.Data, e); err != nil {
		return nil, fmt.Errorf("plan: %s: %w", r.Type, err)
	}
	*e.at() = r.At
	return e, nil
}

// Aggregate is the package as [stream.Handler] takes it.
func Aggregate() stream.Aggregate[State, Command, Event] {
	return stream.Aggregate[State, Command, Event]{
		Prefix: Prefix, New: New, Decide: Decide, Evolve: Evolve, Encode: Encode, Decode: Decode,
	}
}
