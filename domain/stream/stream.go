// Package stream is the log as the domain sees it: named streams of immutable events,
// and one way to write to them.
//
// The log is the truth. [EventStore] is the port that the stores implement;
// [Handler.Execute] is the only thing that appends: it reads a stream, decides, and
// appends at the revision that it read.
package stream

import (
	"context"
	"crypto/sha1"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"

	"sandglass/domain/codec"
	"sandglass/domain/instant"
)

// Revision is a place in one stream, from 0.
type Revision int64

// NoStream is the expected revision of a stream that has no event yet.
const NoStream Revision = -1

// Position is a place in the whole log, in the order of commits. It grows, with gaps.
// 0 stands before the first event.
type Position uint64

// Bounds of what a store takes. A name is ASCII letters, digits, '-', '.', '_' and ':'.
const (
	MaxName   = 200      // bytes of a stream's name or an event's type
	MaxData   = 64 << 10 // bytes of one event's data, and of its metadata
	MaxAppend = 256      // events in one append
)

// Errors that callers branch on. A store's own errors wrap them.
var (
	// ErrWrongRevision says that the stream has moved on: read, decide and append again.
	ErrWrongRevision = errors.New("stream: wrong expected revision")
	// ErrDuplicateID says that the stream holds an event of that id at another revision.
	ErrDuplicateID = errors.New("stream: event id is in the stream already")
	// ErrReadOnly says that the store takes no writes for now, such as before a disk is
	// full. Nothing was written; reads go on.
	ErrReadOnly = errors.New("stream: the store takes no writes")
	// ErrUnavailable says that the store does not answer now. It is open whether what was
	// appended is kept; the same append may be tried again.
	ErrUnavailable = errors.New("stream: the store does not answer")
	// ErrBehind says that a stream ends before an event that this process has seen there: what
	// was asked shows the past, as a copy does that lags. Another try may go well.
	ErrBehind = fmt.Errorf("%w as it should: a stream is shorter than it was", ErrUnavailable)
	// ErrInvalid says that an append breaks a bound of this package. Nothing was written.
	ErrInvalid = errors.New("stream: invalid append")
)

// EventID names an event: a UUID (RFC 9562), version 5 of a fact, made by [NewID], or version
// 8 of what one append wrote, made by [NewAttemptID].
type EventID [16]byte

// String returns the id in the usual form of a UUID.
func (id EventID) String() string {
	h := hex.EncodeToString(id[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// namespace is the UUID under which Sandglass derives its event ids.
var namespace = [16]byte{0x5a, 0x2d, 0x6c, 0x61, 0x73, 0x73, 0x45, 0x76, 0x8e, 0x6e, 0x74, 0x73, 0x2e, 0x76, 0x31, 0x00}

// NewID returns the id of the fact of that content at that revision. It depends on nothing
// else: whoever tells the fact there, and however often, tells the same event, which is
// known again by the store. No two events of a stream share an id.
func NewID(stream string, rev Revision, e Event) EventID {
	h := contentHash(nil, stream, rev, &e)
	id := EventID(h[:16])
	id[6] = id[6]&0x0f | 0x50
	id[8] = id[8]&0x3f | 0x80
	return id
}

// Attempt is what the ids of one append begin with, so that they are its own: drawn at
// random, once for each decision. The upper half of its byte 6 does not count.
type Attempt [8]byte

// NewAttemptID is NewID for an event that one append alone writes: the same content at the
// same revision, decided upon another time, is another event.
func NewAttemptID(attempt Attempt, stream string, rev Revision, e Event) EventID {
	var id EventID
	copy(id[:], attempt[:])
	id[6] = id[6]&0x0f | 0x80
	h := contentHash(id[:8], stream, rev, &e)
	copy(id[8:], h[:])
	id[8] = id[8]&0x3f | 0x80
	return id
}

// Follows reports whether the id of an event is one that NewID or NewAttemptID makes of it.
func Follows(stream string, rev Revision, e Event) bool {
	if e.ID[6]>>4 == 8 {
		return e.ID == NewAttemptID(Attempt(e.ID[:8]), stream, rev, e)
	}
	return e.ID == NewID(stream, rev, e)
}

// contentHash returns the hash of an event at a revision, after what is of an attempt.
func contentHash(attempt []byte, stream string, rev Revision, e *Event) [sha1.Size]byte {
	var room [512]byte
	b := append(append(room[:0], namespace[:]...), attempt...)
	b = append(binary.BigEndian.AppendUint64(b, uint64(len(stream))), stream...)
	b = append(binary.BigEndian.AppendUint64(b, uint64(len(e.Type))), e.Type...)
	b = append(binary.BigEndian.AppendUint64(b, uint64(len(e.Data))), e.Data...)
	b = binary.BigEndian.AppendUint64(b, uint64(rev))
	return sha1.Sum(binary.BigEndian.AppendUint64(b, uint64(e.At)))
}

// Event is what is appended. Data and Meta are canonical JSON (package codec).
type Event struct {
	ID   EventID
	Type string       // as in resource.credited.v1
	At   instant.Time // when it took effect
	Data []byte
	Meta []byte // a Meta, or empty
}

// Record is an event that was appended. Nobody may change the bytes it refers to.
type Record struct {
	Event
	Stream     string
	Revision   Revision
	Position   Position
	RecordedAt instant.Time // when it was written: never running backwards in one store
}

// Page is room for records that are read together, which is used again.
type Page struct {
	Records []Record
	Bytes   []byte // what they refer to, as far as it is the page's own
}

// Meta is what a record tells beside the fact: who asked, and why it came about.
type Meta struct {
	// Salt is drawn at random for each event that is appended, whatever the caller says. So nobody
	// can tell of the event's hash, which is public (package proof), what it says, be it all but one
	// word that he knows. An id does not depend on it: a retry is a retry, and what was kept stays.
	Salt        [16]byte
	Actor       string // who asked: watcher, meter, holder, operator, anyone
	Correlation string // what the request that began it is called in the log lines
	Causation   string // the id of the event that caused it, empty where a request did
	Build       string // that wrote it, where the first builds don't know the event: see package fence
}

// CausedBy returns m for what follows from an event. The zero id is of none.
func (m Meta) CausedBy(id EventID) Meta {
	m.Causation = ""
	if id != (EventID{}) {
		m.Causation = id.String()
	}
	return m
}

// Fields implements [codec.Fielder] by the names that EventStoreDB uses.
func (m *Meta) Fields(f *codec.Fields) {
	codec.OptHex(f, saltField, m.Salt[:]) // first: see [Record.Salted]
	codec.OptString(f, "actor", &m.Actor)
	codec.OptString(f, "$correlationId", &m.Correlation)
	codec.OptString(f, "$causationId", &m.Causation)
	codec.OptString(f, "build", &m.Build)
}

const saltField = "salt"

// Salted reports whether the event has a salt. Events of the first builds have none.
func (r *Record) Salted() bool {
	const before, size = `{"` + saltField + `":"`, 2 * len(Meta{}.Salt)
	m := r.Meta
	return len(m) > len(before)+size && string(m[:len(before)]) == before && m[len(before)+size] == '"'
}

// Metadata decodes r.Meta.
func (r *Record) Metadata() (m Meta, err error) {
	if len(r.Meta) > 0 {
		err = codec.Decode(r.Meta, &m)
	}
	return m, err
}

// Appended is the answer to an append: where its last event stands.
type Appended struct {
	Revision Revision
	Position Position
}

// EventStore is a log of events. testutil/storetest is its contract.
//
// A sequence ends with the first error that it yields, or when ctx ends; it never
// passes an error off as the end.
type EventStore interface {
	// Append writes events at the end of the stream, all or none, and returns once they
	// are durable. The stream's last revision must be expected: else ErrWrongRevision,
	// but if the very same ids stand there already, the answer of the append that put
	// them there. It stamps RecordedAt.
	Append(ctx context.Context, stream string, expected Revision, events []Event) (Appended, error)
	// Read yields the stream from a revision on, and ends. An unknown stream is empty.
	Read(ctx context.Context, stream string, from Revision) iter.Seq2[Record, error]
	// Subscribe yields everything after a position in commit order, in runs that are
	// never empty, and then waits for more: without a gap, without a repeat.
	Subscribe(ctx context.Context, after Position) iter.Seq2[[]Record, error]
	// Head returns the position of the last durable event, 0 for an empty log.
	Head(ctx context.Context) (Position, error)
}

// Check returns an error unless an append keeps to the bounds of this package.
func Check(stream string, expected Revision, events []Event) error {
	switch {
	case !validName(stream):
		return fmt.Errorf("%w: stream name %.40q: want 1 to %d of letters, digits and -._:, no more", ErrInvalid, stream, MaxName)
	case expected < NoStream:
		return fmt.Errorf("%w: expected revision %d", ErrInvalid, expected)
	case len(events) == 0 || len(events) > MaxAppend:
		return fmt.Errorf("%w: %d events, want 1 to %d", ErrInvalid, len(events), MaxAppend)
	}
	for i, e := range events {
		switch {
		case !validName(e.Type):
			return fmt.Errorf("%w: event %d has type %.40q", ErrInvalid, i, e.Type)
		case len(e.Data) > MaxData || len(e.Meta) > MaxData:
			return fmt.Errorf("%w: event %d has %d bytes of data and %d of metadata, at most %d each",
				ErrInvalid, i, len(e.Data), len(e.Meta), MaxData)
		case e.At < instant.Min || e.At > instant.Max:
			return fmt.Errorf("%w: event %d: %w", ErrInvalid, i, instant.ErrRange)
		}
		for _, before := range events[:i] {
			if before.ID == e.ID {
				return fmt.Errorf("%w: event %d bears the id of an earlier one", ErrInvalid, i)
			}
		}
	}
	return nil
}

func validName(s string) bool {
	for _, c := range []byte(s) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case c == '-', c == '.', c == '_', c == ':':
		default:
			return false
		}
	}
	return s != "" && len(s) <= MaxName
}
