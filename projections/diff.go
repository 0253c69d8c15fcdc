package projections

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

	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/resource"
	"sandglass/domain/stream"
)

// MaxDifferences is how many differences are told: views that differ in more have no
// use for a list.
const MaxDifferences = 1000

// maxLine is how long a line of a dump may be: thousands of lots.
const maxLine = 64 << 20

// Difference is a figure on which two views do not agree. What only one of them has is
// empty in the other. Values are JSON, as [Views.Dump] writes them.
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

// Diff compares two views figure by figure, and returns up to [MaxDifferences].
func (v *Views) Diff(other *Views) []Difference {
	ours, release := v.image()
	defer release()
	theirs, release2 := other.image()
	defer release2()
	// Lines of an image have no error to give.
	diffs, _ := diff(ours.lines(v.byID().order), theirs.lines(other.byID().order))
	return diffs
}

// DiffDump compares v with what [Views.Dump] of another wrote, which comes from someone
// who is not trusted: what is not a dump is an error. Both must be at one position, and
// settle alike; the dump's first line says how, which [DumpHead] reads.
func (v *Views) DiffDump(r io.Reader) ([]Difference, error) {
	im, release := v.image()
	defer release()
	var failed error
	diffs, err := diff(im.lines(v.byID().order), readLines(r, &failed))
	if err = errors.Join(failed, err); err != nil {
		return nil, err
	}
	return diffs, nil
}

// Head is what the first line of a dump tells of how to make the same one: [New] with
// SettleEvery, and [Replay] up to Position.
type Head struct {
	Position    stream.Position `json:"position"`
	SettleEvery instant.Millis  `json:"settle_every_ms"`
}

// DumpHead reads the first line of a dump.
func DumpHead(line []byte) (h Head, err error) {
	name, err := lineStream(line)
	switch {
	case err != nil:
		return h, err
	case name != headStream:
		return h, fmt.Errorf("projections: a dump begins with %q, not %q", headStream, name)
	}
	if err := json.Unmarshal(line, &h); err != nil {
		return h, fmt.Errorf("projections: a dump's first line: %w", err)
	}
	return h, nil
}

// diff merges two sequences of lines, each sorted by stream.
func diff(ours, theirs iter.Seq2[string, []byte]) (diffs []Difference, err error) {
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
		return nil, fmt.Errorf("projections: a dump's line of %s: %w", stream, err)
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
func readLines(r io.Reader, failed *error) iter.Seq2[string, []byte] {
	return func(yield func(string, []byte) bool) {
		s := bufio.NewScanner(r)
		s.Buffer(make([]byte, 64<<10), maxLine)
		last := ""
		for s.Scan() {
			stream, err := lineStream(s.Bytes())
			if err == nil && stream <= last {
				err = fmt.Errorf("projections: a dump's line of %q does not come after %q", stream, last)
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
			*failed = fmt.Errorf("projections: reading a dump: %w", err)
		}
	}
}

// lineStream returns the stream that a line is about. Names hold nothing to escape.
func lineStream(line []byte) (string, error) {
	const begin = `{"stream":"`
	rest, ok := strings.CutPrefix(string(line[:min(len(line), len(begin)+300)]), begin)
	name, _, end := strings.Cut(rest, `"`)
	if !ok || !end {
		return "", fmt.Errorf("projections: %.40q is not a line of a dump", line)
	}
	return name, nil
}

// Check compares the ledger with the sums over all resources: what their lots hold, what
// they owe, and what was debited. A sound log gives no difference.
func (v *Views) Check() []Difference {
	im, release := v.image()
	defer release()
	var sum Ledger
	var s resource.State
	for i := range im.n {
		im.row(i).unpack(&im.shared, &s)
		sum.Prepaid += s.Balance()
		sum.Receivable += s.Debt
		sum.Income += s.Debited
	}
	var diffs []Difference
	check := func(field string, ours, theirs money.Msat) {
		if ours != theirs {
			diffs = append(diffs, Difference{headStream, field, fmt.Sprint(int64(ours)), fmt.Sprint(int64(theirs))})
		}
	}
	check("prepaid_msat", im.ledger.Prepaid, sum.Prepaid)
	check("receivable_msat", im.ledger.Receivable, sum.Receivable)
	check("income_msat", im.ledger.Income, sum.Income)
	check("trial", im.ledger.Trial(), 0)
	check("unallocated_msat", min(im.ledger.Unallocated, 0), 0)
	return diffs
}
