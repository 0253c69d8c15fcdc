package httpapi_test

import (
	"slices"
	"strings"
	"testing"

	"sandglass/adapters/httpapi/client"
	"sandglass/adapters/httpapi/wire"
	"sandglass/domain/instant"
)

// TestSeveralHosts publishes a plan on two hosts, orders, lists and moves.
func TestSeveralHosts(t *testing.T) {
	s := open(t, nil)
	c := s.client(operatorToken)
	p, err := c.Publish(t.Context(), wire.PublishRequest{
		Name: "racks", Price: wire.Price{Msat: price, Per: hour}, Min: 1, Max: instant.Day, Grace: hour, Hosts: []string{"b", "a", "b"},
	})
	s.must(err)
	if !slices.Equal(p.Hosts, []string{"a", "b"}) {
		t.Errorf("it is offered on %q", p.Hosts)
	}
	order := func(id, host string) (wire.Order, error) {
		return s.client("").Order(t.Context(), wire.OrderRequest{Plan: "racks", Time: hour, ID: id, Host: host}, key+id)
	}
	for _, x := range []struct{ id, asked, want string }{
		{"web-1", "b", "b"},
		{"web-2", "", "a"},
		{"web-3", "a", "a"},
		{"web-4", "", "b"},
	} {
		o, err := order(x.id, x.asked)
		s.must(err)
		if o.Resource.Host != x.want {
			t.Errorf("%s is on %q, want %q", x.id, o.Resource.Host, x.want)
		}
	}
	if _, err := order("web-5", "c"); client.Code(err) != "wrong_host" || !strings.Contains(err.Error(), "choose one of a, b") {
		t.Errorf("an order on another host: %v", err)
	}
	if _, err := order("web-1", "a"); client.Code(err) != "order_conflict" {
		t.Errorf("the same order on another host: %v", err)
	}
	s.order("alone")
	list := func(f client.Filter) (ids []string) {
		t.Helper()
		page, err := c.Resources(t.Context(), "", 0, f)
		s.must(err)
		for _, r := range page.Resources {
			ids = append(ids, r.ID)
		}
		return ids
	}
	for f, want := range map[client.Filter]string{
		{Host: "a"}: "web-2 web-3", {Host: "b"}: "web-1 web-4", {Host: "c"}: "", {Unplaced: true}: "alone",
		{Host: "a", Status: "awaiting"}: "web-2 web-3", {Host: "a", Status: "running"}: "",
		{Host: "a", Opened: true}: "", {}: "alone web-1 web-2 web-3 web-4",
	} {
		if got := strings.Join(list(f), " "); got != want {
			t.Errorf("%+v lists %q, want %q", f, got, want)
		}
	}
	for _, id := range []string{"web-2", "web-2", "alone"} {
		r, err := c.Move(t.Context(), id, "b")
		s.must(err)
		if r.Host != "b" {
			t.Errorf("moved %s to %q", id, r.Host)
		}
	}
	shown, err := s.client("").Resource(t.Context(), "web-2")
	s.must(err)
	if got := list(client.Filter{Host: "b"}); len(got) != 4 || shown.Host != "b" || len(list(client.Filter{Unplaced: true})) > 0 {
		t.Errorf("on b are %q; shown is %+v", got, shown)
	}
	moves := 0
	for e, err := range c.Events(t.Context(), 0, false) {
		s.must(err)
		if e.Type == "resource.placed.v1" {
			moves++
		}
	}
	if moves != 3 {
		t.Errorf("%d events of placing, want two of what was ordered and then moved, and one for what was on no host", moves)
	}
}
