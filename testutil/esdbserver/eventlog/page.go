package eventlog

// StreamPage is a part of a stream.
type StreamPage struct {
	Records []*Record
	Next    int64 // where the next page begins
	End     bool  // there is no next page yet
	Missing bool  // the stream never was, or was deleted
	Deleted bool  // it has a tombstone
}

// StreamPage looks up at most count events of a stream, in the storage of buf.
func (v View) StreamPage(name string, next int64, forwards bool, count uint64, buf []*Record) StreamPage {
	s := v.l.streams[name]
	p := StreamPage{Records: buf[:0], Next: next}
	if v.deleted(s) || s == nil && v.l.originalDeleted(name) {
		p.Deleted = true
		return p
	}
	events := v.count(s)
	if events == 0 || v.softDeleted(s) {
		p.Missing = true
		return p
	}
	first, oldest, step := v.first(s), v.oldest(s), int64(1)
	if forwards {
		p.Next = max(next, first)
	} else {
		p.Next, step = min(next, events-1), -1
	}
	for ; p.Next >= first && p.Next < events && uint64(len(p.Records)) < count; p.Next += step {
		if rec := v.l.at(s.events[p.Next]); rec.Created >= oldest {
			p.Records = append(p.Records, rec)
		}
	}
	p.End = p.Next < first || p.Next >= events
	return p
}

// Page looks up at most count events of the log, in the storage of buf.
func (v View) Page(next uint32, forwards bool, count int, buf []*Record) []*Record {
	buf = buf[:0]
	if forwards {
		for ; next < v.limit && len(buf) < count; next++ {
			buf = append(buf, v.l.at(next))
		}
		return buf
	}
	for ; next > 0 && len(buf) < count; next-- {
		buf = append(buf, v.l.at(next-1))
	}
	return buf
}
