// Package dump writes every figure of the read models for an auditor, and compares.
//
// A dump is a JSON object a line, sorted by its first field, which is the stream. The first
// line is of "$views": the position, the settling period that deadlines depend on, and the
// sums. Two dumps of one position are the same, byte for byte, so that a [Difference] is a
// figure on which somebody is wrong. Which lines there are is left to the caller.
package dump

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"iter"

	"sandglass/domain/instant"
	"sandglass/domain/stream"
)

// Lines are those of a dump: streams, in their order, with their lines, each valid until
// the next.
type Lines = iter.Seq2[string, []byte]

// headStream stands before all streams, and can be none: no name has a '$'.
const headStream = "$views"

// Head is what the first line tells of how to make the same dump: from the log up to
// Position, with resources that are debited every SettleEvery.
type Head struct {
	Position    stream.Position `json:"position"`
	SettleEvery instant.Millis  `json:"settle_every_ms"`
}

// ReadHead reads the first line of a dump.
func ReadHead(line []byte) (h Head, err error) {
	name, err := lineStream(line)
	switch {
	case err != nil:
		return h, err
	case name != headStream:
		return h, fmt.Errorf("dump: the first line is of %q, not of %q", name, headStream)
	}
	if err := json.Unmarshal(line, &h); err != nil {
		return h, fmt.Errorf("dump: the first line: %w", err)
	}
	return h, nil
}

// Write writes a dump.
func Write(w io.Writer, lines Lines) error {
	b := bufio.NewWriterSize(w, 64<<10)
	for _, line := range lines {
		if _, err := b.Write(append(line, '\n')); err != nil {
			return err
		}
	}
	return b.Flush()
}
