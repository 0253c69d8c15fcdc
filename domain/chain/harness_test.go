package chain_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sandglass/domain/address"
	"sandglass/domain/chain"
	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/opening"
	"sandglass/domain/payment"
	"sandglass/domain/plan"
	"sandglass/domain/request"
	"sandglass/domain/resource"
	"sandglass/domain/stream"
	"sandglass/domain/watch"
	"sandglass/projections"
	"sandglass/testutil/storetest"
)

// harness is a watcher of a simulated chain, in a bubble in which all timers are the test's.
type harness struct {
	*chain.Watcher
	t           *testing.T
	wallet      *fakeWallet
	store       *storetest.Faulty
	booker      *payment.Booker
	views       *projections.Views
	requests    *request.Set
	stop        func()
	twoWatchers bool                                         // another daemon watches for the same log
	height      int64                                        // at which the addresses were issued
	issuedBy    func(addr string) (resource.ID, int64, bool) // whose an address is, if it is not h.issued that tells
	issuedAfter func(n int) (int64, int)
	late        func([]payment.State) []payment.State // what a late projection has instead; nil if it is in time
	large       plan.ConfirmationRule
	least       money.Msat // that a plan sells
	deepPlan    string     // whose orders ask for 6 confirmations

	mu      sync.Mutex // guards what follows
	notices []watch.Notice
	found   int
}

const node = "02aa"

func now() instant.Time { return instant.Of(time.Now()) }

func newBooker(store stream.EventStore) *payment.Booker {
	return &payment.Booker{
		Payments:  &payment.Handler{Aggregate: payment.Aggregate(), Store: store},
		Resources: &resource.Handler{Aggregate: resource.Aggregate(), Store: store},
		Now:       now,
	}
}

// onChain runs a test with a watcher on a simulated chain. Each resource vm-n has the
// address addr-n, and asks for 3 confirmations; vm-deep asks for 6.
func onChain(t *testing.T, test func(*testing.T, *harness)) {
	synctest.Test(t, func(t *testing.T) {
		store, clock := storetest.SQLite(t)
		clock.Set(now())
		h := &harness{
			t: t, wallet: newFakeWallet(), store: &storetest.Faulty{EventStore: store}, views: projections.New(instant.Hour),
			stop: func() {}, height: 12,
		}
		h.booker = newBooker(h.store)
		h.requests = request.New(request.Options{Store: new(storetest.Memory), Now: now, Most: 10})
		ctx, end := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- projections.Run(ctx, store, h.views) }()
		t.Cleanup(func() {
			h.stop()
			end()
			<-done
		})
		h.open("vm-1", "vm-2", "vm-deep")
		test(t, h)
	})
}

func (h *harness) open(ids ...resource.ID) {
	h.t.Helper()
	for _, id := range ids {
		h.executeOnResource(id, resource.Open{
			When: resource.When{At: now()},
			Order: resource.Order{
				Plan:    "small",
				Request: [16]byte{1},
				Terms:   resource.Terms{Price: money.Price{Msat: 1000, Per: 1000}, Grace: 4 * instant.Day},
			},
		})
	}
	synctest.Wait()
}

func (h *harness) issued(addr string) (resource.ID, int64, bool) {
	if n, ok := strings.CutPrefix(addr, "addr-"); ok {
		return resource.ID("vm-" + n), h.height, true
	}
	return h.views.Issued(addr)
}

// config is what a watcher works with.
func (h *harness) config() chain.Config {
	issued := h.issued
	if h.issuedBy != nil {
		issued = h.issuedBy
	}
	return chain.Config{
		Wallet: h.wallet, Booker: h.booker, Issued: issued, IssuedAfter: h.issuedAfter,
		Lowest: func() (int64, bool) { return h.height, true }, Waiting: h.waiting,
		Required: func(p *payment.State, sum money.Msat) int {
			if p.Resource == "vm-deep" || p.Order != nil && p.Order.Plan == h.deepPlan {
				return 6
			}
			return h.large.Required(sum, 3)
		},
		Opening:  h.opening(h.booker, h.requests),
		Observer: chainObserver{h}, Now: now, FinalDepth: 10,
		Requests: h.requests, Addresses: &address.Handler{Aggregate: address.Aggregate(), Store: h.store},
	}
}

// opening returns the rule of a daemon, which its booker asks.
func (h *harness) opening(b *payment.Booker, requests *request.Set) *opening.Rule {
	r := &opening.Rule{
		Requests: requests, Resources: b.Resources, Log: h.views, Head: h.store.Head,
		Least: func(string, money.Price) money.Msat { return h.least },
	}
	b.Refuses = r.Refuses
	return r
}

// start starts a watcher, and waits until nothing moves but time.
func (h *harness) start() {
	h.t.Helper()
	conf := h.config()
	ctx, cancel := context.WithCancel(h.t.Context())
	watchers := make([]*chain.Watcher, 1, 2)
	if h.twoWatchers {
		watchers = watchers[:2]
	}
	for i := range watchers {
		var err error
		if watchers[i], err = chain.New(conf); err != nil {
			h.t.Fatal(err)
		}
	}
	h.Watcher = watchers[len(watchers)-1]
	conf.Opening.Unlogged = h.Unlogged // before any of them runs: it is theirs together
	var running sync.WaitGroup
	for _, w := range watchers {
		running.Go(func() {
			if err := w.Run(ctx); err != nil {
				h.t.Error(err)
			}
		})
	}
	var once sync.Once
	h.stop = func() { once.Do(func() { cancel(); running.Wait() }) }
	h.pass(time.Second)
}

func (h *harness) waiting() (list []payment.State) {
	for _, p := range h.views.OpenPayments() {
		if p.OnChain() {
			list = append(list, p)
		}
	}
	if h.late != nil {
		return h.late(list)
	}
	return list
}

func (h *harness) pass(d time.Duration) {
	time.Sleep(d) // in a bubble nobody waits for it
	synctest.Wait()
}

// blocks mines empty blocks, one after the other.
func (h *harness) blocks(n int) {
	for range n {
		h.wallet.do(h.wallet.mineEmpty)
		h.pass(time.Minute)
	}
}

// change changes the chain, and lets the watcher see it.
func (h *harness) change(f func()) {
	h.wallet.do(f)
	h.pass(time.Minute)
}

// pays sends sats to an address, and returns the transaction.
func (h *harness) pays(to string, sats ...int64) (t tx) {
	for _, sat := range sats {
		t.pays = append(t.pays, pay{to, sat})
	}
	h.change(func() { t = h.wallet.add(t) })
	return t
}

func (h *harness) state(t tx, vout uint32) payment.State {
	h.t.Helper()
	out, err := h.booker.Payments.Load(h.t.Context(), payment.ChainKey(t.id, vout))
	if err != nil {
		h.t.Fatal(err)
	}
	return out.State
}

// want checks the status of outputs of transactions, from vout 0.
func (h *harness) want(t tx, want ...payment.Status) {
	h.t.Helper()
	for i, w := range want {
		if s := h.state(t, uint32(i)); s.Status != w {
			h.t.Errorf("output %d is %s (%s), want %s", i, s.Status, s.Reason, w)
		}
	}
}

func (h *harness) executeOnResource(id resource.ID, c resource.Command) {
	h.t.Helper()
	if _, err := h.booker.Resources.Execute(h.t.Context(), id, stream.Meta{}, c); err != nil {
		h.t.Fatal(err)
	}
}

func (h *harness) resource(id resource.ID) resource.State {
	h.t.Helper()
	out, err := h.booker.Resources.Load(h.t.Context(), id)
	if err != nil {
		h.t.Fatal(err)
	}
	return out.State
}

// sum returns Σ credits − Σ reversals of all resources.
func (h *harness) sum() (sum money.Msat) {
	h.t.Helper()
	for _, id := range []resource.ID{"vm-1", "vm-2", "vm-deep"} {
		s := h.resource(id)
		sum += s.Credited - s.ReversedSum
	}
	return sum
}

func (h *harness) credited(id resource.ID, sat int64) {
	h.t.Helper()
	s := h.resource(id)
	if got := s.Credited - s.ReversedSum; got != money.Msat(sat)*money.Sat {
		h.t.Errorf("%s has %s, want %d sat", id, got, sat)
	}
}

func (h *harness) count(key payment.Key, kind string) (n int) {
	h.t.Helper()
	for rec, err := range h.store.Read(h.t.Context(), payment.Prefix+string(key), 0) {
		if err != nil {
			h.t.Fatal(err)
		}
		if rec.Type == kind {
			n++
		}
	}
	return n
}

type chainObserver struct{ *harness }

func (o chainObserver) Booked(_ payment.Via, bySweep bool, _ time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if bySweep {
		o.found++
	}
}

func (chainObserver) Swept(time.Duration, int, int) {}

func (o chainObserver) Notice(n watch.Notice) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.notices = append(o.notices, n)
}

func (h *harness) signs(s watch.Sign) (n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, notice := range h.notices {
		if notice.Sign == s {
			n++
		}
	}
	return n
}

func (h *harness) isSwept() bool {
	select {
	case <-h.Swept():
		return true
	default:
		return false
	}
}
