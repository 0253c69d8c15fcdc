package logcopy

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"

	"sandglass/domain/stream"
)

// differs returns the first field in which two records differ, and what they have there.
func differs(a, b *stream.Record) (field, is, other string) {
	switch {
	case a.Stream != b.Stream:
		return "stream", a.Stream, b.Stream
	case a.Revision != b.Revision:
		return "revision", fmt.Sprint(a.Revision), fmt.Sprint(b.Revision)
	case a.Type != b.Type:
		return "type", a.Type, b.Type
	case a.At != b.At:
		return "at", a.At.String(), b.At.String()
	case !bytes.Equal(a.Data, b.Data):
		return "data", string(a.Data), string(b.Data)
	case a.ID != b.ID:
		return "id", a.ID.String(), b.ID.String()
	case !bytes.Equal(a.Meta, b.Meta):
		return "meta", string(a.Meta), string(b.Meta)
	case a.RecordedAt != b.RecordedAt:
		return "recorded_at", a.RecordedAt.String(), b.RecordedAt.String()
	}
	return "", "", ""
}

// shorten keeps a value within an error.
func shorten(s string) string {
	const most = 60
	if r := []rune(s); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return s
}

// sum adds a record to a digest: stream, type, data and meta, each after its length, the
// 16 bytes of the id, revision, at and recorded_at. Numbers are 8 bytes, the highest first.
func sum(h hash.Hash, r *stream.Record) {
	b := make([]byte, 0, 128+len(r.Stream)+len(r.Type)+len(r.Data)+len(r.Meta))
	for _, part := range []string{r.Stream, r.Type, string(r.Data), string(r.Meta)} {
		b = append(binary.BigEndian.AppendUint64(b, uint64(len(part))), part...)
	}
	b = append(b, r.ID[:]...)
	for _, n := range []int64{int64(r.Revision), int64(r.At), int64(r.RecordedAt)} {
		b = binary.BigEndian.AppendUint64(b, uint64(n))
	}
	h.Write(b) // never fails
}

func digestOf(h hash.Hash) string { return "sha256:" + hex.EncodeToString(h.Sum(nil)) }
