// Package eventlog is the log of an EventStoreDB, in memory and without a network: what
// may be written, what is a retry of what was written, what a reader sees.
//
// Events are in one order, and their places in it, the ordinals, are what the index of
// each stream is made of. A record never changes, so it is read without a lock; where to
// find it is looked up in a [View], which ends where the reader's replica does.
//
// It knows no message of the protocol: the services that do give it what they keep of
// each name, and are told by a [Signal] that it has grown.
package eventlog

import (
	"slices"
	"sort"
	"strings"
	"sync"
	"time"
)

// Record is one event of the log. It never changes once it is written, so that it may be
// read without the lock.
type Record struct {
	Stream     *Stream
	Number     int64 // its revision; DeletedNumber for a tombstone
	Position   int64 // where it begins in the log, in bytes
	Created    int64 // in ticks of 100 ns since 1970
	ID         ID
	Kind       *Kind
	Data, Meta []byte
}

// ID is a UUID.
type ID [16]byte

// Kind is what many events share, and so is kept once.
type Kind struct {
	KindKey
	Encoded []byte // by Options.EncodeKind
}

// KindKey is the type of an event and of its content.
type KindKey struct {
	Name        string
	ContentType string
}

// overhead is about what the server adds to each event on disk.
const overhead = 90

func (r *Record) size() int64 {
	return int64(overhead + len(r.Stream.Name) + len(r.Kind.Name) + len(r.Data) + len(r.Meta))
}

// End returns the position of what follows.
func (r *Record) End() uint64 { return uint64(r.Position + r.size()) }

// chunk keeps the records where they are while the log grows.
type chunk [1 << 10]Record

// Options are what a log is made of.
type Options struct {
	Now         func() time.Time // when events are created
	SystemEvery int              // after so many events the server writes one of its own; 0 is never
	RememberIDs int              // of how many events it knows the ids, to tell a retry

	// What is kept of each name once, so that it need not be encoded for each event.
	EncodeStream func(name string) []byte
	EncodeKind   func(name, contentType string) []byte
}

// Log holds all events in the order in which they were written. An event's place among
// them is its ordinal, which indexes are made of.
type Log struct {
	signal  Signal // told of each write
	options Options

	mu      sync.RWMutex
	chunks  []*chunk
	length  uint32
	end     int64 // the position of the next event
	streams map[string]*Stream
	kinds   map[KindKey]*Kind
	recent  recentIDs
	users   int // events of users since the last one of the server's own
}

// New returns a log that holds what a server writes at its start.
func New(o Options) *Log {
	l := &Log{
		options: o,
		streams: map[string]*Stream{},
		kinds:   map[KindKey]*Kind{},
		recent:  recentIDs{ordinals: map[ID]uint32{}, capacity: o.RememberIDs},
	}
	l.system("$epoch-information", "$epoch-information")
	l.system(statsStream, "$statsCollected")
	return l
}

// Len returns how many events there are.
func (l *Log) Len() uint32 {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.length
}

func (l *Log) at(ordinal uint32) *Record {
	const n = uint32(len(chunk{}))
	return &l.chunks[ordinal/n][ordinal%n]
}

// ordinal returns that of the first event at a position or after it.
func (l *Log) ordinal(position uint64) uint32 {
	return uint32(sort.Search(int(l.length), func(i int) bool {
		return uint64(l.at(uint32(i)).Position) >= position
	}))
}

// write adds an event to the end of the log, and to its stream.
func (l *Log) write(s *Stream, number int64, e *Proposal, created int64) *Record {
	n := uint32(len(chunk{}))
	if l.length%n == 0 {
		l.chunks = append(l.chunks, new(chunk))
	}
	ordinal := l.length
	r := &l.chunks[ordinal/n][ordinal%n]
	*r = Record{
		Stream: s, Number: number, Position: l.end, Created: created,
		ID: e.ID, Kind: l.kind(e.Kind), Data: e.Data, Meta: e.Meta,
	}
	l.length++
	l.end += r.size()
	l.recent.add(e.ID, ordinal)
	if number == DeletedNumber {
		s.tombstone, s.tombstoned = ordinal, true
		return r
	}
	s.events = append(s.events, ordinal)
	if s.isMeta() {
		s.settings = append(s.settings, settingsOf(r))
	}
	return r
}

func (l *Log) kind(k KindKey) *Kind {
	known := l.kinds[k]
	if known == nil {
		k = KindKey{strings.Clone(k.Name), strings.Clone(k.ContentType)}
		known = &Kind{k, l.options.EncodeKind(k.Name, k.ContentType)}
		l.kinds[k] = known
	}
	return known
}

const statsStream = "$stats-127.0.0.1:2113"

// system writes an event as the server does on its own.
func (l *Log) system(stream, kindName string) {
	s := l.open(stream)
	e := Proposal{ID: NewID(), Kind: KindKey{kindName, ContentJSON}, Data: []byte(`{"proc-id":1}`)}
	l.write(s, int64(len(s.events)), &e, Ticks(l.options.Now()))
}

// countUsers counts events of users, and lets the server's own ones in between.
func (l *Log) countUsers(events int) {
	l.users += events
	if l.options.SystemEvery > 0 && l.users >= l.options.SystemEvery {
		l.users = 0
		l.system(statsStream, "$statsCollected")
	}
}

// Ticks returns a time in ticks of 100 ns since 1970.
func Ticks(t time.Time) int64 { return t.UnixNano() / 100 }

// Stream is the index of one stream. The events of a stream are numbered without a gap,
// since nothing is ever scavenged.
type Stream struct {
	Name       string
	Encoded    []byte     // by Options.EncodeStream
	Hidden     bool       // from those who read the log
	events     []uint32   // ordinals, by number
	settings   []settings // what each event sets, if this is a metastream
	meta       *Stream    // its metastream, where there is one
	original   *Stream    // the stream that this is the metastream of
	tombstone  uint32
	tombstoned bool
}

// MetaPrefix begins the name of a metastream: that of its stream follows.
const MetaPrefix = "$$"

func (s *Stream) isMeta() bool { return strings.HasPrefix(s.Name, MetaPrefix) }

// open returns the index of a stream and makes it if need be.
func (l *Log) open(name string) *Stream {
	if s := l.streams[name]; s != nil {
		return s
	}
	name = strings.Clone(name)
	s := &Stream{Name: name, Encoded: l.options.EncodeStream(name), Hidden: hidden(name)}
	l.streams[name] = s
	if s.isMeta() {
		s.original = l.open(name[len(MetaPrefix):])
		s.original.meta = s
	}
	return s
}

// recentIDs finds the event of an id among the last ones: the server's memory of them is
// bounded as well.
type recentIDs struct {
	ordinals map[ID]uint32
	ring     []ID
	capacity int
}

func (r *recentIDs) add(id ID, ordinal uint32) {
	if len(r.ring) < r.capacity {
		r.ring = append(r.ring, id)
	} else {
		oldest := &r.ring[int(ordinal)%r.capacity]
		if int(ordinal-r.ordinals[*oldest]) >= r.capacity { // it did not come again since
			delete(r.ordinals, *oldest)
		}
		*oldest = id
	}
	r.ordinals[id] = ordinal
}

// News returns a channel that the next write closes. Callers that take it before they look
// miss nothing.
func (l *Log) News() <-chan struct{} { return l.signal.Next() }

// Signal wakes all who wait for a change.
type Signal struct {
	mu      sync.Mutex
	waiting chan struct{}
}

// Next returns a channel that the next Broadcast closes. Who takes it before looking
// misses nothing.
func (s *Signal) Next() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.waiting == nil {
		s.waiting = make(chan struct{})
	}
	return s.waiting
}

// Broadcast closes the channels that Next returned.
func (s *Signal) Broadcast() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.waiting != nil {
		close(s.waiting)
		s.waiting = nil
	}
}

// below returns how many of the ordinals, which grow, are below limit.
func below(ordinals []uint32, limit uint32) int {
	n := len(ordinals)
	if n == 0 || ordinals[n-1] < limit {
		return n
	}
	n, _ = slices.BinarySearch(ordinals, limit)
	return n
}

// hidden reports whether the server keeps a stream from those who read the log, be it with a
// filter or without.
func hidden(name string) bool {
	return name == "$epoch-information" || strings.HasPrefix(name, "$persistentsubscription-$all::") &&
		(strings.HasSuffix(name, "-checkpoint") || strings.HasSuffix(name, "-parked"))
}
