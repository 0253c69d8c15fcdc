package esdbserver

import (
	"slices"
	"sort"
	"strings"
	"sync"
	"time"
)

// record is one event of the log. It never changes once it is written, so that it may be
// read without the lock.
type record struct {
	stream     *stream
	number     int64 // its revision; deletedNumber for a tombstone
	position   int64 // where it begins in the log, in bytes
	created    int64 // in ticks of 100 ns since 1970
	id         eventID
	kind       *kind
	data, meta []byte
}

type eventID [16]byte

// kind is what many events share, and so is kept once.
type kind struct {
	kindKey
	wire []byte // as it is sent
}

type kindKey struct {
	name        string
	contentType string
}

// overhead is about what the server adds to each event on disk.
const overhead = 90

func (r *record) size() int64 {
	return int64(overhead + len(r.stream.name) + len(r.kind.name) + len(r.data) + len(r.meta))
}

// end is the position of what follows.
func (r *record) end() uint64 { return uint64(r.position + r.size()) }

// chunk keeps the records where they are while the log grows.
type chunk [1 << 10]record

// log holds all events in the order in which they were written. An event's place among
// them is its ordinal, which indexes are made of.
type log struct {
	signal      signal // told of each write
	now         func() time.Time
	systemEvery int

	mu      sync.RWMutex
	chunks  []*chunk
	length  uint32
	end     int64 // the position of the next event
	streams map[string]*stream
	kinds   map[kindKey]*kind
	recent  recentIDs
	users   int // events of users since the last one of the server's own
}

func newLog(o Options) *log {
	l := &log{
		now: o.Now, systemEvery: o.SystemEvery, streams: map[string]*stream{}, kinds: map[kindKey]*kind{},
		recent: recentIDs{ordinals: map[eventID]uint32{}, capacity: o.RememberIDs},
	}
	l.system("$epoch-information", "$epoch-information")
	l.system(statsStream, "$statsCollected")
	return l
}

// len returns how many events there are.
func (l *log) len() uint32 {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.length
}

func (l *log) at(ordinal uint32) *record {
	const n = uint32(len(chunk{}))
	return &l.chunks[ordinal/n][ordinal%n]
}

// ordinal returns that of the first event at a position or after it.
func (l *log) ordinal(position uint64) uint32 {
	return uint32(sort.Search(int(l.length), func(i int) bool {
		return uint64(l.at(uint32(i)).position) >= position
	}))
}

// write adds an event to the end of the log, and to its stream.
func (l *log) write(s *stream, number int64, e *proposal, created int64) *record {
	n := uint32(len(chunk{}))
	if l.length%n == 0 {
		l.chunks = append(l.chunks, new(chunk))
	}
	ordinal := l.length
	r := &l.chunks[ordinal/n][ordinal%n]
	*r = record{
		stream: s, number: number, position: l.end, created: created,
		id: e.id, kind: l.kind(e.kind), data: e.data, meta: e.meta,
	}
	l.length++
	l.end += r.size()
	l.recent.add(e.id, ordinal)
	if number == deletedNumber {
		s.tombstone, s.tombstoned = ordinal, true
		return r
	}
	s.events = append(s.events, ordinal)
	if s.isMeta() {
		s.settings = append(s.settings, settingsOf(r))
	}
	return r
}

func (l *log) kind(k kindKey) *kind {
	known := l.kinds[k]
	if known == nil {
		k = kindKey{strings.Clone(k.name), strings.Clone(k.contentType)}
		known = &kind{k, kindWire(k.name, k.contentType)}
		l.kinds[k] = known
	}
	return known
}

const statsStream = "$stats-127.0.0.1:2113"

// system writes an event as the server does on its own.
func (l *log) system(stream, kindName string) {
	s := l.open(stream)
	e := proposal{id: newEventID(), kind: kindKey{kindName, contentJSON}, data: []byte(`{"proc-id":1}`)}
	l.write(s, int64(len(s.events)), &e, ticks(l.now()))
}

// wrote counts events of users, and lets the server's own ones in between.
func (l *log) wrote(events int) {
	l.users += events
	if l.systemEvery > 0 && l.users >= l.systemEvery {
		l.users = 0
		l.system(statsStream, "$statsCollected")
	}
}

func ticks(t time.Time) int64 { return t.UnixNano() / 100 }

// stream is the index of one stream. The events of a stream are numbered without a gap,
// since nothing is ever scavenged.
type stream struct {
	name       string
	wire       []byte     // its name as it is sent
	events     []uint32   // ordinals, by number
	settings   []settings // what each event sets, if this is a metastream
	meta       *stream    // its metastream, where there is one
	original   *stream    // the stream that this is the metastream of
	tombstone  uint32
	tombstoned bool
	hidden     bool // from those who read the log
}

const metaPrefix = "$$"

func (s *stream) isMeta() bool { return strings.HasPrefix(s.name, metaPrefix) }

// open returns the index of a stream and makes it if need be.
func (l *log) open(name string) *stream {
	if s := l.streams[name]; s != nil {
		return s
	}
	name = strings.Clone(name)
	s := &stream{name: name, wire: streamWire(name), hidden: hidden(name)}
	l.streams[name] = s
	if s.isMeta() {
		s.original = l.open(name[len(metaPrefix):])
		s.original.meta = s
	}
	return s
}

// recentIDs finds the event of an id among the last ones: the server's memory of them is
// bounded as well.
type recentIDs struct {
	ordinals map[eventID]uint32
	ring     []eventID
	capacity int
}

func (r *recentIDs) add(id eventID, ordinal uint32) {
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

// signal wakes all who wait for a change.
type signal struct {
	mu      sync.Mutex
	waiting chan struct{}
}

// next returns a channel that the next broadcast closes. Who takes it before looking
// misses nothing.
func (s *signal) next() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.waiting == nil {
		s.waiting = make(chan struct{})
	}
	return s.waiting
}

func (s *signal) broadcast() {
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
