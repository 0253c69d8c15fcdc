package eventlog

import (
	"crypto/rand"
)

// Proposal is an event that a client wants to be written.
type Proposal struct {
	ID         ID
	Kind       KindKey
	Data, Meta []byte
}

// NewID draws an id.
func NewID() (id ID) {
	_, _ = rand.Read(id[:]) // it never fails
	return id
}

// What the server knows of types of events and of their contents.
const (
	metadataType = "$metadata"
	ContentJSON  = "application/json"
	ContentBytes = "application/octet-stream"
)

// What a writer may expect of a stream, beside a number.
const (
	NoStream     int64 = -1
	AnyRevision  int64 = -2
	StreamExists int64 = -4
)

// Verdict is what becomes of a write.
type Verdict int

const (
	Accepted Verdict = iota
	Repeated         // all of it was written before
	Wrong            // the expectation is
	Deleted
)

// Decision is a verdict and what it rests on.
type Decision struct {
	Verdict Verdict
	Current int64 // the number of the last event, -1 if there is none
	last    int64 // of a repeated write: the number of its last event
	revive  bool  // the stream was deleted and may be written again
}

// decide checks an expectation, as the server's index writer does.
func (l *Log) decide(name string, expected int64, events []Proposal) Decision {
	v, s := View{l, l.length}, l.streams[name]
	d := Decision{Verdict: Accepted, Current: v.count(s) - 1, revive: v.softDeleted(s)}
	if v.deleted(s) || s == nil && l.originalDeleted(name) {
		d.Verdict = Deleted
		return d
	}
	switch {
	case expected == StreamExists && d.revive:
		d.Verdict = Deleted
	case expected == StreamExists && d.Current < 0 && (s == nil || v.count(s.meta) == 0):
		d.Verdict = Wrong
	case expected == StreamExists || expected == AnyRevision:
		l.decideByID(s, events, &d)
	case expected > d.Current:
		d.Verdict = Wrong
	case expected < d.Current:
		l.decideByNumber(s, expected, events, &d)
	}
	return d
}

// originalDeleted reports whether name is a metastream, not written yet, of a deleted stream.
func (l *Log) originalDeleted(name string) bool {
	if len(name) < len(MetaPrefix) || name[:len(MetaPrefix)] != MetaPrefix {
		return false
	}
	return View{l, l.length}.deleted(l.streams[name[len(MetaPrefix):]])
}

// decideByID looks for a retry of a write that expected no number. Its first event tells:
// if it is unknown, all is new.
func (l *Log) decideByID(s *Stream, events []Proposal, d *Decision) {
	for i := range events {
		ordinal, known := l.recent.ordinals[events[i].ID]
		if known && s != nil && l.at(ordinal).Stream == s {
			d.Verdict, d.last = Repeated, l.at(ordinal).Number
			continue
		}
		if i > 0 {
			d.Verdict = Wrong
		}
		return
	}
}

// decideByNumber looks for a retry of a write after a number that is not the last one any
// more.
func (l *Log) decideByNumber(s *Stream, expected int64, events []Proposal, d *Decision) {
	if len(events) == 0 {
		d.Verdict = Wrong
		return
	}
	for i := range events {
		d.last = expected + 1 + int64(i)
		if d.last <= d.Current && l.at(s.events[d.last]).ID == events[i].ID {
			continue
		}
		if i == 0 && expected == NoStream && d.revive {
			d.Verdict = Accepted
			return
		}
		d.Verdict = Wrong
		return
	}
	d.Verdict = Repeated
}

// Written is the answer to a write.
type Written struct {
	Decision
	Number   int64 // of the last event
	Position int64 // of the last event
}

// Append writes all events or none.
func (l *Log) Append(name string, expected int64, events []Proposal) Written {
	l.mu.Lock()
	defer l.mu.Unlock()
	d := l.decide(name, expected, events)
	switch {
	case d.Verdict == Repeated:
		r := l.at(l.streams[name].events[d.last])
		return Written{d, r.Number, r.Position}
	case d.Verdict != Accepted:
		return Written{Decision: d}
	case len(events) == 0:
		position := l.end
		l.end += overhead // the server writes an empty record
		return Written{d, d.Current, position}
	}
	s, created := l.open(name), Ticks(l.options.Now())
	deletedBefore := s.original != nil && View{l, l.length}.softDeleted(s.original)
	var last *Record
	for i := range events {
		last = l.write(s, d.Current+1+int64(i), &events[i], created)
	}
	if d.revive {
		l.revive(s, d.Current+1)
	}
	if deletedBefore {
		l.revive(s.original, int64(len(s.original.events)))
	}
	l.countUsers(len(events))
	l.signal.Broadcast()
	return Written{d, last.Number, last.Position}
}

// revive ends the deletion of a stream: from number on it can be read again.
func (l *Log) revive(s *Stream, number int64) {
	meta := s.meta
	before := l.at(meta.events[len(meta.events)-1])
	e := Proposal{
		ID:   NewID(),
		Kind: KindKey{metadataType, ContentJSON},
		Data: withTruncateBefore(before.Data, number),
	}
	l.write(meta, int64(len(meta.events)), &e, Ticks(l.options.Now()))
}
