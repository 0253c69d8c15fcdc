package dump

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
)

// MaxDifferences is how many differences are told: dumps that differ in more have no
// use for a list.
const MaxDifferences = 1000

// maxLine is how long a line of a dump may be: thousands of lots.
const maxLine = 64 << 20

// Difference is a figure on which two dumps do not agree. What only one of them has is
// empty in the other. Values are JSON, as [Write] writes them.
type Difference struct {
	Stream string // or "$views" for the sums
	Field  string // "" for a line that is missing as a whole
	Ours   string
	Theirs string
}

// String returns the difference as a line for people.
func (d Difference) String() string {
	return fmt.Sprintf("%s %s: %s here, %s there", d.Stream, d.Field, d.Ours, d.Theirs)
}

// Compare returns where two dumps differ, up to [MaxDifferences].
func Compare(ours, theirs Lines) []Difference {
	diffs, _ := compare(ours, theirs) // lines of our own have no error to give
	return diffs
}

// Verify compares our lines with a dump of somebody who is not trusted: what is not a dump
// is an error. Both must be of one position, and settle alike, as [ReadHead] tells.
func Verify(ours Lines, theirs io.Reader) ([]Difference, error) {
	var failed error
	diffs, err := compare(ours, readLines(theirs, &failed))
	if err = errors.Join(failed, err); err != nil {
		return nil, err
	}
	return diffs, nil
}

// compare merges two sequences of lines, each sorted by stream.
func compare(ours, theirs Lines) (diffs []Difference, err error) {
	nextOurs, stopOurs := iter.Pull2(ours)
	defer stopOurs()
	nextTheirs, stopTheirs := iter.Pull2(theirs)
	defer stopTheirs()
	a, lineA, okA := nextOurs()
	b, lineB, okB := nextTheirs()
	for (okA || okB) && len(diffs) < MaxDifferences && err == nil {
		switch {
		case !okB || okA && a < b:
			diffs = append(diffs, Difference{Stream: a, Ours: string(lineA)})
			a, lineA, okA = nextOurs()
			continue
		case !okA || b < a:
			diffs = append(diffs, Difference{Stream: b, Theirs: string(lineB)})
			b, lineB, okB = nextTheirs()
			continue
		case !bytes.Equal(lineA, lineB):
			var fields []Difference
			fields, err = diffFields(a, lineA, lineB)
			diffs = append(diffs, fields...)
		}
		a, lineA, okA = nextOurs()
		b, lineB, okB = nextTheirs()
	}
	return diffs[:min(len(diffs), MaxDifferences)], err
}

// diffFields compares two lines of one stream, field by field, in the order of names.
func diffFields(stream string, ours, theirs []byte) (diffs []Difference, err error) {
	var a, b map[string]json.RawMessage
	if err := errors.Join(json.Unmarshal(ours, &a), json.Unmarshal(theirs, &b)); err != nil {
		return nil, fmt.Errorf("dump: the line of %s: %w", stream, err)
	}
	names := make([]string, 0, len(a))
	for name := range a {
		names = append(names, name)
	}
	for name := range b {
		if _, both := a[name]; !both {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		if !bytes.Equal(a[name], b[name]) {
			diffs = append(diffs, Difference{stream, name, string(a[name]), string(b[name])})
		}
	}
	return diffs, nil
}

// readLines yields the lines of a dump. It ends at an error, which it leaves in failed.
func readLines(r io.Reader, failed *error) Lines {
	return func(yield func(string, []byte) bool) {
		s := bufio.NewScanner(r)
		s.Buffer(make([]byte, 64<<10), maxLine)
		last, blank := "", false
		for s.Scan() {
			if len(bytes.TrimSpace(s.Bytes())) == 0 {
				blank = true // at the end, as an editor may leave one
				continue
			}
			stream, err := lineStream(s.Bytes())
			if err == nil && blank {
				err = fmt.Errorf("dump: there is a blank line before the line of %q", stream)
			}
			if err == nil && stream <= last {
				err = fmt.Errorf("dump: the line of %q does not come after %q", stream, last)
			}
			if err != nil {
				*failed = err
				return
			}
			if last = stream; !yield(stream, s.Bytes()) {
				return
			}
		}
		if err := s.Err(); err != nil {
			*failed = fmt.Errorf("dump: reading: %w", err)
		}
	}
}

// lineStream returns the stream that a line is about. Names hold nothing to escape.
func lineStream(line []byte) (string, error) {
	const begin = `{"stream":"`
	rest, ok := strings.CutPrefix(string(line[:min(len(line), len(begin)+300)]), begin)
	name, _, end := strings.Cut(rest, `"`)
	if !ok || !end {
		return "", fmt.Errorf("dump: %.40q is not a line of a dump", line)
	}
	return name, nil
}
