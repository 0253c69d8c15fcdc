package receipt

import (
	"encoding/binary"
	"errors"
	"fmt"

	"sandglass/domain/payment"
	"sandglass/domain/proof"
	"sandglass/domain/stream"

	"golang.org/x/mod/sumdb/tlog"
)

// Paid is the event that says how much money came which bought nothing: the event that says so does not. It stands
// behind that in the line extra: its index and the number of hashes, 8 bytes each, the highest first, the hashes, and
// its form. It is proven by the same checkpoint.
type Paid struct {
	Record stream.Record // with the recorded time of its entry, and no position
	Index  int64
	Proof  tlog.RecordProof
}

// append appends it to what stands before, if there is one.
func (p *Paid) append(b []byte) []byte {
	if p == nil {
		return b
	}
	b = binary.BigEndian.AppendUint64(b, uint64(p.Index))
	b = binary.BigEndian.AppendUint64(b, uint64(len(p.Proof)))
	for i := range p.Proof {
		b = append(b, p.Proof[i][:]...)
	}
	return proof.AppendForm(b, &p.Record, p.Record.RecordedAt)
}

// parsePaid reads it, from all that stands behind the event.
func parsePaid(b []byte) (*Paid, error) {
	if len(b) < 16 {
		return nil, fmt.Errorf("%d bytes stand behind the event", len(b))
	}
	p := &Paid{Index: int64(binary.BigEndian.Uint64(b))}
	n := binary.BigEndian.Uint64(b[8:])
	if b = b[16:]; p.Index < 0 || n > maxHashes || uint64(len(b)) < n*tlog.HashSize {
		return nil, errors.New("what stands behind the event is not another one, and its proof")
	}
	for range n {
		p.Proof = append(p.Proof, tlog.Hash(b))
		b = b[tlog.HashSize:]
	}
	var err error
	p.Record, err = proof.ParseForm(b)
	return p, err
}

// of returns what it says, or an error if it is not what the receipt's event is about.
func (p *Paid) of(r *Receipt) (*payment.Settled, error) {
	s, ok, err := said(&r.Record)
	if err != nil {
		return nil, err
	}
	e, err := settled(&p.Record)
	switch {
	case err != nil:
		return nil, err
	case !ok || s.What != Unallocated || e == nil || p.Record.Stream != r.Record.Stream || p.Record.Revision >= r.Record.Revision:
		return nil, fmt.Errorf("%s revision %d does not say how much came of what %s revision %d is about",
			p.Record.Stream, p.Record.Revision, r.Record.Stream, r.Record.Revision)
	}
	return e, nil
}

// settled returns what an event says of money that came, nil if it says nothing of any.
func settled(r *stream.Record) (*payment.Settled, error) {
	e, err := payment.Decode(r)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	s, _ := e.(*payment.Settled)
	return s, nil
}
