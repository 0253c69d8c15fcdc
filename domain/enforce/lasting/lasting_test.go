package lasting_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"sandglass/domain/enforce"
	"sandglass/domain/enforce/lasting"
)

type times = []enforce.Boottime

// TestSigns come back as they were left, of the latest boots alone.
func TestSigns(t *testing.T) {
	var s lasting.Signs
	for n := range 12 {
		for at := range 3 {
			s.Set(lasting.Boot{ID: fmt.Sprint("b", n), At: enforce.Boottime(100*n + at + 1), Down: map[string]times{"web-1": {1, 1}}})
		}
	}
	b, err := s.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	back, err := lasting.Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	for n := range 12 {
		boot, ok := back.Of(fmt.Sprint("b", n))
		if want := n >= 12-lasting.MaxBoots; ok != want || ok && (boot.At != enforce.Boottime(100*n+3) || len(boot.Down) != 1) {
			t.Errorf("of boot %d: %+v, %t", n, boot, ok)
		}
	}
}

func TestDamagedSigns(t *testing.T) {
	const good = `{"version": 1, "boots": [{"boot": "b", "at": 9, "down": {"web-1": [3, 9]}}]}`
	if _, err := lasting.Parse([]byte(good)); err != nil {
		t.Fatal(err)
	}
	for _, change := range [][2]string{
		{"}]}", ""}, {`"version": 1`, `"version": 2`}, {`"b"`, `""`}, {`"at": 9`, `"at": 0`}, {`"at": 9`, `"at": 8`},
		{"web-1", "../x"}, {"3, 9", "9, 3"}, {"3, 9", "-1, 9"},
		{"3, 9", strings.Repeat("3, ", enforce.MaxOutages) + "9"},
		{`[{`, `[` + strings.Repeat(`{"boot": "a", "at": 1}, `, lasting.MaxBoots) + `{`},
	} {
		bad := strings.Replace(good, change[0], change[1], 1)
		if _, err := lasting.Parse([]byte(bad)); !errors.Is(err, enforce.ErrDamaged) {
			t.Errorf("%.200s is read: %v", bad, err)
		}
	}
}

func TestHeard(t *testing.T) {
	h := lasting.Heard{Boot: "b", At: 77}
	b, err := h.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	if got := lasting.HeardIn(b, "b"); got != 77 {
		t.Errorf("it was heard until %d", got)
	}
	for text, boot := range map[string]string{string(b): "c", "": "b", `{"version":2,"boot":"b","at":77}`: "b"} {
		if got := lasting.HeardIn([]byte(text), boot); got != 0 {
			t.Errorf("%q is heard until %d in %s", text, got, boot)
		}
	}
}

// TestOutages are those after what was heard, and not those that were too short.
func TestOutages(t *testing.T) {
	o := lasting.NewOutages("b")
	note := func(id string, outages ...enforce.Outage) {
		o.Note(&enforce.Is{ID: id, Boot: "b", State: enforce.Up, Outages: outages})
	}
	since := func(heard, until enforce.Boottime, want map[string]times) {
		t.Helper()
		if got := o.Since(heard, until); !maps.EqualFunc(got, want, slices.Equal) {
			t.Errorf("heard %d, by %d: %v, want %v", heard, until, got, want)
		}
	}
	o.Note(&enforce.Is{ID: "old", Boot: "a", Outages: []enforce.Outage{{From: 1}}})
	note("web-1", enforce.Outage{From: 1_000, To: 20_000}, enforce.Outage{From: 50_000})
	note("web-2", enforce.Outage{From: 2_000, To: 3_000})
	note("web-3", enforce.Outage{From: 60_000})
	since(0, 99_000, map[string]times{"web-1": {1_000, 50_000}, "web-3": {60_000}})
	since(0, 50_000, map[string]times{"web-1": {1_000, 50_000}})
	since(1_000, 99_000, map[string]times{"web-1": {50_000}, "web-3": {60_000}})
	note("web-1", enforce.Outage{From: 1_000, To: 20_000}, enforce.Outage{From: 50_000, To: 51_000})
	o.Forget("web-3")
	since(0, 99_000, map[string]times{}) // what was heard once is not said again
}
