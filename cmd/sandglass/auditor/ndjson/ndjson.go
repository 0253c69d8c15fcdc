// Package ndjson reads a log that was written as lines of JSON, as fast as it can be hashed: in
// [pieces], which are decoded beside each other.
package ndjson

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"

	"sandglass/domain/pieces"
	"sandglass/domain/stream"
)

const (
	piece   = 256 << 10          // how many bytes are read at once
	maxLine = 4 * stream.MaxData // a line may be longer
	most    = 16                 // buffers that are kept
)

// Log yields the records of lines. Empty lines are none: a log that was followed has them as
// signs of life.
func Log(r io.Reader) pieces.Log {
	return func(yield func(pieces.Piece, error) bool) {
		free := make(chan []byte, most)
		var rest []byte // of a line that is not whole yet
		for end := false; !end; {
			buf := room(free, len(rest)+piece)
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
			rest = bytes.Clone(rest) // of what is used again
			if !yield(decoded(lines, free), nil) {
				return
			}
		}
	}
}

// room returns a buffer of so many bytes.
func room(free <-chan []byte, n int) []byte {
	select {
	case b := <-free:
		return slices.Grow(b[:0], n)[:n]
	default:
		return make([]byte, n)
	}
}

// decoded returns the piece of whole lines, which stay with its page. What that had before is free.
func decoded(lines []byte, free chan<- []byte) pieces.Piece {
	return func(p *stream.Page) (err error) {
		select {
		case free <- p.Bytes:
		default:
		}
		p.Bytes = lines
		if p.Records, err = decode(p.Records[:0], lines); err != nil {
			return &pieces.UnreadError{Err: err}
		}
		return nil
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
