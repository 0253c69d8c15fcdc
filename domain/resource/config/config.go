// Package config is with which parameters a resource is configured. The log has the hash of their values
// alone: the values are kept beside it, by the hash, and can be deleted.
package config

import (
	"errors"
	"fmt"

	"sandglass/domain/codec"
	"sandglass/domain/instant"
	"sandglass/domain/stream"
)

// Hash is the SHA-256 of the values and of what is random. The zero Hash is of none.
type Hash [32]byte

// State is what a resource is configured with. It is never changed, only replaced; nil is of one that never
// was configured.
type State struct {
	Hash Hash
	Set  instant.Time // when it was, with its order at first
}

// After returns what a resource is configured with after an event.
func After(e *Configured) *State { return &State{e.Hash, e.At.At} }

// Of returns the hash of a state, zero for none.
func (s *State) Of() Hash {
	if s == nil {
		return Hash{}
	}
	return s.Hash
}

// Configured says with which parameters the resource is configured from now on.
type Configured struct {
	stream.At
	Hash Hash // zero: the values were deleted
}

// Type implements [stream.Fact].
func (*Configured) Type() string { return "resource.configured.v1" }

// Fields implements [codec.Fielder].
func (e *Configured) Fields(f *codec.Fields) { codec.OptHex(f, "params_hash", e.Hash[:]) }

// MinKept is how long parameters are kept before others are set: so what a holder writes to the log is
// bounded by the time that is paid for.
const MinKept = instant.Minute

// ErrTooSoon says that the parameters were set less than [MinKept] ago.
var ErrTooSoon = errors.New("resource: its parameters were just set")

// Change returns the event that sets a hash at an instant, nil if that is set. They can be deleted at any
// time.
func (s *State) Change(hash Hash, at instant.Time) (*Configured, error) {
	if hash == s.Of() {
		return nil, nil
	}
	if s != nil && hash != (Hash{}) && at < s.Set.Add(MinKept) {
		return nil, fmt.Errorf("%w: they can be set again at %s", ErrTooSoon, s.Set.Add(MinKept))
	}
	return &Configured{At: stream.At{At: at}, Hash: hash}, nil
}
