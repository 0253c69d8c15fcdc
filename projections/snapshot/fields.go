package snapshot

import (
	"encoding/binary"
	"errors"
)

// Fields is one pass over a snapshot, either writing or reading it.
type Fields struct {
	buf     []byte // of the present frame: written so far, or still to be read
	reading bool
	left    int64 // reading: how long all frames are, which nothing in them can exceed
	err     error // reading: the first that was met

	// frame is called where a frame may end: writing ends one that is long enough, reading
	// goes on to the next at its end.
	frame func() error

	// Keep, if it is not nil, makes the strings that are read. The bytes are not its own.
	Keep func([]byte) string
}

var (
	errFrame  = errors.New("a frame is not as it should be")
	errRecord = errors.New("a record ends too soon, or makes no sense")
)

// Reading reports whether f reads, rather than writes.
func (f *Fields) Reading() bool { return f.reading }

// Refuse says of the record that is being read that it makes no sense.
func (f *Fields) Refuse() {
	if f.err == nil {
		f.err = errRecord
	}
}

// Count passes how many records there are in a part, which [Fields.Each] passes next.
// A record has at least one byte.
func (f *Fields) Count(n int) int {
	f.more()
	return f.length(n, f.left)
}

// Each passes n records. Frames end only between records.
func (f *Fields) Each(n int, pass func(i int)) {
	for i := range n {
		if f.more(); f.err != nil {
			return
		}
		pass(i)
	}
}

func (f *Fields) more() {
	if f.err == nil {
		f.err = f.frame()
	}
}

// Len passes how many things follow in a record, of at least one byte each.
func (f *Fields) Len(n int) int { return f.length(n, int64(len(f.buf))) }

func (f *Fields) length(n int, most int64) int {
	x := int64(n)
	Int(f, &x)
	if f.reading && (x < 0 || x > most) {
		f.Refuse()
		return 0
	}
	return int(x)
}

// Int passes an integer: a zigzag varint.
func Int[T ~int64 | ~int32 | ~uint64 | ~uint8](f *Fields, v *T) {
	if !f.reading {
		f.buf = binary.AppendVarint(f.buf, int64(*v))
		return
	}
	x, n := binary.Varint(f.buf)
	if n <= 0 {
		f.Refuse()
		f.buf, x, n = nil, 0, 0
	}
	*v, f.buf = T(x), f.buf[n:]
}

// Bool passes a truth. Only reading writes to v: what is written is shared with readers.
func Bool(f *Fields, v *bool) {
	var x uint8
	if *v {
		x = 1
	}
	if Int(f, &x); f.reading {
		*v = x == 1
	}
}

// Bytes passes bytes of a known length.
func Bytes(f *Fields, b []byte) {
	switch {
	case !f.reading:
		f.buf = append(f.buf, b...)
	case len(f.buf) < len(b):
		f.Refuse()
	default:
		f.buf = f.buf[copy(b, f.buf):]
	}
}

// String passes a text.
func String[T ~string](f *Fields, s *T) {
	n := f.Len(len(*s))
	switch {
	case !f.reading:
		f.buf = append(f.buf, *s...)
		return
	case f.Keep != nil:
		*s = T(f.Keep(f.buf[:n]))
	default:
		*s = T(f.buf[:n])
	}
	f.buf = f.buf[n:]
}
