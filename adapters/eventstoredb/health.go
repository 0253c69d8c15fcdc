package eventstoredb

import (
	"context"
	"encoding/hex"
	"errors"
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

// lookEvery is the pause between two looks whether the cluster is back.
const lookEvery = time.Second

// failed notes that the cluster did not answer. From then on the store is not writable,
// until a look shows that it is.
func (s *Store) failed(err error) {
	if s.ctx.Err() != nil || !s.down.CompareAndSwap(nil, &failure{err, time.Now()}) || !s.opened.Load() {
		return
	}
	s.log(fmt.Sprintf("the cluster does not answer, nothing is written until it does: %v", err))
	s.looking.Go(s.look)
}

// look looks for the cluster until it takes a write, or the store is closed.
func (s *Store) look() {
	pause := time.NewTicker(lookEvery)
	defer pause.Stop()
	for began := time.Now(); s.ctx.Err() == nil; {
		if err := s.touch(s.ctx); err == nil {
			s.down.Store(nil)
			s.log(fmt.Sprintf("the cluster takes writes again, after %s", time.Since(began).Round(time.Millisecond)))
			return
		}
		select {
		case <-pause.C:
		case <-s.ctx.Done():
		}
	}
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
	return []esdb.EventData{{EventID: uuid.UUID(id), EventType: beganType, ContentType: esdb.ContentTypeJson, Data: codec.Encode(&b)}}
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
// another try may go well.
func (s *Store) explain(err error) error {
	if !transient(err) {
		return err
	}
	said := ""
	if words := s.said.Load(); words != nil && (errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)) {
		said = ": " + *words
	}
	return fmt.Errorf("eventstoredb: %w: %w%s: see that the cluster runs and can be reached from here", stream.ErrUnavailable, err, said)
}
