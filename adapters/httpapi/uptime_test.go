package httpapi_test

import (
	"errors"
	"testing"

	"sandglass/adapters/httpapi/client"
	"sandglass/adapters/httpapi/wire"
	"sandglass/domain/instant"
	"sandglass/domain/resource"
	"sandglass/domain/stream"
)

// said lets the keeper report of a resource.
func (s *shop) said(id resource.ID, c resource.Report) {
	s.t.Helper()
	c.At = s.clock.Now()
	out, err := s.billing.Resources.Execute(s.t.Context(), id, stream.Meta{}, c)
	s.must(errors.Join(err, s.views.WaitFor(s.t.Context(), out.Position)))
}

func TestALifeByUptime(t *testing.T) {
	s := open(t, nil)
	plan := wire.PublishRequest{
		Name: "small", Price: wire.Price{Msat: price, Per: hour}, Min: instant.Minute, Max: instant.Day, Grace: hour,
		Enforcer: "systemd:app@.service", Bill: "uptime",
		StartWithin: 15 * instant.Minute, MaxOutage: hour, MaxPause: 2 * hour,
	}
	p, err := s.client(operatorToken).Publish(t.Context(), plan)
	s.must(err)
	if p.Bill != "uptime" || p.StartWithin != plan.StartWithin || p.MaxOutage != hour || p.MaxPause != 2*hour {
		t.Errorf("published: %+v", p)
	}
	shown := func() wire.Resource {
		t.Helper()
		r, err := s.client("").Resource(t.Context(), "web-1")
		s.must(err)
		if r.Uptime == nil {
			t.Fatalf("no uptime: %+v", r)
		}
		return r
	}
	paid := s.clock.Now()
	s.running("web-1") // pays
	s.clock.Advance(30 * instant.Minute)
	by := paid.Add(p.StartWithin)
	if r := shown(); r.Status != "starting" || r.Remaining != 2*hour || r.PaidUntil != 0 || r.Uptime.StartBy != by {
		t.Errorf("starting: %+v, %+v", r, r.Uptime)
	}
	up := s.clock.Now()
	s.said("web-1", resource.Report{Up: true, Since: up})
	s.clock.Advance(30 * instant.Minute)
	s.settled("web-1")
	if r := shown(); r.Status != "running" || r.Remaining != 90*instant.Minute || *r.Uptime != (wire.Uptime{}) {
		t.Errorf("running: %+v, %+v", r, r.Uptime)
	}
	s.said("web-1", resource.Report{Since: up.Add(20 * instant.Minute)})
	s.clock.Advance(10 * instant.Minute)
	want := wire.Uptime{Outage: 20 * instant.Minute, Returned: price / 6, StartBy: s.clock.Now().Add(5 * instant.Minute)}
	if r := shown(); r.Status != "starting" || r.Remaining != 100*instant.Minute || *r.Uptime != want {
		t.Errorf("down: %+v, %+v", r, r.Uptime)
	}
	page, err := s.client(operatorToken).Resources(t.Context(), "", 0, client.Filter{Status: "starting"})
	s.must(err)
	if len(page.Resources) != 1 {
		t.Errorf("starting are %+v", page)
	}
}

func TestBillsAreChecked(t *testing.T) {
	s := open(t, nil)
	good := wire.PublishRequest{
		Name: "x", Price: wire.Price{Msat: price, Per: hour}, Min: 1, Max: hour, Enforcer: "systemd:app@.service",
	}
	for name, change := range map[string]func(*wire.PublishRequest){
		"which is none":        func(r *wire.PublishRequest) { r.Bill = "moon" },
		"without an enforcer":  func(r *wire.PublishRequest) { r.Bill, r.Enforcer = "uptime", "" },
		"a start by the wall":  func(r *wire.PublishRequest) { r.Bill, r.StartWithin = "wall", 1 },
		"outages by the wall":  func(r *wire.PublishRequest) { r.MaxOutage = 1 },
		"more than 30 days":    func(r *wire.PublishRequest) { r.Bill, r.MaxOutage = "uptime", 30*instant.Day+1 },
		"pauses of a negative": func(r *wire.PublishRequest) { r.MaxPause = -1 },
	} {
		bad := good
		change(&bad)
		if p, err := s.client(operatorToken).Publish(t.Context(), bad); client.Code(err) != "invalid_request" {
			t.Errorf("%s: %+v, %v", name, p, err)
		}
	}
	good.Bill, good.MaxPause = "wall", instant.Day
	if p, err := s.client(operatorToken).Publish(t.Context(), good); err != nil || p.Bill != "wall" || p.MaxPause != instant.Day {
		t.Errorf("%+v, %v", p, err)
	}
}
