package ndjson

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"sandglass/adapters/httpapi/wire"
	"sandglass/domain/instant"
	"sandglass/domain/stream"
)

// slow reads a line whichever way it is written.
func slow(r *stream.Record, line []byte) error {
	var e wire.Event
	if err := json.Unmarshal(line, &e); err != nil {
		return err
	}
	if err := once(line); err != nil {
		return err
	}
	rec, err := Record(&e)
	*r = rec
	return err
}

// once returns an error if an object has a key twice, be it in other letters: of two, one reader takes the one and
// the next the other, and only one of them is hashed.
func once(line []byte) error {
	d := json.NewDecoder(bytes.NewReader(line))
	_, err := d.Token()
	for seen := map[string]bool{}; err == nil && d.More(); {
		var value json.RawMessage
		key, failed := d.Token()
		name, _ := key.(string)
		if seen[name] || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz_") != "" {
			return fmt.Errorf("the key %.100q stands there twice, or is none of an event's", name)
		}
		seen[name] = true
		err = errors.Join(failed, d.Decode(&value))
	}
	return err
}

// Record returns an event of the API as a record.
func Record(e *wire.Event) (stream.Record, error) {
	r := stream.Record{
		Event:    stream.Event{Type: e.Type, At: e.At, Data: e.Data, Meta: e.Meta},
		Stream:   e.Stream,
		Revision: stream.Revision(e.Revision),
		Position: stream.Position(e.Position), RecordedAt: e.RecordedAt,
	}
	id, err := hex.DecodeString(strings.ReplaceAll(e.ID, "-", ""))
	if err != nil || len(id) != len(r.ID) {
		return r, fmt.Errorf("position %d: %q is not the id of an event", e.Position, e.ID)
	}
	r.ID = stream.EventID(id)
	return r, nil
}

// cursor reads a line from its begin on. Once something is not as expected, ok is false.
type cursor struct {
	b  []byte
	ok bool
}

// fast reads a line that is written as "events" and the API write it, and reports whether it is.
// Its record refers to the line.
func fast(r *stream.Record, line []byte) bool {
	c := cursor{line, true}
	r.Position = stream.Position(c.number(`{"position":`))
	r.Stream = c.text(`,"stream":"`)
	r.Revision = stream.Revision(c.number(`,"revision":`))
	c.id(r.ID[:])
	r.Type = c.text(`,"type":"`)
	r.At = c.time(`,"at":"`)
	r.RecordedAt = c.time(`,"recorded_at":"`)
	r.Data = c.object(`,"data":`)
	r.Meta = nil
	if len(c.b) > 1 {
		r.Meta = c.object(`,"meta":`)
	}
	return c.ok && string(c.b) == "}"
}

// skip goes over what has to stand here.
func (c *cursor) skip(key string) bool {
	if !c.ok || len(c.b) < len(key) || string(c.b[:len(key)]) != key {
		c.ok = false
		return false
	}
	c.b = c.b[len(key):]
	return true
}

// number reads a number of up to 18 digits as JSON writes it.
func (c *cursor) number(key string) (n int64) {
	if !c.skip(key) {
		return 0
	}
	i := 0
	for ; i < len(c.b) && i < 19 && c.b[i] >= '0' && c.b[i] <= '9'; i++ {
		n = n*10 + int64(c.b[i]-'0')
	}
	if i == 0 || i == 19 || i > 1 && c.b[0] == '0' {
		c.ok = false
		return 0
	}
	c.b = c.b[i:]
	return n
}

// raw reads up to the next quote, whatever that is.
func (c *cursor) raw(key string) []byte {
	if !c.skip(key) {
		return nil
	}
	end := bytes.IndexByte(c.b, '"')
	if end < 0 {
		c.ok = false
		return nil
	}
	text := c.b[:end]
	c.b = c.b[end+1:]
	return text
}

// plain reads a text of what needs no escape, up to its quote.
func (c *cursor) plain(key string) []byte {
	text := c.raw(key)
	for _, b := range text {
		if b < ' ' || b > '~' || b == '\\' {
			c.ok = false
			return nil
		}
	}
	return text
}

func (c *cursor) text(key string) string { return string(c.plain(key)) }

func (c *cursor) time(key string) instant.Time {
	t, err := instant.Parse(c.raw(key))
	c.ok = c.ok && err == nil
	return t
}

// id reads a UUID.
func (c *cursor) id(into []byte) {
	text := c.raw(`,"id":"`)
	if len(text) != 36 || text[8] != '-' || text[13] != '-' || text[18] != '-' || text[23] != '-' {
		c.ok = false
		return
	}
	var digits [32]byte
	at := copy(digits[:], text[:8])
	for _, from := range []int{9, 14, 19} {
		at += copy(digits[at:], text[from:from+4])
	}
	copy(digits[at:], text[24:])
	if _, err := hex.Decode(into, digits[:]); err != nil {
		c.ok = false
	}
}

// object reads an object, byte by byte as it stands there.
func (c *cursor) object(key string) []byte {
	if !c.skip(key) || len(c.b) == 0 || c.b[0] != '{' {
		c.ok = false
		return nil
	}
	depth := 0
	for i := 0; i < len(c.b); i++ {
		switch c.b[i] {
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				object := c.b[: i+1 : i+1]
				c.b = c.b[i+1:]
				return object
			}
		case '"':
			end := quote(c.b[i+1:])
			if end < 0 {
				c.ok = false
				return nil
			}
			i += end + 1
		}
	}
	c.ok = false
	return nil
}

// quote returns where a text ends: at the first quote that no backslash is before.
func quote(b []byte) int {
	for from := 0; ; {
		end := bytes.IndexByte(b[from:], '"')
		if end < 0 {
			return -1
		}
		end += from
		slashes := 0
		for slashes < end && b[end-1-slashes] == '\\' {
			slashes++
		}
		if slashes%2 == 0 {
			return end
		}
		from = end + 1
	}
}
