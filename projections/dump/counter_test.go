package dump_test

import (
	"io"
	"strings"
	"testing"

	"sandglass/projections/dump"
)

func TestFigureCounter(t *testing.T) {
	const lines = `{"stream":"a:b","x":1,"y":"{\"z\":2}\\"}` + "\n" + `{"stream":"c","x":1}` + "\n"
	c := &dump.FigureCounter{Dump: strings.NewReader(lines)}
	if _, err := io.Copy(io.Discard, c); err != nil || c.Figures != 3 {
		t.Errorf("counted %d, %v", c.Figures, err)
	}
}
