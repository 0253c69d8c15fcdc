package show

import (
	"bytes"
	"fmt"
	"io"
	"strconv"
	"strings"

	"sandglass/domain/plan"
)

// Escape returns s as it can be shown at a terminal, on one line: whatever would steer the
// terminal is written as Go does, such as \x1b. Old logs hold such titles, and a daemon is not
// always one's own.
func Escape(s string) string {
	if !strings.ContainsFunc(s, plan.IsControl) {
		return strings.ToValidUTF8(s, "\uFFFD")
	}
	var b strings.Builder
	for _, r := range s {
		if plan.IsControl(r) {
			b.WriteString(strings.Trim(strconv.QuoteRuneToASCII(r), "'"))
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// EscapeLines is [Escape] for a text that may have several lines.
func EscapeLines(s string) string {
	lines := strings.Split(s, "\n")
	for i := range lines {
		lines[i] = Escape(lines[i])
	}
	return strings.Join(lines, "\n")
}

// jsonWriter returns where JSON is written to, so that it is the same JSON and does not steer
// a terminal. Elsewhere it stays as it is: programs compare the payloads of events, byte for byte.
func jsonWriter(w io.Writer) io.Writer {
	if IsTerminal(w) {
		return escaper{w}
	}
	return w
}

// escaper escapes the control characters that JSON lets pass, which are in its texts alone.
// Each write is a whole document.
type escaper struct{ w io.Writer }

// Write implements [io.Writer].
func (e escaper) Write(p []byte) (int, error) {
	var b bytes.Buffer
	for _, r := range string(p) {
		if r >= ' ' && plan.IsControl(r) {
			fmt.Fprintf(&b, `\u%04x`, r)
		} else {
			b.WriteRune(r)
		}
	}
	if _, err := e.w.Write(b.Bytes()); err != nil {
		return 0, err
	}
	return len(p), nil
}
