// Package eventstoredb keeps the log in EventStoreDB, or KurrentDB, which speaks the same
// protocol: a [stream.EventStore] for hosts that share one log.
//
// A log is the streams under one namespace: resource-1 of the namespace shop is the stream
// shop.resource-1, whose category is shop.resource. So a cluster can hold other things
// beside it, and several logs. [Create] begins a log with an event in the stream that is
// called as the namespace; a namespace without it is an error, never an empty log.
//
// What a position is: the commit position of an event in $all. What makes an append safe
// to try again is its ids together with its exact expected revision: the server then
// answers as it did before. What is read is never a checkpoint of a subscription, since
// those have lost events: a subscription that breaks goes on after the last event that was
// handed out.
//
// How a connection is kept, and calls are made again, is left to package cluster. A recorded
// event without its time of creation would end the process (log.Fatalf, in the client).
package eventstoredb

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"sync/atomic"
	"time"

	"sandglass/adapters/eventstoredb/cluster"
	"sandglass/domain/codec"
	"sandglass/domain/stream"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/google/uuid"
)

// ErrClosed says that the store was closed.
var ErrClosed = cluster.ErrClosed

// Options say which log of a cluster is meant. The zero Options are the log "sandglass".
type Options struct {
	// Namespace begins the names of the log's streams: see [CheckNamespace]. Empty is
	// [DefaultNamespace].
	Namespace string
	// ReadOnly is for one who only reads the log, and may have no right to write it.
	ReadOnly bool
	// Log, if not nil, is told in a sentence when the cluster goes away and comes back.
	Log func(string)

	timeout  time.Duration // these three are those of cluster.Options
	inFlight int
	discover int
}

// DefaultNamespace is the log of those who have only one.
const DefaultNamespace = "sandglass"

// Store is an open log. Its methods may be called at the same time.
type Store struct {
	cluster   *cluster.Cluster
	namespace string
	readOnly  bool
	id        string
	floor     stream.Position // of the event that begins the log: before it there is none
	log       func(string)

	lost context.Context // ended when the cluster has another history than was read; its cause says so
	lose context.CancelCauseFunc

	known  atomic.Uint64 // the highest position at which an event of the log was seen
	seen   atomic.Uint64 // as far as here, events of the log after known are none
	stands atomic.Uint64 // the same, and an event of whomever stands there
}

// Create begins an empty log. It refuses a namespace that has one, and a user who may not do
// all that a daemon does: then nothing is made.
func Create(ctx context.Context, conn string, o Options) error {
	s, err := connect(conn, o)
	if err != nil {
		return err
	}
	defer func() { _ = s.Close() }()
	if err := s.tryRights(ctx); err != nil {
		return fmt.Errorf("eventstoredb: %s: %w", cluster.Redact(conn), err)
	}
	var id [16]byte
	if _, err := rand.Read(id[:]); err != nil {
		return fmt.Errorf("eventstoredb: drawing an id: %w", err)
	}
	_, err = s.append(ctx, s.namespace, stream.NoStream, beginning(id))
	if errors.Is(err, stream.ErrWrongRevision) {
		return fmt.Errorf("eventstoredb: %s: the namespace %q holds a log already: leave it, or choose another namespace",
			cluster.Redact(conn), s.namespace)
	}
	return err
}

// Open opens the log at a connection string, as in esdb://user:password@host:2113?tls=true
// or esdb://a:2113,b:2113,c:2113. It fails if no node answers in time, and if there is no
// log.
func Open(ctx context.Context, conn string, o Options) (*Store, error) {
	s, err := connect(conn, o)
	if err != nil {
		return nil, err
	}
	if s.id, err = s.identify(ctx); err != nil {
		_ = s.Close() // the error says more
		return nil, fmt.Errorf("eventstoredb: %s: %w", cluster.Redact(conn), err)
	}
	s.cluster.Opened()
	return s, nil
}

var validNamespace = regexp.MustCompile(`^[a-z][a-z0-9_]{0,39}$`)

// CheckNamespace reports whether a log can have that namespace: 1 to 40 of a-z, 0-9 and _, a
// letter first. So its streams have a category of their own, and are none of the server's.
func CheckNamespace(name string) error {
	if !validNamespace.MatchString(name) {
		return fmt.Errorf("eventstoredb: the namespace %.50q: want 1 to 40 of a-z, 0-9 and _, a letter first", name)
	}
	return nil
}

// connect makes a store that has asked nothing yet.
func connect(conn string, o Options) (*Store, error) {
	if o.Namespace == "" {
		o.Namespace = DefaultNamespace
	}
	if err := CheckNamespace(o.Namespace); err != nil {
		return nil, err
	}
	s := &Store{namespace: o.Namespace, readOnly: o.ReadOnly, log: o.Log}
	if s.log == nil {
		s.log = func(string) {}
	}
	s.lost, s.lose = context.WithCancelCause(context.Background())
	var err error
	s.cluster, err = cluster.New(conn, cluster.Options{
		Log: s.log, Probe: s.probe, Touch: s.touch, Timeout: o.timeout, InFlight: o.inFlight, Discover: o.discover,
	})
	return s, err
}

// Close ends the subscriptions and the calls that are under way. A client that looks for a
// node looks on until it has found one, which nothing but the end of the process ends.
func (s *Store) Close() error {
	s.cluster.Close()
	return nil
}

// Writable returns nil, or why appends are not taken now: the cluster did not answer, and
// has taken no write since, or it was opened read-only.
func (s *Store) Writable() error {
	if s.readOnly {
		return errReadOnly
	}
	return s.cluster.Writable()
}

var errReadOnly = fmt.Errorf("eventstoredb: %w: the log was opened to be read", stream.ErrReadOnly)

// ID returns the 32 hex digits that Create drew for this log: what is kept beside a log,
// such as a snapshot, bears the id of the log that it belongs to.
func (s *Store) ID() string { return s.id }

// beganType is the type of the event that begins a log. It is not part of the log.
const beganType = "log.began.v1"

// began is the event that begins a log.
type began struct{ ID string }

// Fields implements [codec.Fielder].
func (b *began) Fields(f *codec.Fields) { codec.String(f, "id", &b.ID) }

// identify reads the event that begins the log.
func (s *Store) identify(ctx context.Context) (string, error) {
	events, err := cluster.Call(ctx, s.cluster, func(ctx context.Context, c *esdb.Client) ([]*esdb.RecordedEvent, error) {
		return readStream(ctx, c, s.namespace, 0, 1, cluster.Left(ctx))
	})
	if err != nil {
		return "", err
	}
	if len(events) == 0 {
		return "", fmt.Errorf("there is no log in the namespace %q: `sandglass init` makes one, or another namespace is meant",
			s.namespace)
	}
	var b began
	if err := codec.Decode(events[0].Data, &b); err != nil || events[0].EventType != beganType || len(b.ID) != 32 {
		return "", fmt.Errorf("the stream %q does not begin a log of this build: a %s stands there: choose another namespace",
			s.namespace, events[0].EventType)
	}
	s.floor = stream.Position(events[0].Position.Commit)
	return b.ID, nil
}

// probe is a client's first call.
func (s *Store) probe(ctx context.Context, c *esdb.Client, time time.Duration) error {
	_, err := readStream(ctx, c, s.namespace, 0, 1, time)
	return err
}

// touch writes what is there already: the event that begins the log, at its place and
// with its id. The server takes it as a write, and writes nothing. Who only reads asks for that.
func (s *Store) touch(ctx context.Context, c *esdb.Client) error {
	if s.readOnly {
		return s.probe(ctx, c, cluster.Left(ctx))
	}
	id, err := hex.DecodeString(s.id)
	if err != nil {
		return err // it was checked when the log was opened
	}
	_, err = s.appending(s.namespace, stream.NoStream, beginning([16]byte(id)))(ctx, c)
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
