package esdbserver

import (
	"crypto/rand"
	"math"
)

// proposal is an event that a client wants to be written.
type proposal struct {
	id         eventID
	kind       kindKey
	data, meta []byte
}

func newEventID() (id eventID) {
	_, _ = rand.Read(id[:]) // it never fails
	return id
}

// What a writer may expect of a stream, beside a number.
const (
	noStream     int64 = -1
	anyRevision  int64 = -2
	streamExists int64 = -4
)

// verdict is what becomes of a write.
type verdict int

const (
	accepted verdict = iota
	repeated         // all of it was written before
	wrong            // the expectation is
	isDeleted
)

// decision is a verdict and what it rests on.
type decision struct {
	verdict verdict
	current int64 // the number of the last event, -1 if there is none
	last    int64 // of a repeated write: the number of its last event
	revive  bool  // the stream was deleted and may be written again
}

// decide checks an expectation, as the server's index writer does.
func (l *log) decide(name string, expected int64, events []proposal) decision {
	v, s := view{l, l.length}, l.streams[name]
	d := decision{verdict: accepted, current: v.count(s) - 1, revive: v.softDeleted(s)}
	if v.deleted(s) || s == nil && l.originalDeleted(name) {
		d.verdict = isDeleted
		return d
	}
	switch {
	case expected == streamExists && d.revive:
		d.verdict = isDeleted
	case expected == streamExists && d.current < 0 && (s == nil || v.count(s.meta) == 0):
		d.verdict = wrong
	case expected == streamExists || expected == anyRevision:
		l.decideByID(s, events, &d)
	case expected > d.current:
		d.verdict = wrong
	case expected < d.current:
		l.decideByNumber(s, expected, events, &d)
	}
	return d
}

// originalDeleted reports whether name is a metastream, not written yet, of a deleted stream.
func (l *log) originalDeleted(name string) bool {
	if len(name) < len(metaPrefix) || name[:len(metaPrefix)] != metaPrefix {
		return false
	}
	return view{l, l.length}.deleted(l.streams[name[len(metaPrefix):]])
}

// decideByID looks for a retry of a write that expected no number. Its first event tells:
// if it is unknown, all is new.
func (l *log) decideByID(s *stream, events []proposal, d *decision) {
	for i := range events {
		ordinal, known := l.recent.ordinals[events[i].id]
		if known && s != nil && l.at(ordinal).stream == s {
			d.verdict, d.last = repeated, l.at(ordinal).number
			continue
		}
		if i > 0 {
			d.verdict = wrong
		}
		return
	}
}

// decideByNumber looks for a retry of a write after a number that is not the last one any
// more.
func (l *log) decideByNumber(s *stream, expected int64, events []proposal, d *decision) {
	if len(events) == 0 {
		d.verdict = wrong
		return
	}
	for i := range events {
		d.last = expected + 1 + int64(i)
		if d.last <= d.current && l.at(s.events[d.last]).id == events[i].id {
			continue
		}
		if i == 0 && expected == noStream && d.revive {
			d.verdict = accepted
			return
		}
		d.verdict = wrong
		return
	}
	d.verdict = repeated
}

// written is the answer to a write.
type written struct {
	decision
	number   int64 // of the last event
	position int64 // of the last event
}

// append writes all events or none.
func (l *log) append(name string, expected int64, events []proposal) written {
	l.mu.Lock()
	defer l.mu.Unlock()
	d := l.decide(name, expected, events)
	switch {
	case d.verdict == repeated:
		r := l.at(l.streams[name].events[d.last])
		return written{d, r.number, r.position}
	case d.verdict != accepted:
		return written{decision: d}
	case len(events) == 0:
		position := l.end
		l.end += overhead // the server writes an empty record
		return written{d, d.current, position}
	}
	s, created := l.open(name), ticks(l.now())
	deletedBefore := s.original != nil && view{l, l.length}.softDeleted(s.original)
	var last *record
	for i := range events {
		last = l.write(s, d.current+1+int64(i), &events[i], created)
	}
	if d.revive {
		l.revive(s, d.current+1)
	}
	if deletedBefore {
		l.revive(s.original, int64(len(s.original.events)))
	}
	l.wrote(len(events))
	l.signal.broadcast()
	return written{d, last.number, last.position}
}

// revive ends the deletion of a stream: from number on it can be read again.
func (l *log) revive(s *stream, number int64) {
	meta := s.meta
	before := l.at(meta.events[len(meta.events)-1])
	e := proposal{id: newEventID(), kind: kindKey{metadataType, contentJSON}, data: withTruncateBefore(before.data, number)}
	l.write(meta, int64(len(meta.events)), &e, ticks(l.now()))
}

// clampRevision makes a number of a revision that a client sent: what is beyond all
// numbers is never the present one.
func clampRevision(revision uint64) int64 { return int64(min(revision, math.MaxInt64-1)) }
