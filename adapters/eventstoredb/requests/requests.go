// Package requests keeps what was asked for and nobody has paid in EventStoreDB: a
// [request.Store] for hosts that share one log.
//
// Beside a log of the namespace shop there are two streams, whose names don't begin with the
// log's, so that no reader of the log sees them: shop-requests.invoices, to which an operator
// gives a $maxAge, so that the server forgets; and shop-requests.addresses, which is kept for
// good, since coins can come at any time. All hosts append to both and follow both. Nothing is
// deleted by a daemon. An event is named for the record, so that an append that is made again
// is the same one; the server remembers that for some time, and a follower may see it twice.
package requests

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"sandglass/adapters/eventstoredb/cluster"
	"sandglass/domain/request"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/google/uuid"
)

// ErrClosed says that the store was closed.
var ErrClosed = cluster.ErrClosed

// MinAge is the least $maxAge of invoices: as long as an order is kept after its last one, and
// a day for that.
const MinAge = time.Duration(request.Keep)*time.Millisecond + 24*time.Hour

// The types of the events: of a record, and of what a write is tried with. What begins with ours
// is of a build of Sandglass, of today or of tomorrow.
const (
	ours      = "request."
	keptType  = ours + "kept.v1"
	beganType = "requests.began.v1"
)

// Options say how the cluster is used. The zero Options will do.
type Options struct {
	// Log, if not nil, is told in a sentence when following a stream goes wrong, or what is in
	// it is of another program. That the cluster is away is told by the log's own store.
	Log func(string)

	// Build is the name of this build, which records are kept with: an earlier one that can't
	// read them says so. It may be empty.
	Build string

	timeout time.Duration // of cluster.Options
}

// Store is open for one daemon. Its methods may be called at the same time.
type Store struct {
	cluster   *cluster.Cluster
	began     string // the stream that writes are tried on
	invoices  string
	addresses string
	build     string
	log       func(string)
}

// Open opens the requests beside the log of a namespace, as eventstoredb.CheckNamespace has it.
// They are made by that: nothing is missed in a store that has none. It fails if no node
// answers in time, or the user may not read and write the streams.
func Open(ctx context.Context, conn, namespace string, o Options) (*Store, error) {
	name := namespace + "-requests"
	s := &Store{
		began: name, invoices: name + ".invoices", addresses: name + ".addresses",
		build: o.Build, log: o.Log,
	}
	if s.log == nil {
		s.log = func(string) {}
	}
	var err error
	s.cluster, err = cluster.New(conn, cluster.Options{
		Log: func(string) {}, Probe: s.probe, Touch: s.touch, Timeout: o.timeout,
	})
	if err != nil {
		return nil, err
	}
	if err := s.try(ctx); err != nil {
		s.cluster.Close()
		return nil, fmt.Errorf("eventstoredb: %s: %w", cluster.Redact(conn), err)
	}
	s.cluster.Opened()
	return s, nil
}

// try does what a daemon will do.
func (s *Store) try(ctx context.Context) error {
	_, err := cluster.Call(ctx, s.cluster, func(ctx context.Context, c *esdb.Client) (struct{}, error) {
		return struct{}{}, s.touch(ctx, c)
	})
	for _, name := range []string{s.invoices, s.addresses} {
		if err == nil {
			_, err = s.read(ctx, name, 0, 1)
		}
	}
	return err
}

// Close ends those who follow and the calls that are under way.
func (s *Store) Close() error {
	s.cluster.Close()
	return nil
}

// Writable returns nil, or an error that wraps [stream.ErrReadOnly] and says why nothing is kept
// now.
func (s *Store) Writable() error { return s.cluster.Writable() }

// probe is a client's first call.
func (s *Store) probe(ctx context.Context, c *esdb.Client, time time.Duration) error {
	_, err := page(ctx, c, s.began, 0, 1, time)
	return err
}

// touch writes what is there already, or begins it: one event, always the same.
func (s *Store) touch(ctx context.Context, c *esdb.Client) error {
	event := esdb.EventData{
		EventID: s.id(beganType), EventType: beganType, ContentType: esdb.ContentTypeJson, Data: []byte("{}"),
	}
	err := appendTo(ctx, c, s.began, esdb.NoStream{}, event)
	var e *esdb.Error
	if errors.As(err, &e) && e.Code() == esdb.ErrorCodeWrongExpectedVersion {
		err = cluster.Permanent(fmt.Errorf("eventstoredb: %s holds something else: choose another namespace", s.began))
	}
	return err
}

// Keep implements [request.Store]. After [stream.ErrUnavailable] it is open whether the record
// was kept.
func (s *Store) Keep(ctx context.Context, r *request.Record) error {
	data, err := request.Pack(r)
	if err != nil {
		return err
	}
	name := s.invoices
	if r.Key == "" {
		name = s.addresses
	}
	told, err := json.Marshal(meta{s.build, sumOf(data)})
	if err != nil {
		return err
	}
	event := esdb.EventData{
		EventID: s.id(nameOf(r)), EventType: keptType, ContentType: esdb.ContentTypeJson, Data: data, Metadata: told,
	}
	_, err = cluster.Call(ctx, s.cluster, func(ctx context.Context, c *esdb.Client) (struct{}, error) {
		return struct{}{}, appendTo(ctx, c, name, esdb.Any{}, event)
	})
	return err
}

// meta are the metadata of a record: the build that kept it, and what its data are compared with.
// Earlier builds kept none of the latter.
type meta struct {
	Build string `json:"build,omitempty"`
	Sum   string `json:"sum,omitempty"`
}

func sumOf(data []byte) string {
	sum := request.Checksum(data)
	return hex.EncodeToString(sum[:])
}

// Forget implements [request.Store]: the server forgets by itself.
func (*Store) Forget(context.Context, []string) error { return nil }

// namespace is the UUID under which the ids of records are derived.
var namespace = uuid.MustParse("5a2d6c61-7373-5265-8e71-756573747331")

// nameOf names the event of a record: one that stands in the place of another has another.
func nameOf(r *request.Record) string {
	return r.Name() + [...]string{"", "\x00cash", "\x00released", "\x00cash, released"}[r.Rank()]
}

// id returns the id of the event of a name.
func (s *Store) id(name string) uuid.UUID {
	return uuid.NewSHA1(namespace, []byte(s.began+"\x00"+name))
}

// appendTo appends once.
func appendTo(ctx context.Context, c *esdb.Client, name string, expected esdb.ExpectedRevision, e esdb.EventData) error {
	time := cluster.Left(ctx)
	_, err := c.AppendToStream(ctx, name, esdb.AppendToStreamOptions{ExpectedRevision: expected, Deadline: &time}, e)
	if err != nil {
		return cluster.Words("appending to "+name, err)
	}
	return nil
}

// Advice returns what an operator should do about the streams, in a sentence, or nothing.
func (s *Store) Advice(ctx context.Context) (string, error) {
	age, err := s.maxAge(ctx, s.invoices)
	if err != nil {
		return "", err
	}
	forGood, err := s.maxAge(ctx, s.addresses)
	switch {
	case err != nil:
		return "", err
	case forGood != 0:
		return fmt.Sprintf("the stream %s has a $maxAge of %s: take it away, or coins for an address that is older are not known",
			s.addresses, forGood), nil
	case age == 0:
		return fmt.Sprintf("the stream %s has no $maxAge, so that orders which nobody pays stay for good: "+
			"an administrator sets it to %d, once (systemd/MANUAL.md, \"On a cluster\")", s.invoices, int64(MinAge/time.Second)), nil
	case age < MinAge:
		return fmt.Sprintf("the stream %s has a $maxAge of %s, so that orders are forgotten while they are kept: "+
			"an administrator sets it to %d or more", s.invoices, age, int64(MinAge/time.Second)), nil
	}
	return "", nil
}

// maxAge returns the age after which the server forgets events of a stream, 0 if it doesn't.
func (s *Store) maxAge(ctx context.Context, name string) (time.Duration, error) {
	return cluster.Call(ctx, s.cluster, func(ctx context.Context, c *esdb.Client) (time.Duration, error) {
		time := cluster.Left(ctx)
		m, err := c.GetStreamMetadata(ctx, name, esdb.ReadStreamOptions{Direction: esdb.Backwards, From: esdb.End{}, Deadline: &time})
		if cluster.NoStream(err) {
			return 0, nil
		}
		if err != nil {
			return 0, cluster.Words("reading the metadata of "+name, err)
		}
		if age := m.MaxAge(); age != nil {
			return *age, nil
		}
		return 0, nil
	})
}
