package reports_test

import (
	"cmp"
	"fmt"
	"testing"
	"time"

	"sandglass/domain/enforce"
	"sandglass/domain/enforce/reports"
	"sandglass/domain/enforce/wants"
	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/resource"
	"sandglass/domain/resource/uptime"
)

// TestUptimeIsBilled: the clock begins when it is up, stands over an outage, and goes on after it.
func TestUptimeIsBilled(t *testing.T) {
	on(t, func(h *host) {
		h.crash("vm") // and can't be started
		h.open("vm", time.Hour, resource.Terms{})
		h.pass(10 * time.Minute)
		h.status("vm", resource.StatusStarting)
		h.isBilled("vm", 0)
		h.heal("vm")
		h.pass(0)
		h.status("vm", resource.StatusRunning)
		h.pass(time.Minute)
		h.isBilled("vm", time.Minute)
		h.crash("vm")
		h.pass(16 * time.Second)
		h.status("vm", resource.StatusStarting)
		h.isBilled("vm", time.Minute)
		h.pass(95 * time.Second)
		h.heal("vm")
		h.pass(time.Second)
		h.crash("vm")
		h.pass(5 * time.Second)
		h.heal("vm") // which was too short
		h.pass(54 * time.Second)
		h.isBilled("vm", 2*time.Minute)
	})
}

// TestAStartTakesAWhile: no time passes until it is up, not even for less than an outage.
func TestAStartTakesAWhile(t *testing.T) {
	on(t, func(h *host) {
		h.crash("vm")
		h.open("vm", time.Hour, resource.Terms{})
		h.pass(6 * time.Second)
		h.heal("vm")
		h.pass(time.Minute)
		h.isBilled("vm", time.Minute)
		h.must("vm", resource.Pause{When: h.when()})
		h.pass(time.Minute)
		h.crash("vm")
		h.must("vm", resource.Resume{When: h.when()})
		h.pass(6 * time.Second)
		h.heal("vm")
		h.pass(time.Minute)
		h.isBilled("vm", 2*time.Minute)
	})
}

// TestOutagesOfADeadDaemon are given back once it is alive again, also if the keeper died meanwhile.
func TestOutagesOfADeadDaemon(t *testing.T) {
	on(t, func(h *host) {
		h.open("vm", time.Hour, resource.Terms{})
		h.pass(time.Minute)
		h.daemon(false)
		for range 3 {
			h.crash("vm")
			h.pass(100 * time.Second)
			h.heal("vm")
			h.pass(20 * time.Second)
			h.keeper(false)
			h.keeper(true)
		}
		h.daemon(true)
		h.pass(0)
		h.isBilled("vm", 2*time.Minute)
		h.crash("vm")
		h.pass(20 * time.Second)
		h.keeper(false)
		h.heal("vm")
		h.pass(20 * time.Second)
		h.isBilled("vm", 2*time.Minute) // the keeper is dead, and nobody can tell
		h.status("vm", resource.StatusStarting)
		h.keeper(true)
		h.pass(0)
		h.isBilled("vm", 140*time.Second)
	})
}

// TestAPowerCut counts from when the daemon's clock was kept last, of a machine and of a container.
func TestAPowerCut(t *testing.T) {
	for _, container := range []bool{false, true} {
		on(t, func(h *host) {
			h.container = container
			h.open("vm", time.Hour, resource.Terms{})
			h.pass(65 * time.Second)
			h.powerCut(10*time.Minute, true)
			h.pass(30 * time.Second)
			h.isBilled("vm", 90*time.Second)
			h.daemon(false)
			h.daemon(true)
			h.pass(2 * time.Minute)
			h.isBilled("vm", 210*time.Second)
			h.powerCut(3*time.Second, false) // and another one, before the daemon is alive again
			h.powerCut(5*time.Second, true)
			h.pass(time.Minute)
			h.isBilled("vm", 270*time.Second)
		})
	}
}

// TestAPowerCutOfAHostWithoutADaemon counts from when the keeper was last well, and of what had gone down
// before that from then on.
func TestAPowerCutOfAHostWithoutADaemon(t *testing.T) {
	for _, container := range []bool{false, true} {
		on(t, func(h *host) {
			h.container = container
			for _, id := range []resource.ID{"vm", "falls", "waits", "came-back", "blinks"} {
				h.open(id, time.Hour, resource.Terms{})
			}
			h.pass(time.Minute)
			h.crash("falls") // the daemon hears of it
			h.pass(30 * time.Second)
			h.heal("falls")
			h.pass(10 * time.Second)
			h.daemon(false) // after 100 s
			h.pass(2 * time.Minute)
			h.crash("waits")
			h.crash("came-back")
			h.crash("blinks")
			h.pass(5 * time.Second)
			h.heal("blinks")
			h.pass(25 * time.Second)
			h.heal("came-back")
			h.pass(time.Minute)
			h.crash("falls")
			h.pass(30 * time.Second) // 340 s
			h.heal("waits")
			h.heal("falls")
			h.pass(22 * time.Second)
			h.keeper(false)
			h.pass(time.Minute)
			h.powerCut(10*time.Minute, false)
			h.powerCut(10*time.Second, true)
			h.pass(time.Minute)
			for id, seconds := range map[resource.ID]time.Duration{
				"vm": 360, "falls": 310 - 30, "waits": 220, "came-back": 220, "blinks": 360,
			} {
				h.isBilled(id, (seconds+60)*time.Second)
			}
		})
	}
}

// TestTheWalletIsAway: what was down while the daemon was dead is reported before its wallet is back, so
// that no power cut takes it away.
func TestTheWalletIsAway(t *testing.T) {
	on(t, func(h *host) {
		h.open("vm", time.Hour, resource.Terms{})
		h.pass(time.Minute)
		h.daemon(false)
		h.crash("vm")
		h.pass(30 * time.Second)
		h.heal("vm")
		h.pass(time.Minute)
		h.wallet(false)
		h.daemon(true)
		h.pass(0)
		h.powerCut(time.Minute, true)
		h.isBilled("vm", 2*time.Minute)
		h.wallet(true)
		h.pass(time.Minute)
		h.isBilled("vm", 3*time.Minute)
	})
}

// TestNobodysTimeEndsUnread: of what happened after the time was over, nothing is reported before the
// wallet was read, in which a payment may be found; what came before is.
func TestNobodysTimeEndsUnread(t *testing.T) {
	on(t, func(h *host) {
		h.blind = wants.Blind{Since: h.own(), Grace: instant.Hour}
		h.open("vm", 2*time.Minute, resource.Terms{})
		h.pass(time.Minute)
		h.daemon(false)
		h.crash("vm")
		h.pass(30 * time.Second)
		h.heal("vm")
		h.pass(90 * time.Second) // its time is over since 30 s, unless it was paid
		h.crash("vm")
		h.pass(30 * time.Second)
		h.wallet(false)
		h.daemon(true)
		h.pass(2 * time.Minute)
		h.status("vm", resource.StatusRunning)
		if s, _ := h.Resource("vm"); s.Debited != money.Msat(60_000) {
			t.Errorf("%d are debited", s.Debited)
		}
		h.pay("vm", "found", 5*time.Minute)
		h.wallet(true)
		h.pass(10 * time.Second)
		h.status("vm", resource.StatusStarting)
		h.audit("vm")
	})
}

// TestDownBeforeItsTimeEnds: what goes down just before its time is over has it back as soon as that is an
// outage, and not with the minute's pass.
func TestDownBeforeItsTimeEnds(t *testing.T) {
	on(t, func(h *host) {
		h.open("vm", time.Minute, resource.Terms{})
		h.pass(57 * time.Second)
		h.crash("vm")
		h.pass(5 * time.Second)
		h.status("vm", resource.StatusSuspended)
		h.pass(12 * time.Second)
		h.status("vm", resource.StatusStarting)
		h.isBilled("vm", 57*time.Second)
	})
}

// TestOf is what a file comes to: of a boot that began at 1000 by our own time.
func TestOf(t *testing.T) {
	own := func(at enforce.Boottime) instant.Time { return 1_000_000 + instant.Time(at) }
	const known = 1_900_000
	for name, tc := range map[string]struct {
		is    enforce.Is
		off   instant.Time
		known instant.Time
		want  string // "" is no report
	}{
		"nothing known":               {is: enforce.Is{State: enforce.Unknown, Since: 5}},
		"starting, and nothing known": {is: enforce.Is{State: enforce.Starting, Since: 5}},
		"up": {is: enforce.Is{State: enforce.Up, Since: 700, First: 5},
			want: "up since 1000005 as of 1900000"},
		"up, and the keeper is dead": {is: enforce.Is{State: enforce.Up, Since: 700, First: 5}, known: 1,
			want: "up since 1000005 as of 1000700"},
		"up after an outage": {is: enforce.Is{State: enforce.Up, Since: 700, First: 5, Outages: []enforce.Outage{{From: 10, To: 600}}},
			want: "up since 1000600 as of 1900000, 1000010-1000600"},
		"down": {is: enforce.Is{State: enforce.Down, Since: 700, First: 5, Outages: []enforce.Outage{{From: 10, To: 600}, {From: 650}}},
			want: "down since 1000650 as of 1900000, 1000010-1000600"},
		"starting": {is: enforce.Is{State: enforce.Starting, Since: 700, First: 5, Outages: []enforce.Outage{{From: 650}}},
			want: "down since 1000650 as of 1900000"},
		"starting, and last known to be up": {
			is:   enforce.Is{State: enforce.Starting, Since: 700, First: 5, Outages: []enforce.Outage{{From: 10, To: 600}}},
			want: "up since 1000600 as of 1000600, 1000010-1000600"},
		"unknown, and last known to be down": {
			is:   enforce.Is{State: enforce.Unknown, Since: 700, First: 5, Outages: []enforce.Outage{{From: 650}}},
			want: "down since 1000650 as of 1000700"},
		"unknown, and last known to be up": {is: enforce.Is{State: enforce.Unknown, Since: 700, First: 5},
			want: "up since 1000005 as of 1000005"},
		"up since the boot": {is: enforce.Is{State: enforce.Up, Since: 700, First: 700}, off: 900_000,
			want: "up since 1000700 as of 1900000, 900000-1000700"},
		"down since the boot": {is: enforce.Is{State: enforce.Down, Since: 700, First: 700, Outages: []enforce.Outage{{From: 700}}},
			off: 900_000, want: "down since 900000 as of 1900000"},
		"down since the boot, and up": {
			is:  enforce.Is{State: enforce.Up, Since: 800, First: 700, Outages: []enforce.Outage{{From: 700, To: 800}}},
			off: 900_000, want: "up since 1000800 as of 1900000, 900000-1000800"},
		"up since the boot, with an outage": {
			is:  enforce.Is{State: enforce.Up, Since: 900, First: 700, Outages: []enforce.Outage{{From: 800, To: 900}}},
			off: 900_000, want: "up since 1000900 as of 1900000, 900000-1000700, 1000800-1000900"},
	} {
		c, ok := reports.Of(&tc.is, "rack-1", cmp.Or(tc.known, known), tc.off, own)
		got := ""
		if ok {
			got = "down"
			if c.Up {
				got = "up"
			}
			got += fmt.Sprintf(" since %d as of %d", int64(c.Since), int64(c.At))
		}
		for _, o := range c.Outages {
			got += fmt.Sprintf(", %d-%d", int64(o.From), int64(o.To))
		}
		if got != tc.want {
			t.Errorf("%s: %s, want %s", name, got, tc.want)
		}
		if err := uptime.Check(c.Outages, c.Since, c.At, c.Why); ok && err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
