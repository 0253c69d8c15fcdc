package payer

import (
	"strings"
	"testing"

	"sandglass/adapters/httpapi/wire"
	"sandglass/domain/instant"

	"github.com/google/go-cmp/cmp"
)

func TestCountLine(t *testing.T) {
	r := &wire.Resource{ID: "web-1", Status: "running", Remaining: instant.Hour, Lots: []wire.Lot{
		{Time: 5 * instant.Hour}, {Time: 2 * instant.Hour, Left: instant.Hour},
	}}
	for _, c := range []struct {
		passed instant.Millis
		width  int
		want   string
	}{
		{0, 39, "web-1  running     01:00:00  █████·····"},
		{instant.Hour / 2, 39, "web-1  running     00:30:00  ██▌·······"},
		{2 * instant.Hour, 39, "web-1  running     00:00:00  ··········"},
		{0, 10, "web-1  running     01:00:00  "},
	} {
		if got := countLine(r, c.passed, c.width); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
	r.Status = "paused"
	if got := countLine(r, instant.Hour, 10); !strings.Contains(got, "01:00:00") {
		t.Errorf("a paused clock runs: %q", got)
	}
	if got := clock(25*instant.Hour + 999); got != "1d 01:00:00" {
		t.Errorf("got %q", got)
	}
}

func TestBar(t *testing.T) {
	for part := range instant.Millis(200) {
		for _, whole := range []instant.Millis{1, 7, 100, 199} {
			if got := bar(part, whole, 10); len([]rune(got)) != 10 {
				t.Fatalf("%d of %d is %q", part, whole, got)
			}
		}
	}
}

func TestNews(t *testing.T) {
	before := &wire.Resource{ID: "web-1", Status: "awaiting"}
	paid := wire.Lot{Payment: "ln-1", Amount: 7_200_000, Time: 2 * instant.Hour}
	running := &wire.Resource{ID: "web-1", Status: "running", Remaining: 2 * instant.Hour, Lots: []wire.Lot{paid}}
	moved := &wire.Resource{
		ID: "web-1", Host: "rack-2", Status: "running", Remaining: 2 * instant.Hour, Lots: []wire.Lot{paid},
	}
	granted := &wire.Resource{
		ID: "web-1", Status: "running", Lots: []wire.Lot{paid, {Grant: "g", Time: instant.Hour}}, Warned: true, Debt: 5,
	}
	for _, c := range []struct {
		before, now *wire.Resource
		want        []string
	}{
		{nil, before, []string{"web-1 is awaiting, 0s left"}},
		{before, running, []string{"paid 7,200 sat, which bought 2h", "running, 2h left"}},
		{running, running, nil},
		{running, moved, []string{"it belongs to host rack-2 now", "running, 2h left"}},
		{running, granted, []string{
			"granted 1h", "a payment was taken back: 5 msat are owed", "warning: little is left", "running, 0s left",
		}},
	} {
		if diff := cmp.Diff(c.want, news(c.before, c.now)); diff != "" {
			t.Error(diff)
		}
	}
}
