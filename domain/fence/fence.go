// Package fence keeps a daemon from acting on a log that it does not know in full.
//
// A newer build on the same log may have written what this one can't read: another version of
// an event, or the events of something new. Whatever it would do then it might do wrong, such
// as to release what was paid for. So the first record of a type that this build does not know
// is the last thing that it reads: [Store] yields an error in its place, to whichever part of
// the daemon reads it first, takes no append from then on, and has the daemon stop by [Store.Run].
//
// Which build is needed the record itself tells: where this build writes an event that the first
// builds did not know, Store adds its own name to the metadata.
package fence

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"sync"

	"sandglass/domain/address"
	"sandglass/domain/codec"
	"sandglass/domain/payment"
	"sandglass/domain/plan"
	"sandglass/domain/proof/fork"
	"sandglass/domain/resource"
	"sandglass/domain/stream"
	"sandglass/domain/wallet"
)

// ErrUnread says that the log was not read to its end yet. Nothing was written: what is there
// may be of a newer build.
var ErrUnread = errors.New("fence: nothing is written before the log was read to its end")

// Store is a log behind a fence. It is made by [New].
type Store struct {
	stream.EventStore
	build  string
	folded <-chan struct{}

	known sync.Map // types that this build knows, by those that came: some dozens

	mu      sync.Mutex // guards err
	err     error
	stopped chan struct{} // closed once err is set
}

// New returns the log in store for a build of that name, which may be empty if it has none.
// An append before folded is closed is refused with [ErrUnread].
func New(store stream.EventStore, build string, folded <-chan struct{}) *Store {
	return &Store{EventStore: store, build: build, folded: folded, stopped: make(chan struct{})}
}

// Run returns nil when ctx ends, and before that the error of [Store.Err] once there is one.
func (s *Store) Run(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case <-s.stopped:
		return s.Err()
	}
}

// Err says why nothing is written any more, or is nil. It is a [stream.ErrReadOnly].
func (s *Store) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// Stop has no append taken from now on if err is not nil, such as one of the read models, which
// can't fold the log. It returns err.
func (s *Store) Stop(err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil && s.err == nil {
		s.err = halted{err}
		close(s.stopped)
	}
	return err
}

// halted is why a store takes no writes any more.
type halted struct{ error }

// Is implements the interface of [errors.Is].
func (halted) Is(target error) bool { return target == stream.ErrReadOnly }

// Unwrap returns what lies under it.
func (h halted) Unwrap() error { return h.error }

// Append implements [stream.EventStore].
func (s *Store) Append(
	ctx context.Context, name string, expected stream.Revision, events []stream.Event,
) (stream.Appended, error) {
	select {
	case <-s.folded:
	default:
		return stream.Appended{}, ErrUnread
	}
	if err := s.Err(); err != nil {
		return stream.Appended{}, err
	}
	return s.EventStore.Append(ctx, name, expected, s.named(events))
}

// Read implements [stream.EventStore].
func (s *Store) Read(ctx context.Context, name string, from stream.Revision) iter.Seq2[stream.Record, error] {
	return func(yield func(stream.Record, error) bool) {
		for r, err := range s.EventStore.Read(ctx, name, from) {
			if err == nil {
				err = s.check(&r)
			}
			if !yield(r, err) || err != nil {
				return
			}
		}
	}
}

// Subscribe implements [stream.EventStore].
func (s *Store) Subscribe(ctx context.Context, after stream.Position) iter.Seq2[[]stream.Record, error] {
	return func(yield func([]stream.Record, error) bool) {
		for run, err := range s.EventStore.Subscribe(ctx, after) {
			n := 0
			for err == nil && n < len(run) {
				if err = s.check(&run[n]); err == nil {
					n++
				}
			}
			if n > 0 && !yield(run[:n], nil) || err != nil && !yield(nil, err) {
				return
			}
			if err != nil {
				return
			}
		}
	}
}

// check returns an error if r is of a type that this build does not know, and then has no
// append taken any more.
func (s *Store) check(r *stream.Record) error {
	if _, ok := s.known.Load(r.Type); ok {
		return nil
	}
	if Knows(r.Type) {
		s.known.Store(strings.Clone(r.Type), nil)
		return nil
	}
	_ = s.Stop(fmt.Errorf("position %d, %s revision %d: %w", r.Position, r.Stream, r.Revision, stream.Unknown(r)))
	return s.Err()
}

// Knows reports whether this build knows a type of event.
func Knows(kind string) bool {
	for _, knows := range []func(string) bool{
		by(resource.Decode), by(payment.Decode), by(plan.Decode), by(address.Decode), by(wallet.Decode), by(fork.Decode),
	} {
		if knows(kind) {
			return true
		}
	}
	return false
}

// by reports whether a type is one of an aggregate's.
func by[E any](decode func(*stream.Record) (E, error)) func(kind string) bool {
	return func(kind string) bool {
		_, err := decode(&stream.Record{Event: stream.Event{Type: kind}})
		_, unknown := errors.AsType[*stream.UnknownError](err)
		return !unknown
	}
}

// named returns the events with the name of this build in the metadata of those that the first
// builds did not know.
func (s *Store) named(events []stream.Event) []stream.Event {
	if s.build == "" {
		return events
	}
	events = append([]stream.Event(nil), events...)
	for i := range events {
		r := stream.Record{Event: events[i]}
		if meta, err := r.Metadata(); err == nil && !first[r.Type] {
			meta.Build = s.build
			events[i].Meta = codec.Encode(&meta)
		}
	}
	return events
}

// first are the types that every build knows.
var first = map[string]bool{
	"address.issued.v1":      true,
	"payment.allocated.v1":   true,
	"payment.confirmed.v1":   true,
	"payment.credited.v1":    true,
	"payment.expired.v1":     true,
	"payment.finalized.v1":   true,
	"payment.reorged.v1":     true,
	"payment.replaced.v1":    true,
	"payment.requested.v1":   true,
	"payment.seen.v1":        true,
	"payment.settled.v1":     true,
	"payment.unallocated.v1": true,
	"plan.published.v1":      true,
	"plan.withdrawn.v1":      true,
	"resource.credited.v1":   true,
	"resource.debited.v1":    true,
	"resource.exhausted.v1":  true,
	"resource.granted.v1":    true,
	"resource.held.v1":       true,
	"resource.opened.v1":     true,
	"resource.paused.v1":     true,
	"resource.placed.v1":     true,
	"resource.recovered.v1":  true,
	"resource.released.v1":   true,
	"resource.repriced.v1":   true,
	"resource.reversed.v1":   true,
	"resource.started.v1":    true,
	"resource.warned.v1":     true,
	"wallet.adopted.v1":      true,
	"wallet.swept.v1":        true,
}
