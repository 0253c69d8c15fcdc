package eventstoredb

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"sync/atomic"

	"sandglass/domain/instant"
	"sandglass/domain/stream"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/google/uuid"
)

// The metadata of an event in the cluster are one JSON object: when the event took effect,
// when it was recorded first if it was copied from another log, and then what the record's
// own metadata say, which by EventStoreDB's names ($correlationId, $causationId) its
// projections and its pages understand:
//
//	{"at":"2026-01-02T03:04:05.678Z","actor":"watcher","$correlationId":"…"}
//
// Own metadata that are no such object are kept all the same, under "bytes".
const (
	atKey       = `{"at":"`
	recordedKey = `,"recorded_at":"`
	bytesKey    = `"bytes":"`
	timeLen     = len("2006-01-02T15:04:05.000Z")
)

// encodeMeta returns the metadata of an event as the cluster keeps them. The recorded time
// is left out where it is 0.
func encodeMeta(at, recorded instant.Time, meta []byte) []byte {
	b := make([]byte, 0, len(meta)+96)
	b = append(at.AppendText(append(b, atKey...)), '"')
	if recorded != 0 {
		b = append(recorded.AppendText(append(b, recordedKey...)), '"')
	}
	switch {
	case len(meta) == 0:
		return append(b, '}')
	case spliceable(meta):
		return append(append(b, ','), meta[1:]...)
	}
	b = append(append(b, ','), bytesKey...)
	return append(base64.StdEncoding.AppendEncode(b, meta), `"}`...)
}

// spliceable reports whether meta is an object whose fields can follow ours, and be found
// again: not empty, and without a first field that could be taken for one of ours.
func spliceable(meta []byte) bool {
	if len(meta) < 3 || meta[0] != '{' || meta[1] != '"' || !json.Valid(meta) {
		return false
	}
	first := string(meta[1:])
	return meta[len(meta)-1] == '}' && !strings.HasPrefix(first, bytesKey) && !strings.HasPrefix(first, recordedKey[1:])
}

// decodeMeta is the inverse of encodeMeta.
func decodeMeta(b []byte) (at, recorded instant.Time, meta []byte, err error) {
	rest, at, err := cutTime(b, atKey)
	if err == nil && strings.HasPrefix(string(rest), recordedKey) {
		rest, recorded, err = cutTime(rest, recordedKey)
	}
	switch {
	case err != nil:
		return 0, 0, nil, err
	case string(rest) == "}":
		return at, recorded, nil, nil
	case len(rest) < 3 || rest[0] != ',':
		return 0, 0, nil, fmt.Errorf("metadata %.80q are none that this build writes", b)
	}
	if text, ok := strings.CutPrefix(string(rest[1:]), bytesKey); ok {
		meta, err = base64.StdEncoding.DecodeString(strings.TrimSuffix(text, `"}`))
		return at, recorded, meta, err
	}
	meta = append(make([]byte, 0, len(rest)), rest...)
	meta[0] = '{'
	return at, recorded, meta, nil
}

// cutTime returns what follows the key and its time, and the time.
func cutTime(b []byte, key string) (rest []byte, t instant.Time, err error) {
	end := len(key) + timeLen
	if len(b) <= end || string(b[:len(key)]) != key || b[end] != '"' {
		return nil, 0, fmt.Errorf("metadata %.80q do not say %s as this build writes it", b, strings.Trim(key, `{,":`))
	}
	t, err = instant.Parse(b[len(key):end])
	return b[end+1:], t, err
}

// outgoing returns an event as the client takes it.
func outgoing(e *stream.Event, recorded instant.Time) esdb.EventData {
	content := esdb.ContentTypeBinary
	if json.Valid(e.Data) {
		content = esdb.ContentTypeJson
	}
	return esdb.EventData{
		EventID: uuid.UUID(e.ID), EventType: e.Type, ContentType: content,
		Data: e.Data, Metadata: encodeMeta(e.At, recorded, e.Meta),
	}
}

// hardDeleted is the type of the event that the server puts at the end of a stream that is
// gone for good. It has the highest revision, and no metadata.
const hardDeleted = "$streamDeleted"

// record returns what the server holds as a record of the log.
func (s *Store) record(e *esdb.RecordedEvent) (r stream.Record, err error) {
	name, ours := s.ours(e)
	switch {
	case !ours:
		return r, fmt.Errorf("eventstoredb: %s is no stream of the log", e.StreamID)
	case e.EventType == hardDeleted:
		return r, fmt.Errorf("eventstoredb: %s was hard-deleted in the store, as %s at position %d says, "+
			"which Sandglass never does: nothing else brings it back: restore a backup", e.StreamID, hardDeleted, e.Position.Commit)
	case e.Position.Commit != e.Position.Prepare || e.Position.Commit == 0 || e.Position.Commit > maxPosition:
		return r, fmt.Errorf("eventstoredb: %s %d stands at position %d/%d: "+
			"want an event that was appended by itself, and a server that tells positions (22.6 or later)",
			e.StreamID, e.EventNumber, e.Position.Commit, e.Position.Prepare)
	}
	r = stream.Record{
		Event:  stream.Event{ID: stream.EventID(e.EventID), Type: e.EventType, Data: e.Data},
		Stream: name, Revision: stream.Revision(e.EventNumber), Position: stream.Position(e.Position.Commit),
	}
	if r.At, r.RecordedAt, r.Meta, err = decodeMeta(e.UserMetadata); err != nil {
		return r, fmt.Errorf("eventstoredb: %s %d: %w: it was not written by Sandglass, or by a newer build",
			e.StreamID, e.EventNumber, err)
	}
	if r.RecordedAt == 0 {
		r.RecordedAt = min(max(instant.Of(e.CreatedDate), instant.Min), instant.Max)
	}
	s.learn(r.Position)
	return r, nil
}

// maxPosition is the highest position that a server tells: what is above is its -1.
const maxPosition = 1<<63 - 1

// ours returns the name that the log knows a stream by, if it is one of the log's.
func (s *Store) ours(e *esdb.RecordedEvent) (name string, ok bool) {
	if len(e.StreamID) <= len(s.namespace)+1 || e.StreamID[len(s.namespace)] != '.' {
		return "", false
	}
	return e.StreamID[len(s.namespace)+1:], e.StreamID[:len(s.namespace)] == s.namespace
}

// full returns the name of a stream in the cluster.
func (s *Store) full(name string) string { return s.namespace + "." + name }

// learn notes that the log holds an event at pos.
func (s *Store) learn(pos stream.Position) { raise(&s.known, pos) }

// raise sets a mark to pos if it is lower.
func raise(mark *atomic.Uint64, pos stream.Position) {
	for {
		old := mark.Load()
		if old >= uint64(pos) || mark.CompareAndSwap(old, uint64(pos)) {
			return
		}
	}
}
