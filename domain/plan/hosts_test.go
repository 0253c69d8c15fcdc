package plan_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"sandglass/domain/plan"
	"sandglass/domain/stream"
	"sandglass/testutil/given"
)

func TestHosts(t *testing.T) {
	var many []string
	for i := range plan.MaxHosts + 1 {
		many = append(many, fmt.Sprintf("%s%02d", strings.Repeat("x", 62), i))
	}
	for _, x := range []struct {
		names []string
		want  plan.Hosts
	}{
		{nil, ""},
		{[]string{"a"}, "a"},
		{[]string{"b", "a", "rack-7"}, "a,b,rack-7"},
		{[]string{"b", "a", "b"}, "a,b"},
		{many[1:], plan.Hosts(strings.Join(many[1:], ","))},
	} {
		given := slices.Clone(x.names)
		h := plan.HostsOf(x.names...)
		if h != x.want || h.Check() != nil || plan.HostsOf(h.Names()...) != h || !slices.Equal(given, x.names) {
			t.Errorf("%q gives %q, %v", x.names, h, h.Check())
		}
		for _, name := range x.names {
			if !h.Allow(name) {
				t.Errorf("%q does not allow %q", h, name)
			}
		}
		if h.Allow("elsewhere") != (h == "") {
			t.Errorf("%q allows elsewhere: %v", h, h.Allow("elsewhere"))
		}
	}
	for _, h := range []plan.Hosts{"b,a", "a,a", ",", "a,", ",a", "a,,b", "A", "a b", plan.HostsOf(many...)} {
		if err := h.Check(); !errors.Is(err, plan.ErrInvalid) || strings.Contains(err.Error(), "%!") {
			t.Errorf("%q: %v", h, err)
		}
		p := small(0)
		p.Hosts = h
		if err := p.Check(); !errors.Is(err, plan.ErrInvalid) {
			t.Errorf("a plan on %q: %v", h, err)
		}
	}
}

// The fields that came later than the golden file are read as they were written.
func TestLaterFields(t *testing.T) {
	p := small(0)
	p.Hosts, p.Large = plan.HostsOf("b", "a"), plan.ConfirmationRule{Above: 5, Confirmations: 6}
	p.Terms.Uptime, p.Terms.StartWithin, p.Terms.MaxOutage, p.Terms.MaxPause = true, 1, 2, 3
	p.Capacity, p.Params = 4, "image:choice=a,b ssh_key:required:max=800"
	e := stream.Encode(p)
	const end = `"title":"Kleine Maschine, 1 Kern","deep_above_msat":5,"deep_confirmations":6,"hosts":"a,b",` +
		`"by_uptime":true,"start_within_ms":1,"max_outage_ms":2,"max_pause_ms":3,` +
		`"capacity":4,"params":"image:choice=a,b ssh_key:required:max=800"}`
	if !strings.HasSuffix(string(e.Data), end) {
		t.Errorf("it is written as %s", e.Data)
	}
	if got, err := plan.Decode(&stream.Record{Event: e}); err != nil || *got.(*plan.Published) != *p {
		t.Errorf("it is read as %+v, %v", got, err)
	}
	moved := *p
	moved.Hosts = "a"
	s := given.Of(plan.Aggregate(), "small").Fold(p)
	for again, n := range map[*plan.Published]int{p: 0, &moved: 1} {
		got, err := plan.Decide(s, plan.Publish{At: again.At.At, Offer: again.Offer})
		if len(got) != n || err != nil {
			t.Errorf("published again on %s: %d events, %v", again.Hosts, len(got), err)
		}
	}
}
