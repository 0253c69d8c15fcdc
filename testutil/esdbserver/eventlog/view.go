package eventlog

import (
	"bytes"
	"encoding/json"
	"math"
	"time"
)

// DeletedNumber is the number of a tombstone, and the $tb of a deleted stream.
const DeletedNumber = math.MaxInt64

// settings are what a stream's metadata say about reading it.
type settings struct {
	truncateBefore int64
	maxCount       int64         // 0 is no limit
	maxAge         time.Duration // 0 is no limit
}

// settingsOf reads a `$metadata` event. What can't be read sets nothing.
func settingsOf(r *Record) settings {
	var m struct {
		TruncateBefore int64 `json:"$tb"`
		MaxCount       int64 `json:"$maxCount"`
		MaxAge         int64 `json:"$maxAge"` // seconds
	}
	if r.Kind.Name != metadataType || json.Unmarshal(r.Data, &m) != nil {
		return settings{}
	}
	return settings{m.TruncateBefore, m.MaxCount, time.Duration(m.MaxAge) * time.Second}
}

// withTruncateBefore returns metadata with another $tb.
func withTruncateBefore(metadata []byte, number int64) []byte {
	m := map[string]json.RawMessage{}
	if json.NewDecoder(bytes.NewReader(metadata)).Decode(&m) != nil || m == nil {
		m = map[string]json.RawMessage{}
	}
	m["$tb"], _ = json.Marshal(number) // an integer always has JSON
	data, err := json.Marshal(m)
	if err != nil {
		panic(err) // it was JSON before
	}
	return data
}

// View is the log as a node sees it: what is at limit or after it isn't there yet. It is
// used under the log's lock, from [Log.View] until it is unlocked.
type View struct {
	l     *Log
	limit uint32
}

// View returns the whole log as it is now. The caller unlocks it.
func (l *Log) View() (View, func()) {
	l.mu.RLock()
	return View{l, l.length}, l.mu.RUnlock
}

// Wake has those look again who wait for news, though nothing was written.
func (l *Log) Wake() { l.signal.Broadcast() }

// Upto returns the view of a replica that has only so many events.
func (v View) Upto(limit uint32) View { return View{v.l, limit} }

// Limit returns how many events the view has.
func (v View) Limit() uint32 { return v.limit }

// At returns the event with an ordinal below the limit.
func (v View) At(ordinal uint32) *Record { return v.l.at(ordinal) }

// Ordinal returns that of the first event at a position or after it, which may be beyond
// the limit.
func (v View) Ordinal(position uint64) uint32 { return v.l.ordinal(position) }

// Written returns how many events were ever written to a stream.
func (v View) Written(name string) int64 { return v.count(v.l.streams[name]) }

// count returns how many events were ever written to a stream.
func (v View) count(s *Stream) int64 {
	if s == nil {
		return 0
	}
	return int64(below(s.events, v.limit))
}

// deleted reports whether a stream, or the one that it is the metastream of, has a tombstone.
func (v View) deleted(s *Stream) bool {
	for ; s != nil; s = s.original {
		if s.tombstoned && s.tombstone < v.limit {
			return true
		}
	}
	return false
}

func (v View) settings(s *Stream) settings {
	if s == nil {
		return settings{}
	}
	if s.isMeta() {
		return settings{maxCount: 1}
	}
	if n := v.count(s.meta); n > 0 {
		return s.meta.settings[n-1]
	}
	return settings{}
}

func (v View) softDeleted(s *Stream) bool {
	return v.settings(s).truncateBefore == DeletedNumber
}

// first returns the number of the first event that is not hidden.
func (v View) first(s *Stream) int64 {
	set := v.settings(s)
	first := max(0, set.truncateBefore)
	if set.maxCount > 0 {
		first = max(first, v.count(s)-set.maxCount)
	}
	return first
}

// oldest returns since when events of a stream are not hidden.
func (v View) oldest(s *Stream) int64 {
	if age := v.settings(s).maxAge; age > 0 {
		return Ticks(v.l.options.Now().Add(-age))
	}
	return math.MinInt64
}
