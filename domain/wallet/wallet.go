// Package wallet guards what the watcher knows of a node's records: how far it has
// handled them, without a hole, and up to when all that came is in the log.
//
// A node has one stream, named by its identity_pubkey. Its indices mean something only
// within an epoch: when the node's database is rebuilt they begin again, and so does
// the cursor, which is an optimisation. What was paid stands in the payments.
//
// Up to when all that came is known is evidence for other hosts: they release nothing that
// may have been paid at a node since. A node that is gone is retired by the operator, and
// is waited for no more, until it is watched again.
package wallet

import (
	"errors"
	"fmt"

	"sandglass/domain/codec"
	"sandglass/domain/instant"
	"sandglass/domain/stream"
)

// Prefix begins the name of every wallet's stream. The rest is its identity_pubkey.
const Prefix = "wallet-"

// Reasons of an epoch.
const (
	FirstStart = "first_start" // this log has not seen the node before
	Rebuilt    = "rebuilt"     // the node's indices began again
)

// Errors of Decide. Nothing was changed.
var (
	ErrUnknown = errors.New("wallet: it was never adopted")
	ErrEpoch   = errors.New("wallet: another epoch has begun")
	ErrInvalid = errors.New("wallet: invalid command")
)

// Event is a fact of a wallet's life: [Adopted], [Swept], [Retired] or [Returned].
type Event interface{ stream.Fact }

// At is when an event took effect.
type At = stream.At

// Adopted begins an epoch. What was settled up to Settle is history, and not ours.
type Adopted struct {
	At
	Epoch   int64  // from 1
	Network string // mainnet, testnet, signet, regtest, ...
	Settle  int64  // settle_index at the start
	Add     int64  // add_index up to which every invoice was at an end
	Reason  string // FirstStart or Rebuilt
}

// Swept says that a sweep was through: the cursor may have moved, and all that came before
// the sweep began is in the log. A time is 0 where that is not known.
type Swept struct {
	At
	Settle   int64        // settle_index up to which everything is durably handled
	Add      int64        // add_index up to which every invoice is at an end
	Invoices instant.Time // up to when all that came over Lightning is in the log
	Chain    instant.Time // up to when all that came on the chain is in the log
}

// Retired says that the node is gone, and nobody is to wait for what came there.
type Retired struct{ At }

// Returned says that a node that was retired is watched again.
type Returned struct{ At }

// Type implements [stream.Fact].
func (*Adopted) Type() string  { return "wallet.adopted.v1" }
func (*Swept) Type() string    { return "wallet.swept.v2" }
func (*Retired) Type() string  { return "wallet.retired.v1" }
func (*Returned) Type() string { return "wallet.returned.v1" }

// Fields implements [codec.Fielder].
func (e *Adopted) Fields(f *codec.Fields) {
	codec.Int(f, "epoch", &e.Epoch)
	codec.String(f, "network", &e.Network)
	codec.Int(f, "settle_index", &e.Settle)
	codec.Int(f, "add_index", &e.Add)
	codec.String(f, "reason", &e.Reason)
}

// Fields implements [codec.Fielder].
func (e *Swept) Fields(f *codec.Fields) {
	codec.Int(f, "settle_index", &e.Settle)
	codec.Int(f, "add_index", &e.Add)
	codec.OptTime(f, "invoices_to", &e.Invoices)
	codec.OptTime(f, "chain_to", &e.Chain)
}

// Fields implements [codec.Fielder].
func (*Retired) Fields(*codec.Fields) {}

// Fields implements [codec.Fielder].
func (*Returned) Fields(*codec.Fields) {}

// State is a wallet as its events tell it.
type State struct {
	Node     string // identity_pubkey
	Epoch    int64  // 0: never adopted
	Network  string
	Since    instant.Time // when it was first adopted
	Began    instant.Time // when the epoch began
	History  int64        // settle_index up to which it is not ours
	Settle   int64        // the cursor
	Add      int64        // the floor
	Invoices instant.Time // as in [Swept], 0 if that was never known
	Chain    instant.Time // likewise
	Retired  instant.Time // when it was retired, 0 if it is not
	Last     instant.Time
}

// SweptTo returns up to when all that came to the wallet is in the log, 0 if that is not
// known. onChain says that it gave out an address: else nothing comes on the chain.
func (s *State) SweptTo(onChain bool) instant.Time {
	if onChain {
		return min(s.Invoices, s.Chain)
	}
	return s.Invoices
}

// New returns the state of a wallet without events.
func New(node string) State { return State{Node: node} }

// Evolve returns s after e.
func Evolve(s State, e Event) State {
	s.Last = max(s.Last, *e.Effective())
	switch e := e.(type) {
	case *Adopted:
		if s.Epoch == 0 {
			s.Since = e.At.At
		}
		s.Epoch, s.Network, s.Began = e.Epoch, e.Network, e.At.At
		s.History, s.Settle, s.Add = e.Settle, e.Settle, e.Add
	case *Swept:
		s.Settle, s.Add = e.Settle, e.Add
		s.Invoices, s.Chain = max(s.Invoices, e.Invoices), max(s.Chain, e.Chain)
	case *Retired:
		s.Retired = e.At.At
	case *Returned:
		s.Retired = 0
	default:
		panic(fmt.Sprintf("wallet: unknown event %T", e))
	}
	return s
}

// Clocks differ: what settled so long before the first epoch is history whatever its
// index, and what has an old index is history up to so long after.
const (
	slackBefore = instant.Hour
	slackAfter  = instant.Minute
)

// Predates reports whether money with a settle_index, 0 if it has none, came at a time, 0 if
// that is not known, before the wallet was ours: the log leaves it alone.
func (s *State) Predates(index int64, at instant.Time) bool {
	return at > 0 && at < s.Since.Add(-slackBefore) || 0 < index && index <= s.History && at <= s.Since.Add(slackAfter)
}

// Command is [Adopt], [Sweep], [Retire] or [Return].
type Command interface{ when() instant.Time }

// The commands. Each takes effect at its time, or at the latest event's if that is later.
type (
	// Adopt begins the epoch that it names, unless that or a later one has begun.
	Adopt struct {
		At      instant.Time
		Epoch   int64
		Network string
		Settle  int64 // as in [Adopted]
		Add     int64
		Reason  string
	}
	// Sweep moves the cursor of an epoch on, and the times, never back. A wallet that was
	// retired has returned.
	Sweep struct {
		At       instant.Time
		Epoch    int64
		Settle   int64 // as in [Swept]
		Add      int64
		Invoices instant.Time // no later than At
		Chain    instant.Time // likewise
	}
	// Retire says that the node is gone.
	Retire struct{ At instant.Time }
	// Return says that a node is watched again that may have been retired.
	Return struct{ At instant.Time }
)

func (c Adopt) when() instant.Time  { return c.At }
func (c Sweep) when() instant.Time  { return c.At }
func (c Retire) when() instant.Time { return c.At }
func (c Return) when() instant.Time { return c.At }

// Every is how far the times of a wallet go on before they alone are worth an event. Sweeps
// are minutes apart, so that other hosts hear of each wallet at least once an hour.
const Every = 50 * instant.Minute

// Decide returns the events that c causes: none where they have happened already.
func Decide(s State, c Command) ([]Event, error) {
	at := At{At: max(c.when(), s.Last)}
	switch c := c.(type) {
	case Adopt:
		return adopt(s, c, at)
	case Sweep:
		return sweep(s, c, at)
	case Retire:
		return retire(s, at)
	case Return:
		return comeBack(s, at)
	}
	panic(fmt.Sprintf("wallet: unknown command %T", c))
}

func adopt(s State, c Adopt, at At) ([]Event, error) {
	if c.Settle < 0 || c.Add < 0 || c.Network == "" || c.Reason != FirstStart && c.Reason != Rebuilt {
		return nil, fmt.Errorf("%w: an epoch has a network, a reason and indices from 0", ErrInvalid)
	}
	if c.Epoch <= s.Epoch {
		return nil, nil // another watcher was faster
	}
	if c.Epoch != s.Epoch+1 {
		return nil, fmt.Errorf("%w: epoch %d after %d", ErrInvalid, c.Epoch, s.Epoch)
	}
	return []Event{&Adopted{at, c.Epoch, c.Network, c.Settle, c.Add, c.Reason}}, nil
}

func sweep(s State, c Sweep, at At) ([]Event, error) {
	switch {
	case s.Epoch == 0:
		return nil, ErrUnknown
	case s.Epoch != c.Epoch:
		return nil, fmt.Errorf("%w: %d, not %d", ErrEpoch, s.Epoch, c.Epoch)
	case c.Settle < 0 || c.Add < 0:
		return nil, fmt.Errorf("%w: a negative index", ErrInvalid)
	case c.Invoices > c.At || c.Chain > c.At:
		return nil, fmt.Errorf("%w: a sweep knows nothing of what is to come", ErrInvalid)
	}
	events, err := comeBack(s, at)
	e := Swept{
		At: at, Settle: max(c.Settle, s.Settle), Add: max(c.Add, s.Add),
		Invoices: max(c.Invoices, s.Invoices), Chain: max(c.Chain, s.Chain),
	}
	moved := e.Settle > s.Settle || e.Add > s.Add
	if moved || e.Invoices.Sub(s.Invoices) >= Every || e.Chain.Sub(s.Chain) >= Every {
		events = append(events, &e)
	}
	return events, err
}

func retire(s State, at At) ([]Event, error) {
	switch {
	case s.Epoch == 0:
		return nil, ErrUnknown
	case s.Retired != 0:
		return nil, nil
	}
	return []Event{&Retired{at}}, nil
}

func comeBack(s State, at At) ([]Event, error) {
	if s.Retired == 0 {
		return nil, nil
	}
	return []Event{&Returned{at}}, nil
}

// Decode returns the event of a record, or says what in it is unknown.
func Decode(r *stream.Record) (Event, error) { return stream.Decode(r, blank(r.Type)) }

func blank(kind string) Event {
	switch kind {
	case "wallet.adopted.v1":
		return new(Adopted)
	case "wallet.swept.v2":
		return new(Swept)
	case "wallet.retired.v1":
		return new(Retired)
	case "wallet.returned.v1":
		return new(Returned)
	}
	return former(kind)
}

// Aggregate is the package as [stream.Handler] takes it.
func Aggregate() stream.Aggregate[string, State, Command, Event] {
	return stream.Aggregate[string, State, Command, Event]{
		Prefix: Prefix, New: New, Decide: Decide, Evolve: Evolve, Decode: Decode,
	}
}

// Handler executes commands on wallets.
type Handler = stream.Handler[string, State, Command, Event]
