package checkpoint

import (
	"bytes"
	"fmt"
	"math"

	"sandglass/domain/instant"
)

// Mark stands in a [Store] that was put back, before its latest checkpoint: the log may be an older one than
// it was, of which later checkpoints were signed than the store knows. It goes where the store's checkpoint
// goes, and is no checkpoint to builds that do not know it.
type Mark struct {
	Events int64 // that the log had when it was put back
	At     instant.Time
}

// markLine is the first line of what is marked: no origin has spaces.
const markLine = "put back with %d events at %s"

// Note returns what a [Store] keeps: the mark, and the checkpoint that it had; nil if it had none.
func (m Mark) Note(own []byte) []byte {
	line := fmt.Appendf(nil, markLine+"\n", m.Events, m.At)
	if len(line)+len(own) > MaxNote {
		own = nil // it is none of this build's
	}
	return append(line, own...)
}

// Marked returns the checkpoint that a [Store] keeps, nil if it has none, and the mark before it if there is one.
func Marked(note []byte) (own []byte, m Mark, marked bool) {
	line, own, ok := bytes.Cut(note, []byte("\n"))
	if !ok || !bytes.HasPrefix(line, []byte("put back ")) {
		return note, m, false
	}
	var at string
	if n, _ := fmt.Sscanf(string(line), markLine, &m.Events, &at); n == 2 {
		m.At, _ = instant.Parse(at)
	} else {
		m.Events = math.MaxInt64 // it is damaged: nothing was said since
	}
	if len(own) == 0 {
		own = nil
	}
	return own, m, true
}
