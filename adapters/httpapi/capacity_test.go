package httpapi_test

import (
	"net/http"
	"strings"
	"testing"

	"sandglass/adapters/httpapi/client"
	"sandglass/adapters/httpapi/wire"
	"sandglass/domain/instant"
)

// What does not fit is refused and told beforehand; what was opened by hand beyond it is told.
func TestCapacity(t *testing.T) {
	s := open(t, nil)
	c := s.client(operatorToken)
	publish := func(capacity int64) wire.Plan {
		t.Helper()
		p, err := c.Publish(t.Context(), wire.PublishRequest{
			Name: "few", Price: wire.Price{Msat: price, Per: hour}, Min: 1, Max: instant.Day, Grace: hour, Capacity: capacity,
		})
		s.must(err)
		return p
	}
	if p := publish(2); p.Available == nil || *p.Available != 2 || p.Capacity != 2 {
		t.Errorf("published: %+v", p)
	}
	order := func(id string) (wire.Order, error) {
		return c.Order(t.Context(), wire.OrderRequest{Plan: "few", Time: hour, ID: id}, key+id)
	}
	for _, id := range []string{"a", "b"} {
		o, err := order(id)
		s.must(err)
		s.settle(o.Payment.Key, price)
		s.settled("a")
	}
	if _, err := order("c"); client.Code(err) != "no_capacity" {
		t.Errorf("a third: %v", err)
	}
	plans, err := c.Plans(t.Context())
	s.must(err)
	for _, p := range plans {
		if bounded := p.Name == "few"; bounded != (p.Available != nil) || bounded && *p.Available != 0 {
			t.Errorf("%s: %+v", p.Name, p)
		}
	}
	quote := s.send("GET", "/v1/quotes?plan=few&time_ms=3600000", "")
	if quote.status != http.StatusOK || !strings.Contains(quote.body, `"available":0`) {
		t.Errorf("a quote: %d %s", quote.status, quote.body)
	}
	state := func() string {
		t.Helper()
		r, err := c.Ready(t.Context())
		s.must(err)
		for _, c := range r.Components {
			if c.Name == "capacity" {
				return c.State + " " + c.Advice
			}
		}
		return ""
	}
	if got := state(); got != "kept " {
		t.Errorf("it is %q", got)
	}
	publish(1)
	if got := state(); !strings.HasPrefix(got, "over ") || !strings.Contains(got, "2 of 1 of plan few") {
		t.Errorf("it is %q", got)
	}
	s.publish("few") // without one
	if got := state(); got != "" {
		t.Errorf("it is %q", got)
	}
}
