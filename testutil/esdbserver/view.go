package esdbserver

import (
	"bytes"
	"encoding/json"
	"math"
	"time"
)

// deletedNumber is the number of a tombstone, and the $tb of a deleted stream.
const deletedNumber = math.MaxInt64

// settings are what a stream's metadata say about reading it.
type settings struct {
	truncateBefore int64
	maxCount       int64         // 0 is no limit
	maxAge         time.Duration // 0 is no limit
}

// settingsOf reads a `$metadata` event. What can't be read sets nothing.
func settingsOf(r *record) settings {
	var m struct {
		TruncateBefore int64 `json:"$tb"`
		MaxCount       int64 `json:"$maxCount"`
		MaxAge         int64 `json:"$maxAge"` // seconds
	}
	if r.kind.name != metadataType || json.Unmarshal(r.data, &m) != nil {
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

// view is the log as a node sees it: what is at limit or after it isn't there yet. It is
// used under the log's lock.
type view struct {
	*log
	limit uint32
}

// count returns how many events were ever written to a stream.
func (v view) count(s *stream) int64 {
	if s == nil {
		return 0
	}
	return int64(below(s.events, v.limit))
}

// deleted reports whether a stream, or the one that it is the metastream of, has a tombstone.
func (v view) deleted(s *stream) bool {
	for ; s != nil; s = s.original {
		if s.tombstoned && s.tombstone < v.limit {
			return true
		}
	}
	return false
}

func (v view) settings(s *stream) settings {
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

func (v view) softDeleted(s *stream) bool {
	return v.settings(s).truncateBefore == deletedNumber
}

// first returns the number of the first event that is not hidden.
func (v view) first(s *stream) int64 {
	set := v.settings(s)
	first := max(0, set.truncateBefore)
	if set.maxCount > 0 {
		first = max(first, v.count(s)-set.maxCount)
	}
	return first
}

// oldest returns since when events of a stream are not hidden.
func (v view) oldest(s *stream) int64 {
	if age := v.settings(s).maxAge; age > 0 {
		return ticks(v.now().Add(-age))
	}
	return math.MinInt64
}
