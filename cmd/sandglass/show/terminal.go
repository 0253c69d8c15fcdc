package show

import (
	"fmt"
	"io"
	"os"

	"golang.org/x/term"
)

// ClearLine begins a terminal's line anew.
const ClearLine = "\r\x1b[K"

// IsTerminal reports whether a person sees what is written to w.
func IsTerminal(w any) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// Width returns how many columns a terminal has.
func Width(w any) int {
	if f, ok := w.(*os.File); ok {
		if n, _, err := term.GetSize(int(f.Fd())); err == nil && n > 0 {
			return n
		}
	}
	return 80
}

// Progress tells how far something is: to a person at a terminal on one line, which is
// drawn anew; elsewhere in lines, which should be far more seldom.
type Progress struct {
	w        io.Writer
	terminal bool
}

// NewProgress returns what tells it on w.
func NewProgress(w io.Writer) Progress { return Progress{w, IsTerminal(w)} }

// Draw draws the line of a terminal.
func (p Progress) Draw(format string, args ...any) {
	if p.terminal {
		fmt.Fprintf(p.w, ClearLine+format, args...)
	}
}

// Log writes a line where there is no terminal.
func (p Progress) Log(format string, args ...any) {
	if !p.terminal {
		fmt.Fprintf(p.w, "sandglass: "+format+"\n", args...)
	}
}

// Done clears the line of a terminal.
func (p Progress) Done() { p.Draw("") }
