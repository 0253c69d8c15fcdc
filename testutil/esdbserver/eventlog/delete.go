package eventlog

import "math"

// Delete hides all events of a stream: its metadata are replaced by such that say so.
func (l *Log) Delete(name string, expected int64) Written {
	l.mu.Lock()
	defer l.mu.Unlock()
	e := Proposal{ID: NewID(), Kind: KindKey{metadataType, ContentJSON}}
	d := l.decide(name, expected, []Proposal{e})
	s := l.streams[name]
	if v := (View{l, l.length}); d.Verdict == Accepted && d.Current < 0 && (s == nil || v.count(s.meta) == 0) {
		d.Verdict = Wrong
	}
	if d.Verdict != Accepted {
		return Written{Decision: d}
	}
	e.Data = withTruncateBefore(nil, math.MaxInt64)
	meta := l.open(MetaPrefix + name)
	r := l.write(meta, int64(len(meta.events)), &e, Ticks(l.options.Now()))
	l.countUsers(1)
	l.signal.Broadcast()
	return Written{d, r.Number, r.Position}
}

// Tombstone ends a stream, and the use of its name.
func (l *Log) Tombstone(name string, expected int64) Written {
	l.mu.Lock()
	defer l.mu.Unlock()
	e := Proposal{ID: NewID(), Kind: KindKey{"$streamDeleted", ContentBytes}}
	d := l.decide(name, expected, []Proposal{e})
	if d.Verdict != Accepted {
		return Written{Decision: d}
	}
	r := l.write(l.open(name), DeletedNumber, &e, Ticks(l.options.Now()))
	l.countUsers(1)
	l.signal.Broadcast()
	return Written{d, r.Number, r.Position}
}
