package enforce_test

import (
	"bytes"
	"errors"
	"slices"
	"testing"
	"time"

	"sandglass/domain/enforce"
	"sandglass/domain/resource/uptime"
)

// outages fails unless the ended outages of a resource are those, in seconds since at.
func (h *host) outages(id string, at enforce.Boottime, want ...enforce.Boottime) {
	h.t.Helper()
	is, err := h.Is(id)
	if err != nil {
		h.t.Fatal(err)
	}
	var got []enforce.Boottime
	for _, o := range is.Outages {
		if got = append(got, (o.From-at)/1000); o.To != 0 {
			got = append(got, (o.To-at)/1000)
		}
	}
	if !slices.Equal(got, want) {
		h.t.Errorf("%s was down over %v, want %v: %+v", id, got, want, is)
	}
}

// TestOutagesAreKept: what went down and is up again stands in its file, also if the keeper dies
// meanwhile or can't tell; what was too short does not.
func TestOutagesAreKept(t *testing.T) {
	on(t, func(h *host) {
		h.up("vm", hour)
		h.pass(time.Minute)
		at := h.clock()
		crash := func(d time.Duration) {
			h.with("vm", func(r *thing) { r.fails = errBroken })
			h.becomes("vm", enforce.Down)
			h.pass(d)
			h.with("vm", func(r *thing) { r.fails = nil })
			h.becomes("vm", enforce.Up)
			h.pass(0)
		}
		crash(30 * time.Second)
		h.outages("vm", at, 0, 30)
		h.pass(10 * time.Second)
		crash(9 * time.Second)
		h.outages("vm", at, 0, 30, 40, 49) // until there is another one
		h.pass(51 * time.Second)
		h.with("vm", func(r *thing) { r.fails = errBroken })
		h.becomes("vm", enforce.Down)
		h.pass(5 * time.Second)
		h.outages("vm", at, 0, 30, 100)
		h.stop()
		h.start()
		h.pass(5 * time.Second)
		h.with("vm", func(r *thing) { r.statusFails = errBroken })
		h.signal("vm")
		h.pass(30 * time.Second)
		h.isNow("vm", enforce.Unknown)
		h.stop()
		h.start()
		h.pass(10 * time.Second)
		h.outages("vm", at, 0, 30, 100)
		h.with("vm", func(r *thing) { r.fails, r.statusFails = nil, nil })
		h.becomes("vm", enforce.Up)
		h.pass(time.Second)
		h.outages("vm", at, 0, 30, 100, 150)
	})
}

// TestCannotTellIsNoOutage: neither is what the keeper can't ask down, nor what it stops while
// that is under way.
func TestCannotTellIsNoOutage(t *testing.T) {
	on(t, func(h *host) {
		h.up("vm", hour)
		h.pass(time.Minute)
		at := h.clock()
		h.with("vm", func(r *thing) { r.statusFails = errBroken })
		h.signal("vm")
		h.pass(10 * time.Minute)
		h.isNow("vm", enforce.Unknown)
		h.with("vm", func(r *thing) { r.statusFails, r.slow = nil, 40*time.Second })
		h.signal("vm")
		h.pass(0)
		h.outages("vm", at)
		h.down("vm")
		h.pass(39 * time.Second)
		h.isNow("vm", enforce.Stopping)
		h.outages("vm", at)
		h.pass(2 * time.Second)
		h.outages("vm", at, 640)
	})
}

// TestManyOutages: the oldest fall off.
func TestManyOutages(t *testing.T) {
	on(t, func(h *host) {
		h.up("vm", 10*hour)
		h.pass(time.Minute)
		at := h.clock()
		for range enforce.MaxOutages + 3 {
			h.with("vm", func(r *thing) { r.fails = errBroken })
			h.becomes("vm", enforce.Down)
			h.pass(20 * time.Second)
			h.with("vm", func(r *thing) { r.fails = nil })
			h.becomes("vm", enforce.Up)
			h.pass(10 * time.Second)
		}
		var want []enforce.Boottime
		for n := range enforce.Boottime(enforce.MaxOutages) {
			want = append(want, 30*(n+3), 30*(n+3)+20)
		}
		h.outages("vm", at, want...)
	})
}

// TestTheFormatOfOutages is what stands in the manual. A file of before is read as it was meant.
func TestTheFormatOfOutages(t *testing.T) {
	i := enforce.Is{
		ID: "vm-1", State: enforce.Down, Since: 90_000, Boot: "b1", Generation: 7, First: 5_000,
		Outages: []enforce.Outage{{From: 20_000, To: 50_000}, {From: 90_000}},
	}
	b, err := i.Marshal()
	const want = `{
  "version": 1,
  "id": "vm-1",
  "state": "down",
  "since": 90000,
  "boot": "b1",
  "generation": 7,
  "first": 5000,
  "outages": [
    {
      "from": 20000,
      "to": 50000
    },
    {
      "from": 90000
    }
  ]
}
`
	if err != nil || string(b) != want {
		t.Errorf("%v\n%s", err, b)
	}
	if got, err := enforce.ParseIs("vm-1", b); err != nil || !slices.Equal(got.Outages, i.Outages) {
		t.Errorf("%+v, %v", got, err)
	}
	if since, ok := i.Open(); !ok || since != 90_000 {
		t.Error(since, ok)
	}
	i.Outages = nil
	old, err := i.Marshal()
	if err != nil || bytes.Contains(old, []byte("outages")) {
		t.Errorf("%v\n%s", err, old)
	}
	for name, list := range map[string][]enforce.Outage{
		"turned round":          {{From: 5, To: 4}},
		"empty":                 {{From: 5, To: 5}},
		"one into the other":    {{From: 5, To: 9}, {From: 8, To: 20}},
		"one open, and another": {{From: 5}, {From: 8, To: 20}},
		"before the boot":       {{From: -5, To: 4}},
		"too many":              slices.Repeat([]enforce.Outage{{From: 5, To: 5 + enforce.Boottime(uptime.MinOutage)}}, 65),
	} {
		i.Outages = list
		if b, err := i.Marshal(); err == nil {
			t.Errorf("%s: it was written\n%s", name, b)
		}
	}
	turned := bytes.Replace(b, []byte("50000"), []byte("10000"), 1)
	if _, err := enforce.ParseIs("vm-1", turned); !errors.Is(err, enforce.ErrDamaged) {
		t.Error(err)
	}
}

// TestWhatIsTold of a keeper's actions by what came of them, and for how long what differs does.
func TestWhatIsTold(t *testing.T) {
	on(t, func(h *host) {
		h.up("a", hour)
		h.want("b", func(w *enforce.Want) { w.Enforcer, w.State, w.Until = "nobody", enforce.Up, h.clock()+hour })
		h.pass(time.Second)
		h.with("c", func(r *thing) { r.fails = errBroken })
		at := h.clock()
		h.up("c", hour)
		h.pass(2 * time.Second)
		s := h.summary()
		if !s.Looked || s.Done != 1 || s.Refused < 1 || s.Failed < 1 || s.Differ != 2 || s.Oldest > at-1000 || s.Oldest < at-2000 {
			t.Errorf("%+v at %d", s, at)
		}
		h.want("b", func(w *enforce.Want) { w.Enforcer = "fake" })
		h.with("c", func(r *thing) { r.fails = nil })
		h.pass(2 * time.Minute)
		if s := h.summary(); s.Done != 3 || s.Differ != 0 || s.Oldest != 0 {
			t.Errorf("%+v", s)
		}
	})
}
