package meter_test

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"sandglass/domain/instant"
	"sandglass/domain/meter"
	"sandglass/domain/money"
	"sandglass/domain/payment"
	"sandglass/domain/resource"
	"sandglass/domain/stream"
	"sandglass/projections"
	"sandglass/testutil/storetest"
)

// host is a meter at work in a bubble whose clock is that of the test.
type host struct {
	t         *testing.T
	store     stream.EventStore
	views     *projections.Views
	resources *resource.Handler
	meter     *meter.Meter
	ready     chan struct{}
	skew      atomic.Int64 // of the wall clock, in milliseconds
	failures  atomic.Int64
	begin     instant.Time
}

func newHost(t *testing.T, store stream.EventStore) *host {
	h := &host{t: t, store: store, views: projections.New(instant.Hour), ready: make(chan struct{})}
	h.begin = h.now()
	h.resources = &resource.Handler{Aggregate: resource.Aggregate(), Store: store, Warm: h.views.Resource}
	h.meter = &meter.Meter{
		Resources: h.resources, Deadlines: h.views, Now: h.now, Known: h.known, Ready: []<-chan struct{}{h.views.CaughtUp(), h.ready},
		Failed: func(resource.ID, error) { h.failures.Add(1) }, Settled: func(int, instant.Millis) {},
	}
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { _ = projections.Run(ctx, store, h.views) })
	wg.Go(func() { _ = h.meter.Run(ctx) })
	t.Cleanup(func() { stop(); wg.Wait() })
	return h
}

func (h *host) now() instant.Time {
	return instant.Of(time.Now()).Add(instant.Millis(h.skew.Load()))
}

// known is of a wallet that is read all the time.
func (h *host) known(now instant.Time) (instant.Time, instant.Gap) { return now, instant.Gap{} }

func (h *host) do(id resource.ID, c resource.Command) {
	h.t.Helper()
	out, err := h.resources.Execute(h.t.Context(), id, stream.Meta{}, c)
	if err == nil {
		err = h.views.WaitFor(h.t.Context(), out.Position)
	}
	if err != nil {
		h.t.Fatal(err)
	}
}

// order opens a resource at 1 msat a millisecond and pays for so much time.
func (h *host) order(id resource.ID, time instant.Millis) {
	h.t.Helper()
	when := resource.When{At: h.now()}
	terms := resource.Terms{Price: money.Price{Msat: 1, Per: 1}, Warn: resource.Warn{Time: 10 * instant.Minute}, Grace: instant.Hour}
	h.do(id, resource.Open{When: when, Order: resource.Order{Plan: "p", Terms: terms}})
	h.do(id, resource.Credit{When: when, Payment: "pay-" + string(id), Amount: money.Msat(time), Paid: h.now()})
}

// pass lets virtual time pass.
func (h *host) pass(d instant.Millis) {
	time.Sleep(d.Std())
	synctest.Wait()
}

// story returns what happened to a resource: each event's fact, and when, from the begin.
func (h *host) story(id resource.ID) (lines []string) {
	for rec, err := range h.store.Read(h.t.Context(), resource.Prefix+string(id), 0) {
		if err != nil {
			h.t.Fatal(err)
		}
		fact, _, _ := strings.Cut(strings.TrimPrefix(rec.Type, "resource."), ".")
		lines = append(lines, fmt.Sprintf("%s %s", fact, rec.At.Sub(h.begin).Std()))
	}
	return lines
}

func (h *host) want(id resource.ID, want ...string) {
	h.t.Helper()
	if got := h.story(id); !slices.Equal(got, want) {
		h.t.Errorf("%s:\ngot  %s\nwant %s", id, strings.Join(got, ", "), strings.Join(want, ", "))
	}
}

func TestTimeRunsOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, _ := storetest.SQLite(t)
		h := newHost(t, store)
		close(h.ready)
		h.order("vm", 90*instant.Minute)
		h.pass(3 * instant.Hour)
		h.want("vm", "opened 0s", "credited 0s", "started 0s", "debited 1h0m0s", "warned 1h20m0s", "debited 1h20m0s",
			"debited 1h30m0s", "exhausted 1h30m0s", "released 2h30m0s")
	})
}

func TestNothingEndsBeforeTheFirstSweep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, _ := storetest.SQLite(t)
		h := newHost(t, store)
		h.order("vm", 20*instant.Minute)
		h.pass(24 * instant.Hour)
		h.want("vm", "opened 0s", "credited 0s", "started 0s")
		close(h.ready)
		synctest.Wait()
		h.want("vm", "opened 0s", "credited 0s", "started 0s", "warned 10m0s", "debited 20m0s", "exhausted 20m0s", "released 1h20m0s")
	})
}

func TestABacklogIsWorkedThroughInOrder(t *testing.T) {
	const n = 1100 // more than one round of the meter
	synctest.Test(t, func(t *testing.T) {
		store, _ := storetest.SQLite(t)
		h := newHost(t, store)
		for i := range n {
			h.order(resource.ID(fmt.Sprintf("vm-%04d", i)), instant.Millis(n-i)*3*instant.Second)
		}
		before := runtime.NumGoroutine()
		h.pass(24 * instant.Hour)
		if now := runtime.NumGoroutine(); now > before {
			t.Errorf("%d resources cost %d goroutines", n, now-before)
		}
		close(h.ready)
		synctest.Wait()
		if got := h.views.Counts()[resource.StatusReleased]; got != n {
			t.Fatalf("%d of %d resources are released", got, n)
		}
		h.want("vm-0000", "opened 0s", "credited 0s", "started 0s",
			"warned 45m0s", "debited 55m0s", "exhausted 55m0s", "released 1h55m0s")
		if l := h.views.TrialBalance(); l.Prepaid != 0 || l.Income != money.Msat(n*(n+1)/2*3000) {
			t.Errorf("the books say %+v", l)
		}
	})
}

func TestAClockThatJumps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, _ := storetest.SQLite(t)
		h := newHost(t, store)
		close(h.ready)
		h.order("vm", 100*instant.Hour)
		h.pass(90 * instant.Minute)
		h.skew.Store(-int64(instant.Hour)) // back: nothing is debited until it has caught up
		h.pass(59 * instant.Minute)
		h.want("vm", "opened 0s", "credited 0s", "started 0s", "debited 1h0m0s")
		h.skew.Store(int64(24 * instant.Hour)) // ahead: noticed though the timer was set before
		h.pass(instant.Minute)
		got := h.story("vm")
		if last := got[len(got)-1]; len(got) != 5 || last < "debited 26h28m" || last > "debited 26h31m" {
			t.Errorf("got %v", got)
		}
	})
}

func TestAStoreThatFailsIsTriedAgain(t *testing.T) {
	for name, fault := range map[string]storetest.Fault{"lost": storetest.Lost, "answer lost": storetest.AnswerLost} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store, _ := storetest.SQLite(t)
				faults := storetest.Faults(storetest.None, storetest.None, fault, fault)
				h := newHost(t, &storetest.Faulty{EventStore: store, OnAppend: faults})
				h.order("vm", 5*instant.Minute)
				h.pass(2 * instant.Hour)
				close(h.ready)
				h.pass(instant.Minute)
				if h.failures.Load() == 0 {
					t.Error("the fault was not met")
				}
				h.want("vm", "opened 0s", "credited 0s", "started 0s", "warned 0s", "debited 5m0s", "exhausted 5m0s", "released 1h5m0s")
			})
		})
	}
}

// away is a store whose appends wait a second, and then say that it is away, while it is.
type away struct {
	stream.EventStore
	gone atomic.Bool
}

func (a *away) Append(
	ctx context.Context, name string, expected stream.Revision, events []stream.Event,
) (stream.Appended, error) {
	if a.gone.Load() {
		time.Sleep(time.Second)
		return stream.Appended{}, fmt.Errorf("no route: %w", stream.ErrUnavailable)
	}
	return a.EventStore.Append(ctx, name, expected, events)
}

// A store is away for a while: the meter asks it again and again, not for each of all
// that is due, and makes up for it when the store is back.
func TestAStoreThatIsAwayIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inner, _ := storetest.SQLite(t)
		store := &away{EventStore: inner}
		h := newHost(t, store)
		const resources = 200
		for n := range resources {
			h.order(resource.ID(fmt.Sprint("vm-", n)), 5*instant.Minute)
		}
		close(h.ready)
		h.pass(instant.Minute)
		store.gone.Store(true)
		h.pass(14 * instant.Minute)
		const rounds = 300 // in ten minutes, of a second in the store and one of patience
		if n := h.failures.Load(); n < rounds*9/10 || n > (rounds+1)*128 {
			t.Errorf("%d failures", n)
		}
		store.gone.Store(false)
		h.pass(instant.Minute)
		for _, id := range []resource.ID{"vm-0", "vm-199"} {
			h.want(id, "opened 0s", "credited 0s", "started 0s", "warned 0s", "debited 5m0s", "exhausted 5m0s")
		}
	})
}

// A deposit on its way holds off the release, however short the grace, but not for ever.
func TestADepositOnItsWayHoldsOffRelease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, _ := storetest.SQLite(t)
		h := newHost(t, store)
		var coming atomic.Bool
		coming.Store(true)
		h.meter.Pending = func(id resource.ID) (payment.Key, bool) { return "btc-00-0", id != "other" && coming.Load() }
		terms := resource.Terms{Price: money.Price{Msat: 1, Per: 1}}
		for _, id := range []resource.ID{"vm", "other", "lost"} {
			when := resource.When{At: h.now()}
			h.do(id, resource.Open{When: when, Order: resource.Order{Plan: "p", Terms: terms}})
			h.do(id, resource.Credit{When: when, Payment: "pay-" + string(id), Amount: 1_200_000, Paid: h.now()})
		}
		close(h.ready)
		paid := []string{"opened 0s", "credited 0s", "started 0s"}
		out := append(slices.Clone(paid), "debited 20m0s", "exhausted 20m0s")
		h.pass(30 * instant.Hour)
		h.want("other", append(slices.Clone(out), "released 20m0s")...)
		h.want("vm", append(slices.Clone(out), "held 20m0s", "held 24h20m0s")...)
		h.do("vm", resource.Credit{When: resource.When{At: h.now()}, Payment: "btc-00-0", Amount: 1_200_000, Paid: h.now()})
		h.pass(70 * instant.Hour)
		h.want("lost", append(slices.Clone(out), "held 20m0s", "held 24h20m0s", "held 48h20m0s", "released 72h20m0s")...)
		want := append(slices.Clone(out), "held 20m0s", "held 24h20m0s",
			"credited 30h0m0s", "started 30h0m0s", "debited 30h20m0s", "exhausted 30h20m0s")
		h.want("vm", append(want, "held 30h20m0s", "held 54h20m0s", "held 78h20m0s")...)
		coming.Store(false)
		h.pass(5 * instant.Hour)
		h.want("vm", append(want, "held 30h20m0s", "held 54h20m0s", "held 78h20m0s", "released 102h20m0s")...)
	})
}

// An invoice that was given out buys time: its resource is not released while it can be paid.
func TestAnInvoiceThatCanBePaidHoldsOffRelease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, _ := storetest.SQLite(t)
		h := newHost(t, store)
		var payable atomic.Bool
		payable.Store(true)
		h.meter.Payable = func(id resource.ID) bool { return id == "vm" && payable.Load() }
		h.order("vm", instant.Hour)
		h.order("other", instant.Hour)
		close(h.ready)
		paid := []string{
			"opened 0s", "credited 0s", "started 0s", "warned 50m0s", "debited 50m0s", "debited 1h0m0s", "exhausted 1h0m0s",
		}
		h.pass(4 * instant.Hour)
		h.want("vm", paid...)
		h.want("other", append(slices.Clone(paid), "released 2h0m0s")...)
		payable.Store(false)
		h.pass(instant.Hour)
		h.want("vm", append(slices.Clone(paid), "released 2h0m0s")...)
	})
}
