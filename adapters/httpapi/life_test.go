package httpapi_test

import (
	"testing"

	"sandglass/adapters/httpapi/client"
	"sandglass/adapters/httpapi/wire"
	"sandglass/domain/instant"
)

func TestALife(t *testing.T) {
	s := open(t, nil)
	c := s.client("")
	plans, err := c.Plans(t.Context())
	s.must(err)
	if len(plans) != 1 || plans[0].Name != "small" || plans[0].Price != (wire.Price{Msat: price, Per: hour}) {
		t.Errorf("plans: %+v", plans)
	}
	q, err := c.Quote(t.Context(), "small", 0, 2*price)
	s.must(err)
	if q.Time != 2*hour || q.Amount != 2*price {
		t.Errorf("quote: %+v", q)
	}
	o := s.order("web-1")
	if o.HolderKey == "" || o.Payment == nil || o.Payment.Asked != 2*price ||
		o.Payment.URI != "lightning:"+o.Payment.Request || o.Resource.Status != "awaiting" || len(o.Resource.Pending) != 1 {
		t.Fatalf("order: %+v", o)
	}
	s.settle(o.Payment.Key, o.Payment.Asked)
	s.clock.Advance(30 * instant.Minute)
	r, err := c.Resource(t.Context(), "web-1")
	s.must(err)
	if r.Status != "running" || r.Remaining != 90*instant.Minute || r.PaidUntil != s.clock.Now().Add(r.Remaining) ||
		len(r.Pending) != 0 || r.WarnAt != 0 {
		t.Errorf("resource: %+v", r)
	}
	if l := r.Lots[0]; l.Payment != o.Payment.Key || l.Left != r.Remaining || l.Held != 1.5*price {
		t.Errorf("lot: %+v", l)
	}
	p, err := c.Payment(t.Context(), o.Payment.Key)
	s.must(err)
	if p.Status != "credited" || p.Amount != 2*price || p.Request != "" {
		t.Errorf("an ended payment: %+v", p)
	}
	hold(t, s, c.As(o.HolderKey))
}

// hold pauses, resumes and releases web-1, which runs and has 90 minutes.
func hold(t *testing.T, s *shop, c *client.Client) {
	paused, err := c.Pause(t.Context(), "web-1")
	s.must(err)
	at := s.clock.Now()
	s.clock.Advance(hour)
	if paused.Status != "paused" || paused.Remaining != 90*instant.Minute || paused.PaidUntil != 0 {
		t.Errorf("paused: %+v", paused)
	}
	resumed, err := c.Resume(t.Context(), "web-1")
	s.must(err)
	if resumed.Status != "running" || resumed.PaidUntil != s.clock.Now().Add(90*instant.Minute) {
		t.Errorf("resumed: %+v", resumed)
	}
	ended, err := c.Release(t.Context(), "web-1")
	s.must(err)
	if ended.Status != "released" {
		t.Errorf("released: %+v", ended)
	}
	if _, err := c.Resume(t.Context(), "web-1"); client.Code(err) != "released" {
		t.Errorf("resumed after the release: %v", err)
	}
	then, err := c.ResourceAsOf(t.Context(), "web-1", at)
	s.must(err)
	if then.Status != "paused" || then.AsOf != at || then.Remaining != 90*instant.Minute {
		t.Errorf("as of the pause: %+v", then)
	}
}
