package meter_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"sandglass/domain/instant"
	"sandglass/domain/resource"
	"sandglass/testutil/storetest"
)

// wallet is what a test knows of what was paid.
type wallet struct {
	mu    sync.Mutex
	swept instant.Time
	away  bool
	gap   instant.Gap
}

func (w *wallet) known(now instant.Time) (instant.Time, instant.Gap) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.away {
		w.swept = now
	}
	return w.swept, w.gap
}

func (w *wallet) set(away bool, gap instant.Gap) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.away, w.gap = away, gap
}

// The wallet goes away, and a customer pays in time: however long it takes until that is seen,
// the money finds its resource.
func TestPaidInTimeAndSeenLateIsCredited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, _ := storetest.SQLite(t)
		h := newHost(t, store)
		var w wallet
		h.meter.Known = w.known
		close(h.ready)
		h.order("paid", instant.Hour)
		h.order("unpaid", instant.Hour)
		h.pass(30 * instant.Minute)
		w.set(true, instant.Gap{})
		inTime := h.now()
		h.pass(10 * instant.Day)
		want := []string{"opened 0s", "credited 0s", "started 0s", "warned 50m0s", "debited 50m0s",
			"debited 1h0m0s", "exhausted 1h0m0s"}
		h.want("paid", want...)
		h.do("paid", resource.Credit{When: resource.When{At: h.now()}, Payment: "late", Amount: 3_600_000, Paid: inTime})
		w.set(false, instant.Gap{})
		h.pass(instant.Minute)
		h.want("paid", append(slices.Clone(want), "credited 240h30m0s", "started 240h30m0s", "recovered 240h30m0s")...)
		h.want("unpaid", append(want, "released 2h0m0s")...)
	})
}

// A sweep that is over wakes the meter: nobody waits for its next look.
func TestASweepWakesTheMeter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, _ := storetest.SQLite(t)
		h := newHost(t, store)
		var w wallet
		w.set(true, instant.Gap{})
		woken := make(chan struct{}, 1)
		h.meter.Known, h.meter.Woken = w.known, woken
		close(h.ready)
		h.order("vm", instant.Minute)
		h.pass(2 * instant.Hour)
		w.set(false, instant.Gap{})
		woken <- struct{}{}
		synctest.Wait() // in no time
		if got := h.story("vm"); got[len(got)-1] != "released 1h1m0s" {
			t.Errorf("it is not released: %v", got)
		}
	})
}

// More resources than one round takes wait for the wallet, and keep nobody else waiting.
func TestWhatWaitsForTheWalletKeepsNobodyWaiting(t *testing.T) {
	const n = 1100
	synctest.Test(t, func(t *testing.T) {
		store, _ := storetest.SQLite(t)
		h := newHost(t, store)
		var w wallet
		w.set(true, instant.Gap{})
		h.meter.Known = w.known
		close(h.ready)
		for i := range n {
			h.order(resource.ID(fmt.Sprintf("out-%04d", i)), instant.Minute)
		}
		h.order("vm", 5*instant.Hour)
		h.pass(6 * instant.Hour)
		h.want("vm", "opened 0s", "credited 0s", "started 0s", "debited 1h0m0s", "debited 2h0m0s", "debited 3h0m0s", "debited 4h0m0s",
			"warned 4h50m0s", "debited 4h50m0s", "debited 5h0m0s", "exhausted 5h0m0s")
		if got := h.views.Counts()[resource.StatusSuspended]; got != n+1 {
			t.Errorf("%d are suspended", got)
		}
		w.set(false, instant.Gap{})
		h.pass(instant.Minute)
		if got := h.views.Counts()[resource.StatusReleased]; got != n+1 {
			t.Errorf("%d are released", got)
		}
	})
}

func TestAfterAGapTheGraceIsGivenAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, _ := storetest.SQLite(t)
		h := newHost(t, store)
		var w wallet
		h.meter.Known = w.known
		h.order("vm", instant.Hour)
		h.pass(50 * instant.Hour) // the daemon was dead
		w.set(false, instant.Gap{End: h.now(), Length: 50 * instant.Hour})
		close(h.ready)
		h.pass(59 * instant.Minute)
		want := []string{"opened 0s", "credited 0s", "started 0s", "warned 50m0s", "debited 1h0m0s", "exhausted 1h0m0s"}
		h.want("vm", want...)
		h.pass(2 * instant.Minute)
		h.want("vm", append(want, "released 2h0m0s")...)
	})
}
