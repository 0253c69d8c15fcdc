package projections_test

import (
	"io"
	"strings"
	"testing"

	"sandglass/projections"
)

func TestFigureCounter(t *testing.T) {
	const dump = `{"stream":"a:b","x":1,"y":"{\"z\":2}\\"}` + "\n" + `{"stream":"c","x":1}` + "\n"
	c := &projections.FigureCounter{Dump: strings.NewReader(dump)}
	if _, err := io.Copy(io.Discard, c); err != nil || c.Figures != 3 {
		t.Errorf("counted %d, %v", c.Figures, err)
	}
}
