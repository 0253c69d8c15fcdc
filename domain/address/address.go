// Package address guards which address on the chain was issued for which resource: one
// address serves one resource, and is watched for ever.
package address

import (
	"errors"
	"fmt"

	"sandglass/domain/codec"
	"sandglass/domain/instant"
	"sandglass/domain/resource"
	"sandglass/domain/stream"
)

// Prefix begins the name of every address's stream. The rest is the address.
const Prefix = "address-"

// Errors of Decide. Nothing was changed.
var (
	// ErrConflict says that the address was issued for another resource: a wallet must
	// never give one address twice.
	ErrConflict = errors.New("address: issued for another resource")
	ErrInvalid  = errors.New("address: invalid command")
)

// Event is a fact of an address: [Issued] alone.
type Event interface{ stream.Fact }

// Issued says that whatever this address receives is for a resource.
type Issued struct {
	stream.At
	Resource resource.ID
	Node     string // identity_pubkey of the wallet that holds its key
	Height   int64  // of the chain at that time: no block before it pays the address
}

// Type implements [stream.Fact].
func (*Issued) Type() string { return "address.issued.v1" }

// Fields implements [codec.Fielder].
func (e *Issued) Fields(f *codec.Fields) {
	codec.String(f, "resource", &e.Resource)
	codec.String(f, "node", &e.Node)
	codec.Int(f, "height", &e.Height)
}

// State is an address as its events tell it.
type State struct {
	Address string
	Issued
}

// Known reports whether the address was issued.
func (s *State) Known() bool { return s.Resource != "" }

// New returns the state of an address without events.
func New(address string) State { return State{Address: address} }

// Evolve returns s after e.
func Evolve(s State, e Event) State {
	s.Issued = *e.(*Issued)
	return s
}

// Issue issues an address for a resource.
type Issue struct {
	At       instant.Time
	Resource resource.ID
	Node     string
	Height   int64
}

// Decide returns the events that c causes: none where they have happened already.
func Decide(s State, c Issue) ([]Event, error) {
	switch {
	case c.Resource == "" || c.Node == "" || c.Height < 0 || s.Address == "":
		return nil, fmt.Errorf("%w: an address has a resource, a node and a height", ErrInvalid)
	case !s.Known():
		return []Event{&Issued{stream.At{At: c.At}, c.Resource, c.Node, c.Height}}, nil
	case s.Resource != c.Resource:
		return nil, fmt.Errorf("%w: %s is of resource %q, not %q", ErrConflict, s.Address, s.Resource, c.Resource)
	}
	return nil, nil
}

// Decode returns the event of a record, or says what in it is unknown.
func Decode(r *stream.Record) (Event, error) {
	var blank Event
	if r.Type == (*Issued)(nil).Type() {
		blank = new(Issued)
	}
	return stream.Decode(r, blank)
}

// Aggregate is the package as [stream.Handler] takes it.
func Aggregate() stream.Aggregate[string, State, Issue, Event] {
	return stream.Aggregate[string, State, Issue, Event]{
		Prefix: Prefix, New: New, Decide: Decide, Evolve: Evolve, Decode: Decode,
	}
}

// Handler executes commands on addresses.
type Handler = stream.Handler[string, State, Issue, Event]
