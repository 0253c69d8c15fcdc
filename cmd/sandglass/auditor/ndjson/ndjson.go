// Package ndjson reads a log that was written as lines of JSON, as fast as it can be hashed: in
// pieces, which are decoded beside each other.
package ndjson

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"sandglass/domain/proof/verify"
	"sandglass/domain/stream"
)

// piece is how many bytes are read at once; a line may be longer, up to maxLine.
const (
	piece   = 256 << 10
	maxLine = 4 * stream.MaxData
)

// Chunks yields the records of lines. Empty lines are none: a log that was followed has them as
// signs of life.
func Chunks(r io.Reader) verify.Chunks {
	return func(yield func(verify.Chunk, error) bool) {
		var rest []byte // of a line that is not whole yet
		for end := false; !end; {
			buf := make([]byte, len(rest)+piece)
			n, err := io.ReadFull(r, buf[copy(buf, rest):])
			buf = buf[:len(rest)+n]
			switch {
			case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
				end = true
			case err != nil:
				yield(nil, fmt.Errorf("reading the log: %w", err))
				return
			}
			lines := buf
			if rest = nil; !end {
				cut := bytes.LastIndexByte(buf, '\n') + 1
				lines, rest = buf[:cut], buf[cut:]
			}
			if len(rest) > maxLine {
				lines, rest, end = buf, nil, true // no event is that long: it can't be read
			}
			if len(lines) > 0 && !yield(func(room []stream.Record) ([]stream.Record, error) { return decode(room, lines) }, nil) {
				return
			}
		}
	}
}

// decode appends the records of whole lines, up to the first that can't be read.
func decode(recs []stream.Record, lines []byte) ([]stream.Record, error) {
	for len(lines) > 0 {
		line := lines
		if end := bytes.IndexByte(lines, '\n'); end >= 0 {
			line, lines = lines[:end], lines[end+1:]
		} else {
			lines = nil
		}
		recs = append(recs, stream.Record{})
		r := &recs[len(recs)-1]
		if fast(r, line) {
			continue
		}
		if len(bytes.TrimSpace(line)) == 0 {
			recs = recs[:len(recs)-1]
			continue
		}
		if err := slow(r, line); err != nil {
			return recs[:len(recs)-1], err
		}
	}
	return recs, nil
}
