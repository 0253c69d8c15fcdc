package meter_test

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sandglass/domain/instant"
	"sandglass/domain/lightning"
	"sandglass/domain/meter"
	"sandglass/domain/money"
	"sandglass/domain/opening"
	"sandglass/domain/payment"
	"sandglass/domain/request"
	"sandglass/domain/resource"
	"sandglass/domain/stream"
	domain "sandglass/domain/wallet"
	"sandglass/domain/watch"
	"sandglass/projections"
	"sandglass/testutil/storetest"
)

// lnd is a node in memory, which can be away.
type lnd struct {
	node string

	mu      sync.Mutex // guards what follows
	away    bool
	entries []lightning.Entry
}

func (l *lnd) Connect(context.Context) (watch.Identity, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.away {
		return watch.Identity{}, watch.ErrEnded
	}
	return watch.Identity{Node: l.node, Network: "regtest", Synced: true}, nil
}

func (l *lnd) Check(ctx context.Context) (watch.Identity, error) { return l.Connect(ctx) }

func (l *lnd) Settlements(ctx context.Context, _ int64) iter.Seq2[lightning.Entry, error] {
	return func(func(lightning.Entry, error) bool) { <-ctx.Done() }
}

func (l *lnd) Lookup(context.Context, string) (lightning.Entry, error) {
	return lightning.Entry{}, lightning.ErrNoInvoice
}

func (l *lnd) List(_ context.Context, from int64, _ int, backward bool) ([]lightning.Entry, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.away || backward {
		return nil, watch.ErrEnded
	}
	return slices.Clone(l.entries[from:]), nil
}

func (l *lnd) set(away bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.away = away
}

// pay sends an hour's money for a resource.
func (l *lnd) pay(id resource.ID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	i := int64(len(l.entries) + 1)
	hash := fmt.Sprintf("%064x", i)
	e := lightning.Entry{Hash: hash, AddIndex: i, Status: lightning.EntrySettled, Arrivals: []lightning.Arrival{{
		Key: payment.LightningKey(hash), Settle: payment.Settle{
			At: instant.Of(time.Now()), Amount: 3_600_000, Via: payment.ViaKeysend, Node: l.node, Index: i, Resource: id,
		},
	}}}
	l.entries = append(l.entries, e)
}

// node is a daemon with an lnd of its own.
type node struct {
	*lnd
	views    *projections.Views
	watcher  *lightning.Watcher
	sweeps   *meter.Sweeps
	requests *request.Set
	meter    *meter.Meter
}

// watches runs the daemon of a host with a wallet on the log of h.
func (h *host) watches(name string) *node {
	n := &node{lnd: &lnd{node: name}, views: projections.NewFor(name, instant.Hour)}
	n.requests = request.New(request.Options{Store: new(storetest.Memory), Now: h.now, Most: 10})
	resources := &resource.Handler{Aggregate: resource.Aggregate(), Store: h.store}
	var err error
	n.watcher, err = lightning.New(lightning.Config{
		Wallet: n.lnd, Wallets: &domain.Handler{Aggregate: domain.Aggregate(), Store: h.store},
		Booker: &payment.Booker{
			Payments: &payment.Handler{Aggregate: payment.Aggregate(), Store: h.store}, Resources: resources, Now: h.now,
		},
		Waiting:  func(context.Context) ([]lightning.Waiting, error) { return nil, nil },
		Requests: n.requests, Now: h.now,
		Opening: &opening.Rule{
			Requests: n.requests, Resources: resources, Least: func(string, money.Price) money.Msat { return 0 },
		},
	})
	if err != nil {
		h.t.Fatal(err)
	}
	n.sweeps = &meter.Sweeps{
		Node:    func() string { return n.watcher.Health().Node },
		Own:     func(now instant.Time) instant.Time { return n.watcher.SweptTo(name, now) },
		Wallets: n.views.Wallets,
		OnChain: func(string) bool { return false },
		Skew:    2 * instant.Minute,
	}
	woken := make(chan struct{}, 1)
	n.meter = &meter.Meter{
		Resources: resources, Deadlines: n.views, Now: h.now, Ready: []<-chan struct{}{n.views.CaughtUp()}, Woken: woken,
		Known:   func(now instant.Time) (instant.Time, instant.Gap) { return n.sweeps.To(now), instant.Gap{} },
		Failed:  func(id resource.ID, err error) { h.t.Errorf("%s: %v", id, err) },
		Settled: func(int, instant.Millis) {},
	}
	ctx, stop := context.WithCancel(h.t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { _ = projections.Run(ctx, h.store, n.views) })
	wg.Go(func() { _ = n.watcher.Run(ctx) })
	wg.Go(func() { _ = n.meter.Run(ctx) })
	wg.Go(func() {
		for ctx.Err() == nil {
			select {
			case <-ctx.Done():
			case <-n.watcher.Finished():
				watch.Signal(woken)
			case <-n.views.WalletsMoved():
				watch.Signal(woken)
			}
		}
	})
	h.t.Cleanup(func() { stop(); wg.Wait() })
	return n
}

// orderAt is order at a host.
func (h *host) orderAt(host string, ids ...resource.ID) {
	h.t.Helper()
	for _, id := range ids {
		h.order(id, instant.Hour)
		h.place(id, host)
	}
}

func (h *host) retire(name string) {
	h.t.Helper()
	handler := domain.Handler{Aggregate: domain.Aggregate(), Store: h.store}
	if _, err := handler.Execute(h.t.Context(), name, stream.Meta{}, domain.Retire{At: h.now()}); err != nil {
		h.t.Fatal(err)
	}
	synctest.Wait()
}

var ranOut = []string{"opened 0s", "credited 0s", "started 0s", "placed 0s", "warned 50m0s", "debited 50m0s", "debited 1h0m0s",
	"exhausted 1h0m0s"}

// Two hosts with an lnd each. A customer of one pays in time at the other's node, whose daemon does
// not see it: nobody is released who may have paid there, however long it takes. Once it
// is swept, who paid is credited, and who did not is released at once.
func TestPaidInTimeAtAnotherHostsNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, _ := storetest.SQLite(t)
		h := newHost(t, store) // whose meter never gets ready
		a, b := h.watches("02aa"), h.watches("02bb")
		h.orderAt("02aa", "paid", "unpaid")
		h.pass(30 * instant.Minute)
		b.set(true)
		h.pass(89 * instant.Minute)
		b.pay("paid") // of the first two hours, in the last minute
		h.pass(50 * instant.Hour)
		h.want("paid", ranOut...)
		h.want("unpaid", ranOut...)
		if late, since, ok := a.sweeps.Late(h.now()); !ok || late != "02bb" || since == 0 || !a.views.ReleaseWaits(since, h.now()) {
			t.Errorf("releases wait for %q, swept to %s, %v", late, since, ok)
		}
		b.set(false)
		for since := h.now(); b.watcher.SweptTo("02bb", h.now()) < since && h.now().Sub(since) < instant.Minute; {
			h.pass(10) // until it is swept
		}
		h.want("unpaid", append(slices.Clone(ranOut), "released 2h0m0s")...)
		if got := h.story("paid"); !slices.Contains(facts(got), "credited") || slices.Contains(facts(got), "released") {
			t.Errorf("who paid in time: %v", got)
		}
		if s, _, _ := a.views.Resource("paid"); s.Status != resource.StatusRunning {
			t.Errorf("who paid in time is %s", s.Status)
		}
		if late, _, ok := a.sweeps.Late(h.now()); ok {
			t.Errorf("nothing waits, and %s is late", late)
		}
	})
}

func facts(story []string) (list []string) {
	for _, line := range story[4:] {
		var fact string
		_, _ = fmt.Sscan(line, &fact)
		list = append(list, fact)
	}
	return list
}

// While all is well, releases come within the hour: no later than the other host is heard.
func TestReleasesWaitNoLongerThanAnHour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, _ := storetest.SQLite(t)
		h := newHost(t, store)
		h.watches("02aa")
		h.watches("02bb")
		h.orderAt("02aa", "vm")
		h.pass(3*instant.Hour + 5*instant.Minute)
		h.want("vm", append(slices.Clone(ranOut), "released 2h0m0s")...)
	})
}

// A node is gone, and is retired: releases go on at once. When it is watched again it counts again.
func TestAGoneNodeIsRetired(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, _ := storetest.SQLite(t)
		h := newHost(t, store)
		a, b := h.watches("02aa"), h.watches("02bb")
		h.orderAt("02aa", "vm")
		h.pass(30 * instant.Minute)
		b.set(true)
		h.pass(20 * instant.Hour)
		h.want("vm", ranOut...)
		h.retire("02bb")
		h.want("vm", append(slices.Clone(ranOut), "released 2h0m0s")...)
		if late, _, ok := a.sweeps.Late(h.now()); ok {
			t.Errorf("%s is retired, and late", late)
		}
		if to := a.sweeps.To(h.now()); h.now().Sub(to) > 3*instant.Minute {
			t.Errorf("all is known up to %s", to)
		}
		b.set(false)
		h.pass(instant.Minute)
		b.set(true)
		h.pass(5 * instant.Hour)
		if late, since, ok := a.sweeps.Late(h.now()); !ok || late != "02bb" || a.sweeps.To(h.now()) != since {
			t.Errorf("it was back, and went: %q is late, since %s", late, since)
		}
	})
}

// A log of before tells of wallets, but not up to when all is known: what may have been paid there
// waits until a daemon that tells it has swept them, or they are retired.
func TestALogOfBeforeKnowsNothingOfOtherWallets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, _ := storetest.SQLite(t)
		h := newHost(t, store)
		for _, name := range []string{"02bb", "02cc"} {
			adopted := stream.Encode(&domain.Adopted{
				At: domain.At{At: h.now()}, Epoch: 1, Network: "regtest", Reason: domain.FirstStart,
			})
			adopted.ID = stream.NewID(domain.Prefix+name, 0, adopted)
			swept := stream.Event{Type: "wallet.swept.v1", At: h.now(), Data: []byte(`{"settle_index":0,"add_index":0}`)}
			swept.ID = stream.NewID(domain.Prefix+name, 1, swept)
			if _, err := store.Append(t.Context(), domain.Prefix+name, stream.NoStream, []stream.Event{adopted, swept}); err != nil {
				t.Fatal(err)
			}
		}
		a := h.watches("02aa")
		h.orderAt("02aa", "vm")
		h.pass(5 * instant.Hour)
		h.want("vm", ranOut...)
		if late, since, ok := a.sweeps.Late(h.now()); !ok || since != 0 {
			t.Errorf("%q is late, swept to %s", late, since)
		}
		h.watches("02bb")
		h.pass(instant.Minute)
		h.want("vm", ranOut...)
		if late, _, _ := a.sweeps.Late(h.now()); late != "02cc" {
			t.Errorf("%q is late", late)
		}
		h.retire("02cc")
		h.want("vm", append(slices.Clone(ranOut), "released 2h0m0s")...)
	})
}

// What is known of all wallets, by what is told of each.
func TestSweepsTo(t *testing.T) {
	const now = instant.Time(10 * instant.Hour)
	at := func(before instant.Millis) instant.Time { return now.Add(-before) }
	all := []domain.State{
		{Node: "own", Invoices: at(9 * instant.Hour)},
		{Node: "b", Invoices: at(instant.Hour)},
		{Node: "c", Invoices: at(3 * instant.Hour), Retired: 1},
		{Node: "d", Invoices: at(instant.Minute), Chain: at(2*instant.Hour - instant.Minute)},
	}
	onChain := false
	own := now
	s := meter.Sweeps{
		Node: func() string { return "own" }, Own: func(instant.Time) instant.Time { return own },
		Wallets: func() []domain.State { return all }, OnChain: func(node string) bool { return onChain && node == "d" },
		Skew: 2 * instant.Minute,
	}
	want := func(to instant.Time, late string) {
		t.Helper()
		if got := s.To(now); got != to {
			t.Errorf("all is known up to %s, want %s", got, to)
		}
		if got, _, _ := s.Late(now); got != late {
			t.Errorf("%q is late, want %q", got, late)
		}
	}
	want(at(instant.Hour+2*instant.Minute), "")
	onChain = true
	want(at(2*instant.Hour+instant.Minute), "d")
	own = 0
	want(0, "d")
	all, own = all[:1], now
	want(now, "")
}
