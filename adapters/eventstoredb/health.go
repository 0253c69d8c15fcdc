package eventstoredb

import (
	"context"
	"encoding/hex"
	"fmt"
	"time"

	"sandglass/domain/codec"
	"sandglass/domain/stream"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/google/uuid"
)

// failure is what went wrong first, and when; nothing was written since.
type failure struct {
	err error
	at  time.Time
}

// lookEvery is the pause between two looks whether the cluster is back, and how long it is
// away before that is told.
const lookEvery = time.Second

// failed notes that the cluster did not answer. From then on the store is not writable,
// until a look shows that it is.
func (s *Store) failed(err error) {
	s.mu.Lock() // so that Close waits for the look, or none begins
	defer s.mu.Unlock()
	if s.ctx.Err() == nil && s.down.CompareAndSwap(nil, &failure{err, time.Now()}) && s.opened.Load() {
		s.looking.Go(func() { s.look(err) })
	}
}

// look looks for the cluster until it takes a write, or the store is closed. A leader that
// moves is not worth a word: what is short is not told.
func (s *Store) look(err error) {
	began, told := time.Now(), make(chan struct{})
	alarm := time.AfterFunc(lookEvery, func() {
		defer close(told)
		s.log(fmt.Sprintf("the cluster does not answer, nothing is written until it does: %v", err))
	})
	back := s.back(began)
	if alarm.Stop() {
		return
	}
	if <-told; back {
		s.log(fmt.Sprintf("the cluster takes writes again, after %s", time.Since(began).Round(time.Millisecond)))
	}
}

// back waits until the cluster takes a write, and reports whether it did. What is wrong for
// good is what the store says then, also in the words of calls that are refused.
func (s *Store) back(began time.Time) bool {
	pause := time.NewTicker(lookEvery)
	defer pause.Stop()
	for s.ctx.Err() == nil {
		err := s.touch(s.ctx)
		if err == nil {
			s.down.Store(nil)
			return true
		}
		if !transient(err) {
			s.down.Store(&failure{err, began})
		}
		select {
		case <-pause.C:
		case <-s.ctx.Done():
		}
	}
	return false
}

// touch writes what is there already: the event that begins the log, at its place and
// with its id. The server takes it as a write, and writes nothing.
func (s *Store) touch(ctx context.Context) error {
	id, err := hex.DecodeString(s.id)
	if err != nil {
		return err // it was checked when the log was opened
	}
	_, err = persist(ctx, s, s.timeout, s.appending(s.namespace, stream.NoStream, beginning([16]byte(id))))
	return err
}

// beginning is the event that begins the log of that id.
func beginning(id [16]byte) []esdb.EventData {
	b := began{ID: hex.EncodeToString(id[:])}
	return []esdb.EventData{{
		EventID:     uuid.UUID(id),
		EventType:   beganType,
		ContentType: esdb.ContentTypeJson,
		Data:        codec.Encode(&b),
	}}
}

// Writable returns nil, or why appends are not taken now: the cluster did not answer, and
// has taken no write since.
func (s *Store) Writable() error {
	if f := s.down.Load(); f != nil {
		return s.explain(f.err)
	}
	return nil
}

// explain puts the end of all attempts into words, as [stream.ErrUnavailable] where
// another try may go well, with what the client says while it finds no node.
func (s *Store) explain(err error) error {
	if !transient(err) {
		return err
	}
	said := ""
	if words := s.said.Load(); words != nil {
		said = ": " + *words
	}
	return fmt.Errorf("eventstoredb: %w: %w%s: see that the cluster runs and can be reached from here",
		stream.ErrUnavailable, err, said)
}
