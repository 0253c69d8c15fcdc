package reports_test

import (
	"cmp"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"sandglass/domain/instant"
	"sandglass/domain/resource"
	"sandglass/domain/resource/uptime"
)

var (
	many  = flag.Int("histories", 20, "how many random histories there are")
	first = flag.Uint64("history", 0, "the seed of one that failed")
)

// TestHistories are random ones of a host: payments, pauses, reorgs, moves, outages, things of which
// nobody can tell what they are, keepers and daemons that die, writes that fail, changes that are
// not heard, a clock that is set, power cuts, also several in short order, of containers, and after
// the daemon's death, and wallets that are away when a daemon starts. At the end each resource is billed for the time for
// which it was up while its clock ran, to the millisecond.
func TestHistories(t *testing.T) {
	for range *many {
		seed := cmp.Or(*first, uint64(time.Now().UnixNano()))
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) { on(t, func(h *host) { history(h, seed) }) })
	}
}

const resources = 4

func name(i int) resource.ID { return resource.ID(fmt.Sprint("vm-", i)) }

func history(h *host, seed uint64) {
	random := rand.New(rand.NewPCG(seed, 0))
	h.container = random.IntN(2) == 0
	for i := range resources {
		h.open(name(i), time.Hour, resource.Terms{})
	}
	for n := range 120 {
		step(h, random, name(random.IntN(resources)), n)
		h.pass(time.Duration(random.Int64N(int64(90 * time.Second))))
	}
	h.well()
	for i := range resources {
		h.pay(name(i), "last", 10*time.Hour)
		h.must(name(i), resource.Place{When: h.when(), Host: "rack-1"})
		_ = h.execute(name(i), resource.Resume{When: h.when()})
	}
	h.pass(3 * time.Minute)
	for i := range resources {
		h.status(name(i), resource.StatusRunning)
		h.audit(name(i))
	}
}

// well makes all well again, and waits until it is.
func (h *host) well() {
	h.wallet(true)
	h.keeper(true)
	h.daemon(true)
	h.log.mu.Lock()
	h.log.fails = nil
	h.log.mu.Unlock()
	h.files.mu.Lock()
	h.deaf, h.full = false, false
	h.files.mu.Unlock()
	for i := range resources {
		h.heal(string(name(i)))
		h.with(string(name(i)), func(r *thing) { r.cantTell = false })
	}
	h.pass(2*time.Minute + 10*time.Second)
}

func step(h *host, random *rand.Rand, id resource.ID, n int) {
	coin := random.IntN(2) == 0
	alive := h.stopDaemon != nil
	switch what := random.IntN(21); {
	case what < 5:
		h.crash(string(id))
	case what < 9:
		h.heal(string(id))
	case what == 9:
		h.with(string(id), func(r *thing) { r.cantTell = coin })
	case what == 10:
		h.keeper(coin)
	case what == 11:
		h.daemon(coin)
	case what == 12 && h.isRead:
		_ = h.credit(id, fmt.Sprint(n), time.Duration(random.Int64N(int64(20*time.Minute)))+time.Millisecond)
	case what == 13 && alive:
		if h.execute(id, resource.Pause{When: h.when()}) != nil {
			_ = h.execute(id, resource.Resume{When: h.when()})
		}
	case what == 14 && alive:
		_ = h.execute(id, resource.Resume{When: h.when()})
	case what == 15 && alive:
		h.reverse(id)
	case what == 16:
		h.well() // else what was not told before would not be given back
		host := map[bool]string{true: "rack-1", false: "rack-2"}[coin]
		h.must(id, resource.Place{When: h.when(), Host: host})
	case what == 17:
		h.log.mu.Lock()
		h.log.fails, h.log.keeps = nil, random.IntN(2) == 0
		if coin {
			h.log.fails = errBroken
		}
		h.log.mu.Unlock()
		h.files.mu.Lock()
		h.deaf = random.IntN(2) == 0
		h.files.mu.Unlock()
	case what == 18 && alive: // else our own time follows later
		h.pass(time.Second)
		h.leap.Add(100 + random.Int64N(int64(2*instant.Minute)))
		h.pass(2 * time.Second)
	case what == 19 && coin:
		h.well() // what stood in files alone would be gone
		h.wallet(random.IntN(2) == 0)
		if random.IntN(2) == 0 {
			h.daemon(false)
			for range random.IntN(6) {
				h.crash(string(name(random.IntN(resources))))
				h.pass(time.Duration(random.Int64N(int64(30 * time.Second))))
				h.heal(string(name(random.IntN(resources))))
				h.pass(time.Duration(random.Int64N(int64(30 * time.Second))))
			}
		}
		for n := 1 + random.IntN(3); n > 0; n-- {
			h.powerCut(time.Duration(random.Int64N(int64(2*time.Minute)>>(3*random.IntN(3)))), random.IntN(3) > 0)
			h.pass(time.Duration(random.Int64N(int64(20 * time.Second))))
		}
		h.daemon(true)
		h.pass(time.Second) // else the keeper can die before it knows what was down
	case what == 20:
		h.wallet(coin)
	}
}

// reverse takes back the last payment, if nothing was drawn of it.
func (h *host) reverse(id resource.ID) {
	if h.execute(id, resource.Settle{When: h.when()}) != nil {
		return
	}
	s, _ := h.Resource(id)
	if n := len(s.Lots) - 1; n >= 0 && s.Lots[n].Used == 0 {
		_ = h.execute(id, resource.Reverse{When: h.when(), Payment: s.Lots[n].Key})
	}
}

// audit holds what is billed of a resource against when it was up.
func (h *host) audit(id resource.ID) {
	h.Helper()
	ran := h.ran(id)
	h.tmu.Lock()
	ups := whole(h.things[string(id)].runs, h.own())
	h.tmu.Unlock()
	var want instant.Millis
	for _, a := range ran {
		for _, b := range ups {
			want += max(0, min(a.to, b.to).Sub(max(a.from, b.from)))
		}
	}
	if got := h.billed(id); got != want {
		h.Errorf("%s is billed %d ms, and was up for %d\nran %v\nup  %v", id, got, want, ran, ups)
		h.tell(id)
	}
}

// ran returns over which times the clock of a resource ran by the log, where what was given back is
// not taken out, and fails if a start is not at the first instant that it could be.
func (h *host) ran(id resource.ID) (ran []stretch) {
	h.log.mu.Lock()
	defer h.log.mu.Unlock()
	s := resource.New(id)
	for _, e := range h.events[id] {
		was, last := s.Status, s.Last
		s = resource.Evolve(s, e)
		if s.Status == was {
			continue
		}
		at := *e.Effective()
		if was == resource.StatusRunning {
			ran[len(ran)-1].to = at
		}
		if s.Status == resource.StatusRunning {
			ran = append(ran, stretch{from: at})
			h.tmu.Lock()
			runs := h.things[string(id)].runs
			h.tmu.Unlock()
			inRun := func(u stretch) bool { return u.from <= at && at < max(u.to, u.from+1) }
			isBegin := slices.ContainsFunc(runs, func(u stretch) bool { return u.from == at })
			if ups := whole(runs, h.own()); !slices.ContainsFunc(ups, inRun) || at != last && !isBegin {
				h.Errorf("%s is started at %s, after %s, and was up %v", id, at, last, ups)
				h.tell(id)
			}
		}
	}
	if n := len(ran); n > 0 && ran[n-1].to == 0 {
		ran[n-1].to = h.own()
	}
	return ran
}

// whole returns when a thing was up, where what was too short for an outage counts as up.
func whole(runs []stretch, now instant.Time) (all []stretch) {
	for _, r := range runs {
		if r.to == 0 {
			r.to = now
		}
		if n := len(all); n > 0 && r.from.Sub(all[n-1].to) < uptime.MinOutage {
			all[n-1].to = r.to
			continue
		}
		all = append(all, r)
	}
	return all
}

// tell logs what happened to a resource.
func (h *host) tell(id resource.ID) {
	for _, e := range h.events[id] {
		h.Logf("%s %+v", e.Type(), e)
	}
}
