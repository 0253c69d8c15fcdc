package proof

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"sandglass/domain/instant"
	"sandglass/domain/stream"
)

// MaxForm bounds the canonical form of a record, in bytes.
const MaxForm = len(Form) + 16 + 7*8 + 2*stream.MaxName + 2*stream.MaxData

// ErrForm says that bytes are not the canonical form of a record.
var ErrForm = errors.New("proof: not the form of an event")

// ParseForm returns the record of a canonical form: it has the recorded time of its entry, and no
// position. There is one form of each record, which is what [AppendForm] makes of it again; else it
// is [ErrForm]. The record refers to the bytes.
func ParseForm(b []byte) (r stream.Record, err error) {
	r, rest, err := CutForm(b)
	if err == nil && len(rest) > 0 {
		err = fmt.Errorf("%w: %d bytes stand behind it", ErrForm, len(rest))
	}
	if err != nil {
		return stream.Record{}, err
	}
	return r, nil
}

// CutForm returns the record of the canonical form that bytes begin with, as [ParseForm] does, and what stands behind it.
func CutForm(b []byte) (r stream.Record, rest []byte, err error) {
	begin, ok := strings.CutPrefix(string(b[:min(len(b), len(Form))]), Form)
	if !ok || begin != "" {
		return r, nil, fmt.Errorf("%w: want %q, and at most %d bytes", ErrForm, Form, MaxForm)
	}
	f := form{b: b[len(Form):]}
	copy(r.ID[:], f.next(uint64(len(r.ID))))
	r.Stream = string(f.text(stream.MaxName))
	r.Revision = stream.Revision(f.number())
	r.Type = string(f.text(stream.MaxName))
	r.At = instant.Time(f.number())
	r.RecordedAt = instant.Time(f.number())
	r.Data = f.text(stream.MaxData)
	r.Meta = f.text(stream.MaxData)
	if f.failed || r.Revision < 0 {
		return stream.Record{}, nil, fmt.Errorf("%w: its %d bytes are not one record", ErrForm, len(b))
	}
	return r, f.b, nil
}

// form is what is still to be read of one.
type form struct {
	b      []byte
	failed bool
}

func (f *form) next(n uint64) []byte {
	if f.failed || n > uint64(len(f.b)) {
		f.failed = true
		return nil
	}
	var b []byte
	b, f.b = f.b[:n:n], f.b[n:]
	return b
}

// number reads one of 63 bits, or of a time before 1970.
func (f *form) number() int64 {
	b := f.next(8)
	if b == nil {
		return 0
	}
	return int64(binary.BigEndian.Uint64(b))
}

func (f *form) text(most int) []byte {
	n := f.number()
	if n < 0 || n > int64(most) {
		f.failed = true
		return nil
	}
	return f.next(uint64(n))
}
