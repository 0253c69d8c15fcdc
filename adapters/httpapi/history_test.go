package httpapi_test

import (
	"fmt"
	"slices"
	"testing"

	"sandglass/adapters/httpapi/client"
	"sandglass/adapters/httpapi/history"
	"sandglass/adapters/httpapi/wire"
	"sandglass/domain/instant"
	"sandglass/domain/stream"
)

// TestTheHistoryOfAResource: who knows the id sees what happened, without what was asked by whom.
func TestTheHistoryOfAResource(t *testing.T) {
	s := open(t, nil)
	c := s.client("")
	o := s.order("web-1")
	if h := s.history("web-1", ""); h.Resource != "web-1" || len(h.Changes) != 0 {
		t.Errorf("of an order that nobody paid: %+v", h)
	}
	paid := s.clock.Now()
	s.settle(o.Payment.Key, o.Payment.Asked)
	s.clock.Advance(30 * instant.Minute)
	_, err := c.As(o.HolderKey).Pause(t.Context(), "web-1")
	s.must(err)
	s.clock.Advance(hour)
	_, err = c.As(o.HolderKey).Release(t.Context(), "web-1")
	s.must(err)

	h := s.history("web-1", "")
	if got := whats(h); got != "[opened credited started paused released]" {
		t.Fatalf("changes: %s", got)
	}
	bought := wire.Change{
		Revision: h.Changes[1].Revision, What: "credited", At: paid, Payment: o.Payment.Key, Amount: 2 * price, Time: 2 * hour,
		Price: &wire.Price{Msat: price, Per: hour},
	}
	if got := h.Changes[1]; got.Price == nil || *got.Price != *bought.Price {
		t.Errorf("bought at %+v", got.Price)
	} else if got.Price = bought.Price; got != bought {
		t.Errorf("got %+v, want %+v", got, bought)
	}
	if p := h.Changes[3]; p.At != paid.Add(30*instant.Minute) {
		t.Errorf("paused: %+v", p)
	}
	if r := h.Changes[4]; r.Reason != "holder" || r.At != paid.Add(90*instant.Minute) {
		t.Errorf("released: %+v", r)
	}
	if got := whats(s.history("web-1", o.Payment.Key)); got != "[credited]" {
		t.Errorf("of its payment: %s", got)
	}
	if got := whats(s.history("web-1", "ln-of-another")); got != "[]" {
		t.Errorf("of another payment: %s", got)
	}
	if _, err := c.History(t.Context(), "web-2", ""); client.Code(err) != "unknown_resource" {
		t.Errorf("of none: %v", err)
	}
}

// TestAHistoryIsNotAheadOfItsResource: whoever was told of a change sees it, also where nobody waited for it.
func TestAHistoryIsNotAheadOfItsResource(t *testing.T) {
	s := open(t, nil)
	s.running("web-1")
	for i := range 20 {
		act, want := s.billing.Pause, "paused"
		if i%2 == 1 {
			act, want = s.billing.Resume, "running"
		}
		s.clock.Advance(2 * instant.Minute)
		_, err := act(t.Context(), stream.Meta{}, "web-1")
		s.must(err)
		s.history("web-1", "")
		r, err := s.client("").Resource(t.Context(), "web-1")
		s.must(err)
		if r.Status != want {
			t.Fatalf("%d: it is told, and the resource is %s", i, r.Status)
		}
	}
}

// TestALongHistoryIsToldFromItsEnd: of each length around the bounds.
func TestALongHistoryIsToldFromItsEnd(t *testing.T) {
	s := open(t, nil)
	o := s.order("web-1")
	s.settle(o.Payment.Key, o.Payment.Asked)
	operator := s.client(operatorToken)
	all := 3 // opened, credited, started
	for all < 2*history.Most+2 {
		if all++; slices.Contains([]int{history.Most, history.Most + 1, 2*history.Most - 1, 2 * history.Most}, all-1) {
			s.ends(all-1, "")
		}
		_, err := operator.Grant(t.Context(), "web-1", wire.GrantRequest{Key: fmt.Sprintf("g-%d", all), Time: hour})
		s.must(err)
	}
	s.ends(all, fmt.Sprintf("g-%d", all))
}

// ends checks the history of web-1, which has so many changes.
func (s *shop) ends(all int, grant string) {
	s.t.Helper()
	h := s.history("web-1", "")
	last := h.Changes[len(h.Changes)-1]
	if len(h.Changes) != history.Most || h.Older != (all > history.Most) || grant != "" && last.Grant != grant {
		s.t.Errorf("of %d: %d, older %t, the last is %+v", all, len(h.Changes), h.Older, last)
	}
	if first := h.Changes[0].Revision; first != last.Revision-history.Most+1 {
		s.t.Errorf("of %d: from revision %d to %d", all, first, last.Revision)
	}
}

func (s *shop) history(id, payment string) wire.History {
	s.t.Helper()
	h, err := s.client("").History(s.t.Context(), id, payment)
	s.must(err)
	return h
}

func whats(h wire.History) string {
	list := []string{}
	for _, c := range h.Changes {
		list = append(list, c.What)
	}
	return fmt.Sprint(list)
}

// TestAResourceTellsWhenItWarns: while it runs and until it did; after that the history does.
func TestAResourceTellsWhenItWarns(t *testing.T) {
	s := open(t, nil)
	_, err := s.client(operatorToken).Publish(t.Context(), wire.PublishRequest{
		Name: "small", Price: wire.Price{Msat: price, Per: hour}, Min: 1, Max: instant.Day, Warn: &wire.Warn{Share: 250_000},
	})
	s.must(err)
	o := s.running("web-1")
	warned := s.clock.Now().Add(hour + hour/2)
	r, err := s.client("").Resource(t.Context(), "web-1")
	s.must(err)
	if r.WarnAt != warned || r.PaidUntil != warned.Add(hour/2) {
		t.Errorf("it runs: %+v", r)
	}
	s.clock.Advance(hour + hour/2)
	s.settled("web-1")
	r, err = s.client("").Resource(t.Context(), "web-1")
	s.must(err)
	h := s.history("web-1", "")
	if last := h.Changes[len(h.Changes)-1]; r.WarnAt != 0 || !r.Warned || last.What != "warned" || last.At != warned {
		t.Errorf("it warned: %+v, %+v", r, last)
	}
	r, err = s.client(o.HolderKey).Pause(t.Context(), "web-1")
	s.must(err)
	if r.WarnAt != 0 {
		t.Errorf("it is paused: %+v", r)
	}
}
