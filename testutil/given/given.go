// Package given tests what an aggregate decides: given events, when a command, then
// events. It takes the aggregate as the handlers take it, so that what is tested is what
// runs; stores, and whoever executes the commands, are left to other tests.
package given

import (
	"errors"
	"testing"

	"sandglass/domain/stream"

	"github.com/google/go-cmp/cmp"
)

// Stream is a stream of an aggregate, which each case begins anew.
type Stream[ID ~string, S, C any, E stream.Fact] struct {
	aggregate stream.Aggregate[ID, S, C, E]
	id        ID
}

// Of returns the stream of that id.
func Of[ID ~string, S, C any, E stream.Fact](a stream.Aggregate[ID, S, C, E], id ID) Stream[ID, S, C, E] {
	return Stream[ID, S, C, E]{a, id}
}

// Check is one case, in a test of its own: given what has happened, when a command is
// decided, then this follows: nothing where it has happened already or is refused, with an
// error that is err. A command that was not refused is decided once more on what follows:
// since it has happened, it must cause nothing.
func (s Stream[ID, S, C, E]) Check(t *testing.T, name string, given []E, when C, then []E, err error) {
	t.Helper()
	t.Run(name, func(t *testing.T) {
		t.Helper()
		got, refused := s.aggregate.Decide(s.Fold(given...), when)
		if !errors.Is(refused, err) {
			t.Fatalf("error %v, want %v", refused, err)
		}
		if diff := cmp.Diff(then, got); diff != "" {
			t.Fatalf("events (-want +got):\n%s", diff)
		}
		if err != nil {
			return
		}
		all := append(append([]E(nil), given...), got...)
		if again, _ := s.aggregate.Decide(s.Fold(all...), when); len(again) > 0 {
			t.Errorf("again: %+v", again)
		}
	})
}

// Fold returns the state of the stream after these events.
func (s Stream[ID, S, C, E]) Fold(events ...E) S {
	state := s.aggregate.New(s.id)
	for _, e := range events {
		state = s.aggregate.Evolve(state, e)
	}
	return state
}
