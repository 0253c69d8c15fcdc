package show_test

import (
	"strings"
	"testing"

	"sandglass/cmd/sandglass/show"
)

func TestTable(t *testing.T) {
	var b strings.Builder
	if err := show.Table(&b, "WHAT\tFIELD", []string{show.Cells("web-1", ""), show.Cells("a", show.Short("b\tc"))}); err != nil {
		t.Fatal(err)
	}
	if want := "WHAT   FIELD\nweb-1  -\na      b c\n"; b.String() != want {
		t.Errorf("got\n%s", b.String())
	}
}

func TestFacts(t *testing.T) {
	var b strings.Builder
	if err := show.Facts(&b, "resource", "web-1", "host", "", "plan", "small"); err != nil {
		t.Fatal(err)
	}
	if want := "resource  web-1\nplan      small\n"; b.String() != want {
		t.Errorf("got\n%s", b.String())
	}
}

func TestShort(t *testing.T) {
	long := strings.Repeat("ö", 61)
	if got := show.Short(long); got != strings.Repeat("ö", 59)+"…" {
		t.Errorf("got %q", got)
	}
	if got := show.Short(long[2:]); got != long[2:] {
		t.Errorf("got %q", got)
	}
}

// Elsewhere than at a terminal progress is lines, and no line is drawn anew.
func TestProgress(t *testing.T) {
	var b strings.Builder
	p := show.NewProgress(&b)
	p.Draw("%d events", 1)
	p.Log("%d events", 2)
	p.Done()
	if b.String() != "sandglass: 2 events\n" {
		t.Errorf("got %q", b.String())
	}
}
