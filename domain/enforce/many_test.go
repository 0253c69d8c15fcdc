package enforce_test

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"sandglass/domain/enforce"
)

// TestTenThousand are 10,000 resources on a host, of which 1,000 change in a minute, and some of
// which are broken.
func TestTenThousand(t *testing.T) {
	const all, change = 10_000, 1_000
	on(t, func(h *host) {
		before := heap()
		random := rand.New(rand.NewPCG(1, 2))
		for i := range all {
			id := name(i)
			h.with(id, func(r *thing) { r.state, r.slow = enforce.Down, 100*time.Millisecond })
			if i%2 == 0 {
				h.up(id, 10*hour)
			} else {
				h.down(id)
			}
			if i%500 == 0 {
				h.with(id, func(r *thing) { r.hangs = true })
			}
		}
		h.pass(time.Minute)
		for i := range all {
			if i%500 != 0 && h.runs(name(i)) != (i%2 == 0) {
				t.Fatalf("after a minute %s is not as wanted", name(i))
			}
		}
		if s := h.summary(); s.Wants != all || s.Differ != all/500 {
			t.Errorf("%+v", s)
		}
		slowest := time.Duration(0)
		for n := range change { // 1,000 in a minute, by a want or by itself
			h.pass(time.Minute / change)
			id := name(1 + 500*random.IntN(all/500) + random.IntN(499))
			up := h.runs(id)
			if n%3 == 0 && up {
				h.becomes(id, enforce.Down)
			} else if up = !up; up {
				h.up(id, 10*hour)
			} else {
				h.down(id)
			}
			began := time.Now()
			for h.runs(id) != up {
				h.pass(10 * time.Millisecond)
			}
			slowest = max(slowest, time.Since(began))
		}
		if slowest > 2*time.Second {
			t.Errorf("a change took %s", slowest)
		}
		if grown := heap() - before; grown > 40<<20 {
			t.Errorf("it takes %d KiB with the test's own", grown>>10)
		}
	})
}

func name(i int) string { return fmt.Sprint("vm-", i) }

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// TestMoreThanAHostHas are passed over, and told.
func TestMoreThanAHostHas(t *testing.T) {
	on(t, func(h *host) {
		h.change(func() { h.deaf = true })
		for i := range enforce.MaxWants + 10 {
			h.down(name(i))
			h.with(name(i), func(r *thing) { r.state = enforce.Down })
		}
		h.pass(3 * time.Minute)
		if s := h.summary(); s.Wants != enforce.MaxWants {
			t.Errorf("%+v", s)
		}
		told := 0
		for _, n := range h.told() {
			if n.Err != nil {
				told++
			}
		}
		if told != 1 {
			t.Errorf("it was told %d times", told)
		}
	})
}

// TestHistories are random ones: wants that come, change, run out and are damaged, resources that
// fail in every way, writes that fail, keepers that die and machines that sleep or boot. The host
// looks after the rule that nobody who has time is stopped; here nobody runs on, and once all is
// well again, all is as wanted.
func TestHistories(t *testing.T) {
	for n := range 20 {
		seed := uint64(time.Now().UnixNano()) + uint64(n)
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			on(t, func(h *host) { history(h, rand.New(rand.NewPCG(seed, 0))) })
		})
	}
}

func history(h *host, random *rand.Rand) {
	const resources = 8
	overdue := map[string]time.Time{}
	for range 150 {
		id := name(random.IntN(resources))
		act(h, random, id)
		for left := between(random, 0, 90*time.Second); left > 0; left -= time.Second {
			h.pass(min(left, time.Second))
			for i := range resources {
				runsOn(h, name(i), overdue)
			}
		}
	}
	h.change(func() { h.loses, h.keeps, h.deaf, h.lists = false, false, false, nil; clear(h.foreign) })
	for i := range resources {
		h.with(name(i), func(r *thing) { r.heal() })
		if i%2 == 0 {
			h.up(name(i), 10*hour)
		} else {
			h.down(name(i))
		}
	}
	h.pass(5 * time.Minute)
	for i := range resources {
		if h.runs(name(i)) != (i%2 == 0) {
			h.t.Errorf("in the end %s runs: %t", name(i), i%2 != 0)
		}
		verb := map[bool]enforce.Verb{true: enforce.Start, false: enforce.Stop}[i%2 == 0]
		if is, err := h.Is(name(i)); err != nil || !verb.IsDone(is.State) || is.Tries != 0 {
			h.t.Errorf("in the end %+v, %v, want %s", is, err, verb)
		}
	}
}

// runsOn fails if a resource that is well has been running for a while, and should not.
func runsOn(h *host, id string, overdue map[string]time.Time) {
	now := h.clock()
	h.hmu.Lock()
	defer h.hmu.Unlock()
	h.files.mu.Lock()
	if h.deaf {
		h.deafness = time.Now()
	}
	h.files.mu.Unlock()
	r, w := h.thing(id), h.wanted[id]
	if r.hangs || r.statusHangs || r.lies || r.fails != nil {
		r.broken = time.Now()
	}
	if w == nil || r.state != enforce.Up || w.State == enforce.Unknown || w.State == enforce.Up && now < w.Until {
		delete(overdue, id)
		return
	}
	if overdue[id].IsZero() {
		overdue[id] = time.Now()
	}
	most := 22 * time.Second // a slow stop
	if time.Since(h.deafness) < 2*time.Minute {
		most += time.Minute // nobody told of the want
	}
	most += max(0, h.restarted.Sub(overdue[id])) // a stop that was under way began anew
	if d := time.Since(overdue[id]); d > most && time.Since(r.broken) > 4*time.Minute {
		h.t.Errorf("%s runs at %d, %s too long, by %+v", id, now, d, w)
	}
}

func act(h *host, random *rand.Rand, id string) {
	coin := random.IntN(2) == 0
	switch random.IntN(16) {
	case 0, 1, 2, 3:
		h.up(id, enforce.Boottime(between(random, time.Second, 5*time.Minute).Milliseconds()))
	case 4, 5:
		h.down(id)
	case 6:
		h.spoil(id, []byte("damaged"))
	case 7:
		h.spoil(id, nil)
	case 8:
		h.with(id, func(r *thing) { r.hangs, r.statusHangs = coin, !coin && random.IntN(2) == 0 })
	case 9:
		h.with(id, func(r *thing) {
			if r.fails, r.lies = nil, !coin; coin {
				r.fails = errBroken
			}
		})
	case 10:
		h.with(id, func(r *thing) { r.heal() })
	case 11:
		h.change(func() { h.loses, h.keeps = coin, !coin && random.IntN(2) == 0 })
	case 12:
		h.change(func() { h.deaf = coin })
	case 13:
		h.stop()
		h.start()
		h.restarted = time.Now()
	case 14:
		h.slept.Add(between(random, 0, 10*time.Minute).Milliseconds())
	case 15:
		if h.runs(id) && coin {
			h.becomes(id, enforce.Down)
			return
		}
		h.with(id, func(r *thing) { r.slow = between(random, 0, 20*time.Second) })
	}
}
