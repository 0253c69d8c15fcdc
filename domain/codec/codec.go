// Package codec writes and reads the payloads of events: flat JSON objects in one
// canonical form, so that one event is one sequence of bytes.
//
// A payload names its fields once, in a method that serves both directions:
//
//	func (d *Debited) Fields(f *codec.Fields) {
//		codec.Time(f, "from", &d.From)
//		codec.Int(f, "time_ms", &d.Time)
//	}
//
// Canonical means: the fields in that order, no white space, no field twice, none
// that is not known, optional fields left out where they are zero. Reading refuses
// everything else, which also makes it fast: a field is where it is expected.
package codec

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"

	"sandglass/domain/instant"
)

// Fielder is a payload: its pointer's method names its fields in their order.
type Fielder interface{ Fields(f *Fields) }

// Fields is one pass over a payload, either writing or reading it.
type Fields struct {
	buf     []byte // written so far, or still to be read
	reading bool
	first   bool
	err     error
}

// Encode returns v as canonical JSON. A value that can't be written, such as a
// negative amount, is a bug of ours and panics.
func Encode(v Fielder) []byte {
	f := Fields{buf: append(make([]byte, 0, 160), '{'), first: true}
	v.Fields(&f)
	if f.err != nil {
		panic(f.err)
	}
	return append(f.buf, '}')
}

// Decode reads into v what [Encode] wrote, and nothing else. It doesn't keep data.
func Decode(data []byte, v Fielder) error {
	f := Fields{buf: data, reading: true, first: true}
	if !f.skip("{") {
		return fmt.Errorf("codec: %.40q does not begin an object", data)
	}
	v.Fields(&f)
	if f.err == nil && string(f.buf) != "}" {
		f.err = fmt.Errorf("codec: %.40q stands where the object should end", f.buf)
	}
	return f.err
}

// skip passes over s if the rest of the input begins with it.
func (f *Fields) skip(s string) bool {
	if len(f.buf) < len(s) || string(f.buf[:len(s)]) != s {
		return false
	}
	f.buf = f.buf[len(s):]
	return true
}

// key writes the name, or reads it and reports whether it is there.
func (f *Fields) key(name string, optional bool) bool {
	if f.err != nil {
		return false
	}
	if !f.reading {
		if !f.first {
			f.buf = append(f.buf, ',')
		}
		f.first = false
		f.buf = append(append(append(f.buf, '"'), name...), '"', ':')
		return true
	}
	rest := f.buf
	if (f.first || f.skip(",")) && f.skip(`"`) && f.skip(name) && f.skip(`":`) {
		f.first = false
		return true
	}
	f.buf = rest
	if !optional {
		f.fail("%.40q stands where %q should", rest, name)
	}
	return false
}

func (f *Fields) fail(format string, args ...any) {
	if f.err == nil {
		f.err = fmt.Errorf("codec: "+format, args...)
	}
}

// Int is a field that holds an integer from 0 to 2⁶³−1. As with every kind of field only reading
// writes to v: what is written may be shared.
func Int[T ~int64](f *Fields, name string, v *T) {
	if !f.key(name, false) {
		return
	}
	if n := f.int(name, int64(*v)); f.reading {
		*v = T(n)
	}
}

// OptInt is [Int], left out where it is zero.
func OptInt[T ~int64](f *Fields, name string, v *T) {
	if f.reading {
		*v = 0
	}
	if (f.reading || *v != 0) && f.key(name, true) {
		n := f.int(name, int64(*v))
		if f.reading {
			*v = T(n)
		}
		if n == 0 {
			f.fail("%q is zero and yet written", name)
		}
	}
}

func (f *Fields) int(name string, v int64) int64 {
	if !f.reading {
		if v < 0 {
			f.fail("%q is %d: negative", name, v)
		}
		f.buf = strconv.AppendInt(f.buf, v, 10)
		return v
	}
	var n uint64
	i := 0
	for ; i < len(f.buf) && f.buf[i] >= '0' && f.buf[i] <= '9'; i++ {
		if n = n*10 + uint64(f.buf[i]-'0'); n > math.MaxInt64 {
			f.fail("%q does not fit 63 bits", name)
			return 0
		}
	}
	if i == 0 || i > 1 && f.buf[0] == '0' {
		f.fail("%q is %.20q, not a whole number", name, f.buf)
		return 0
	}
	f.buf = f.buf[i:]
	return int64(n)
}

// Bool is a field that is there and true, or left out.
func Bool(f *Fields, name string, v *bool) {
	if f.reading {
		*v = false
	}
	if (f.reading || *v) && f.key(name, true) {
		if !f.reading {
			f.buf = append(f.buf, "true"...)
		} else if *v = f.skip("true"); !*v {
			f.fail("%q is %.20q, not true", name, f.buf)
		}
	}
}

// String is a field that holds a text, UTF-8.
func String[T ~string](f *Fields, name string, v *T) {
	if !f.key(name, false) {
		return
	}
	if text := f.text(name, string(*v)); f.reading {
		*v = T(text)
	}
}

// OptString is [String], left out where it is empty.
func OptString[T ~string](f *Fields, name string, v *T) {
	if f.reading {
		*v = ""
	}
	if (f.reading || *v != "") && f.key(name, true) {
		text := f.text(name, string(*v))
		if f.reading {
			*v = T(text)
		}
		if text == "" {
			f.fail("%q is empty and yet written", name)
		}
	}
}

// text writes v as a JSON string, or reads one. The usual text holds nothing that
// JSON escapes; what does goes through the standard library.
func (f *Fields) text(name, v string) string {
	if !f.reading {
		f.buf = appendString(f.buf, v)
		return v
	}
	if len(f.buf) == 0 || f.buf[0] != '"' {
		f.fail("%q is %.20q, not a text", name, f.buf)
		return ""
	}
	for i := 1; i < len(f.buf); i++ {
		if c := f.buf[i]; c == '"' {
			v, f.buf = string(f.buf[1:i]), f.buf[i+1:]
			return v
		} else if c < ' ' || c == '\\' || c >= 0x7f || escapes(c) {
			return f.escaped(name)
		}
	}
	f.fail("%q is a text without an end", name)
	return ""
}

// escapes reports whether the standard library escapes c for the sake of HTML.
func escapes(c byte) bool { return c == '<' || c == '>' || c == '&' }

// escaped reads the text at the front of the input by the standard library, and
// takes it only in the form in which it would be written.
func (f *Fields) escaped(name string) (v string) {
	d := json.NewDecoder(bytes.NewReader(f.buf))
	if err := d.Decode(&v); err != nil {
		f.fail("%q: %v", name, err)
		return ""
	}
	n := int(d.InputOffset())
	if !bytes.Equal(appendString(nil, v), f.buf[:n]) {
		f.fail("%q is not written canonically", name)
		return ""
	}
	f.buf = f.buf[n:]
	return v
}

// appendString writes s as a JSON string. What is not UTF-8 in it becomes U+FFFD, as
// by the standard library, which then writes that in a second form, as \ufffd, though:
// such an event could not be read again.
func appendString(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == '\\' || c == '"' || c >= 0x7f || escapes(c) {
			quoted, _ := json.Marshal(strings.ToValidUTF8(s, "\ufffd")) // a string always marshals
			return append(b, quoted...)
		}
	}
	return append(append(append(b, '"'), s...), '"')
}

// Time is a field that holds an instant, as RFC 3339 with three decimals.
func Time(f *Fields, name string, v *instant.Time) {
	if f.key(name, false) {
		f.time(name, v)
	}
}

// OptTime is [Time], left out where it is zero.
func OptTime(f *Fields, name string, v *instant.Time) {
	if f.reading {
		*v = 0
	}
	if (f.reading || *v != 0) && f.key(name, true) {
		if f.time(name, v); f.reading && *v == 0 {
			f.fail("%q is zero and yet written", name)
		}
	}
}

func (f *Fields) time(name string, v *instant.Time) {
	if !f.reading {
		if *v < instant.Min || *v > instant.Max {
			f.fail("%q: %w", name, instant.ErrRange)
		}
		f.buf = append(v.AppendText(append(f.buf, '"')), '"')
		return
	}
	const n = len(`"2026-01-02T03:04:05.678Z"`)
	if len(f.buf) < n || f.buf[0] != '"' || f.buf[n-1] != '"' {
		f.fail("%q is %.30q, not a time", name, f.buf)
		return
	}
	t, err := instant.Parse(f.buf[1 : n-1])
	if err != nil {
		f.fail("%q: %w", name, err)
		return
	}
	*v, f.buf = t, f.buf[n:]
}

// OptHex is a field that holds bytes of a known length as lower-case hex, left out
// where all of them are zero.
func OptHex(f *Fields, name string, v []byte) {
	zero := len(bytes.Trim(v, "\x00")) == 0
	if f.reading {
		clear(v)
	}
	if !f.reading && zero || !f.key(name, true) {
		return
	}
	if !f.reading {
		f.buf = append(hex.AppendEncode(append(f.buf, '"'), v), '"')
		return
	}
	n := 2*len(v) + 2
	if len(f.buf) < n || f.buf[0] != '"' || f.buf[n-1] != '"' {
		f.fail("%q is not %d bytes of hex", name, len(v))
		return
	}
	text := f.buf[1 : n-1]
	if _, err := hex.Decode(v, text); err != nil || !bytes.Equal(hex.AppendEncode(nil, v), text) || len(bytes.Trim(v, "\x00")) == 0 {
		f.fail("%q is not %d bytes of lower-case hex", name, len(v))
		return
	}
	f.buf = f.buf[n:]
}
