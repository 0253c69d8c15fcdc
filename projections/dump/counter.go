package dump

import "io"

// FigureCounter counts the figures of a dump that is read through it: the values, but for
// each line's stream.
type FigureCounter struct {
	Dump    io.Reader
	Figures int64 // of what was read so far

	inText, escape bool
	inLine         bool // something stood in the line so far
}

// Read implements [io.Reader].
func (f *FigureCounter) Read(p []byte) (int, error) {
	n, err := f.Dump.Read(p)
	for _, b := range p[:n] {
		switch {
		case f.escape:
			f.escape = false
		case f.inText && b == '\\':
			f.escape = true
		case b == '"':
			f.inText = !f.inText
		case b == ':' && !f.inText:
			f.Figures++
		case b == '\n' && f.inLine:
			f.Figures--
		}
		f.inLine = b != '\n' && (f.inLine || b > ' ')
	}
	return n, err
}
