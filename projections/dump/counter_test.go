package dump_test

import (
	"io"
	"strings"
	"testing"

	"sandglass/projections/dump"
)

func TestFigureCounter(t *testing.T) {
	const lines = `{"stream":"a:b","x":1,"y":"{\"z\":2}\\"}` + "\n" + `{"stream":"c","x":1}` + "\n"
	for _, end := range []string{"", "\n", " \r\n\n"} {
		c := &dump.FigureCounter{Dump: strings.NewReader(lines + end)}
		if _, err := io.Copy(io.Discard, c); err != nil || c.Figures != 3 {
			t.Errorf("with %q at the end: counted %d, %v", end, c.Figures, err)
		}
	}
}
