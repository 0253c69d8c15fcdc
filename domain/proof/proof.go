// Package proof makes of a log a Merkle tree (RFC 6962), so that one hash says what every event
// is, and a short proof that an event is among them, or that nothing was rewritten since.
//
// A leaf is an event: [Entry] is the hash of all that is stored of it but its position, which is
// each store's own, and so a log has one root whichever store it is in, and wherever it was copied.
// [Tree] adds up the leaves and keeps no more of them than what later ones need. Proofs are those of
// package tlog: tlog.ProveRecord, tlog.CheckTree and so on. ARCHITECTURE.md has the form of a leaf
// for who writes a verifier, and testdata/vectors.json what it has to come to.
package proof

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"sandglass/domain/instant"
	"sandglass/domain/stream"

	"golang.org/x/mod/sumdb/tlog"
)

// Hash is a SHA-256: of an entry, of a leaf, of what is below a node, or of a whole log (its root).
type Hash = tlog.Hash

// Form is what the bytes of an entry begin with: it names their form, and no other text that
// Sandglass hashes begins with it.
const Form = "sandglass.entry.v1\n"

// Height is the height of a tile, and Width how many hashes a whole one has: those of a block of
// events, at its lowest level.
const (
	Height = 8
	Width  = 1 << Height
)

// Entry returns the entry of a record: the SHA-256 of its canonical form. Its recorded time is the
// latest of the log up to it, as [Hasher] keeps it, and not that of the record, which may be
// earlier in a store that is of several clocks.
func Entry(r *stream.Record, recorded instant.Time) Hash {
	var room [1024]byte
	return sha256.Sum256(AppendForm(room[:0], r, recorded))
}

// AppendForm appends the canonical form of a record: [Form], the 16 bytes of the id, stream,
// revision, type, at, recorded, data, meta. Texts and bytes stand after their length; lengths and
// numbers are 8 bytes, the highest first, times in milliseconds since 1970.
func AppendForm(b []byte, r *stream.Record, recorded instant.Time) []byte {
	b = append(append(b, Form...), r.ID[:]...)
	b = append(binary.BigEndian.AppendUint64(b, uint64(len(r.Stream))), r.Stream...)
	b = binary.BigEndian.AppendUint64(b, uint64(r.Revision))
	b = append(binary.BigEndian.AppendUint64(b, uint64(len(r.Type))), r.Type...)
	b = binary.BigEndian.AppendUint64(b, uint64(r.At))
	b = binary.BigEndian.AppendUint64(b, uint64(recorded))
	b = append(binary.BigEndian.AppendUint64(b, uint64(len(r.Data))), r.Data...)
	return append(binary.BigEndian.AppendUint64(b, uint64(len(r.Meta))), r.Meta...)
}

// Leaf returns the hash of the leaf of an entry: SHA-256 of a byte 0 and its 32 bytes.
func Leaf(entry Hash) Hash {
	var b [1 + sha256.Size]byte
	copy(b[1:], entry[:])
	return sha256.Sum256(b[:])
}

// Hasher makes the entries of a log, from its first event on, or from where Recorded is of. The
// zero Hasher stands before the first event. It is not safe for concurrent use.
type Hasher struct {
	Recorded instant.Time // the latest recorded time so far

	form []byte // reused
}

// Add returns the entry of the next record of the log.
func (h *Hasher) Add(r *stream.Record) Hash {
	h.Recorded = max(h.Recorded, r.RecordedAt)
	h.form = AppendForm(h.form[:0], r, h.Recorded)
	return sha256.Sum256(h.form)
}

// Events writes for people how many there are.
func Events(n int64) string {
	if n == 1 {
		return "1 event"
	}
	return fmt.Sprintf("%d events", n)
}
