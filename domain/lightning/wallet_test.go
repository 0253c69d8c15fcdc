package lightning_test

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"sandglass/domain/instant"
	"sandglass/domain/lightning"
	"sandglass/domain/money"
	"sandglass/domain/opening"
	"sandglass/domain/payment"
	"sandglass/domain/request"
	"sandglass/domain/resource"
	"sandglass/domain/stream"
	"sandglass/domain/wallet"
	"sandglass/domain/watch"
	"sandglass/testutil/storetest"
)

const node = "02aa"

// fakeWallet is a wallet in memory, in which time can stand still.
type fakeWallet struct {
	mu       sync.Mutex // guards what follows
	entries  []lightning.Entry
	settled  int64
	live     []chan lightning.Entry
	connects []time.Time
	refuse   error // of Connect
	broken   error // of List
}

func (w *fakeWallet) Connect(context.Context) (watch.Identity, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.connects = append(w.connects, time.Now())
	return watch.Identity{Node: node, Network: "regtest", Synced: true}, w.refuse
}

func (w *fakeWallet) Check(context.Context) (watch.Identity, error) {
	return watch.Identity{Node: node, Network: "regtest", Synced: true}, nil
}

func (w *fakeWallet) Settlements(ctx context.Context, after int64) iter.Seq2[lightning.Entry, error] {
	return func(yield func(lightning.Entry, error) bool) {
		told := make(chan lightning.Entry, 100)
		w.mu.Lock()
		w.live = append(w.live, told)
		for _, e := range w.entries {
			if len(e.Arrivals) > 0 && after > 0 && e.Arrivals[0].Settle.Index > after {
				told <- e
			}
		}
		w.mu.Unlock()
		for {
			select {
			case e := <-told:
				if !yield(e, nil) {
					return
				}
			case <-ctx.Done():
				return
			}
		}
	}
}

func (w *fakeWallet) Lookup(_ context.Context, hash string) (lightning.Entry, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range w.entries {
		if e.Hash == hash {
			return e, nil
		}
	}
	return lightning.Entry{}, lightning.ErrNoInvoice
}

func (w *fakeWallet) List(_ context.Context, from int64, limit int, backward bool) ([]lightning.Entry, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.broken != nil {
		return nil, w.broken
	}
	var page []lightning.Entry
	for _, e := range w.entries {
		if backward && (from == 0 || e.AddIndex < from) || !backward && e.AddIndex > from {
			page = append(page, e)
		}
	}
	if backward {
		slices.Reverse(page)
	}
	return page[:min(limit, len(page))], nil
}

// add adds an open invoice, and returns its hash.
func (w *fakeWallet) add() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	i := int64(len(w.entries) + 1)
	w.entries = append(w.entries, lightning.Entry{Hash: fmt.Sprintf("%064x", i), AddIndex: i})
	return w.entries[i-1].Hash
}

// pay settles an invoice, at the next settle_index but for the ones to be left out. It
// tells whoever listens, if it is to.
func (w *fakeWallet) pay(hash string, amount money.Msat, leaveOut int64, tell bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.settled += leaveOut + 1
	for i := range w.entries {
		e := &w.entries[i]
		if e.Hash != hash {
			continue
		}
		c := payment.Settle{At: now() / 1000 * 1000, Amount: amount, Via: "bolt11", Index: w.settled}
		e.Status = lightning.EntrySettled
		e.Arrivals = []lightning.Arrival{{Key: payment.LightningKey(hash), Settle: c}}
		for _, told := range w.live {
			if tell {
				told <- *e
			}
		}
	}
}

// describe writes the description of an invoice.
func (w *fakeWallet) describe(hash, text string) {
	w.change(func() {
		for i := range w.entries {
			if w.entries[i].Hash == hash {
				w.entries[i].Description = text
			}
		}
	})
}

func (w *fakeWallet) change(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f()
}

func now() instant.Time { return instant.Of(time.Now()) }

// fixture is a watcher of a fake wallet, in a bubble in which all timers are the test's.
type fixture struct {
	*lightning.Watcher
	t          *testing.T
	fakeWallet *fakeWallet
	store      stream.EventStore
	booker     *payment.Booker
	wallets    *wallet.Handler
	requests   *request.Set
	signer     request.Signer
	stop       func()
	sweptChain func(string, instant.Time) instant.Time
	doubted    atomic.Bool

	mu      sync.Mutex // guards what follows
	asked   []lightning.Waiting
	notices []watch.Notice
	sweeps  int
	found   int
}

// inBubble runs a test with the defaults of a watcher, on a log in a file.
func inBubble(t *testing.T, test func(*testing.T, *fixture)) {
	synctest.Test(t, func(t *testing.T) {
		store, clock := storetest.SQLite(t)
		clock.Set(now())
		f := &fixture{t: t, fakeWallet: &fakeWallet{}, store: store, booker: booker(store), signer: request.Signer{Key: [32]byte{1}}}
		f.requests = request.New(request.Options{Store: new(storetest.Memory), Now: now, Most: 10})
		f.wallets = &wallet.Handler{Aggregate: wallet.Aggregate(), Store: store}
		t.Cleanup(func() { f.stop() })
		f.stop = func() {}
		test(t, f)
	})
}

// start starts a watcher, and waits until nothing moves but time.
func (f *fixture) start() {
	f.t.Helper()
	var err error
	f.Watcher, err = lightning.New(f.config())
	if err != nil {
		f.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(f.t.Context())
	done := make(chan error, 1)
	go func() { done <- f.Run(ctx) }()
	var once sync.Once
	f.stop = func() {
		once.Do(func() {
			cancel()
			if err := <-done; err != nil {
				f.t.Error(err)
			}
		})
	}
	synctest.Wait()
}

// nothing is on its way.
type nothing struct{}

func (nothing) PaymentsOf(resource.ID) []payment.State         { return nil }
func (nothing) WaitFor(context.Context, stream.Position) error { return nil }

// opening returns the rule of a daemon, which its booker asks.
func (f *fixture) opening() *opening.Rule {
	r := &opening.Rule{
		Requests: f.requests, Resources: f.booker.Resources, Log: nothing{}, Head: f.store.Head,
		Least: func(string, money.Price) money.Msat { return 100 },
	}
	f.booker.Refuses = r.Refuses
	return r
}

func (f *fixture) config() lightning.Config {
	return lightning.Config{
		Wallet: f.fakeWallet, Wallets: f.wallets, Booker: f.booker, Waiting: f.waiting, Observer: observer{f}, Now: now,
		Requests: f.requests, Signer: f.signer, Late: 10 * instant.Minute, Opening: f.opening(),
		SweptChain: f.sweptChain, Doubted: f.doubted.Load,
	}
}

// ready is start, with the sweep after the first one over.
func (f *fixture) ready() {
	f.t.Helper()
	f.start()
	f.pass(5 * time.Second)
	select {
	case <-f.Swept():
	default:
		f.t.Fatalf("no sweep: %+v", f.Health())
	}
}

// pass lets time pass.
func (f *fixture) pass(d time.Duration) {
	time.Sleep(d) // in a bubble nobody waits for it
	synctest.Wait()
}

func (f *fixture) waiting(ctx context.Context) (open []lightning.Waiting, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, p := range f.asked {
		out, err := f.booker.Payments.Load(ctx, p.Key)
		if err != nil {
			return nil, err
		}
		if p.Status = out.State.Status; p.Status == payment.StatusRequested || p.Status == payment.StatusSettled {
			open = append(open, p)
		}
	}
	return open, nil
}

func (f *fixture) open(ids ...resource.ID) {
	f.t.Helper()
	for _, id := range ids {
		_, err := f.booker.Resources.Execute(f.t.Context(), id, stream.Meta{}, resource.Open{
			When: resource.When{At: now()},
			Order: resource.Order{
				Plan:    "small",
				Request: [16]byte{1},
				Terms:   resource.Terms{Price: money.Price{Msat: 1, Per: 1000}},
			},
		})
		if err != nil {
			f.t.Fatal(err)
		}
	}
}

// order asks for money for a resource, and returns the invoice's hash.
func (f *fixture) order(id resource.ID) string {
	f.t.Helper()
	hash, expiry := f.fakeWallet.add(), now().Add(instant.Hour)
	_, err := f.booker.Payments.Execute(f.t.Context(), payment.LightningKey(hash), stream.Meta{}, payment.Request{
		At: now(), Resource: id, Price: money.Price{Msat: 1, Per: 1000}, Expiry: expiry, Invoice: hash,
	})
	if err != nil {
		f.t.Fatal(err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = append(f.asked, lightning.Waiting{Key: payment.LightningKey(hash), Expiry: expiry})
	return hash
}

// Booked implements [watch.Observer].
func (f *fixture) Booked(_ payment.Via, bySweep bool, _ time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if bySweep {
		f.found++
	}
}

// observer is the fixture as its watcher sees it.
type observer struct{ *fixture }

// Swept implements [watch.Observer].
func (o observer) Swept(time.Duration, int, int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.sweeps++
}

// Notice implements [watch.Observer].
func (f *fixture) Notice(n watch.Notice) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.notices = append(f.notices, n)
}

func (f *fixture) signs(s watch.Sign) (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, notice := range f.notices {
		if notice.Sign == s {
			n++
		}
	}
	return n
}

func (f *fixture) status(hash string) payment.Status {
	f.t.Helper()
	out, err := f.booker.Payments.Load(f.t.Context(), payment.LightningKey(hash))
	if err != nil {
		f.t.Fatal(err)
	}
	return out.State.Status
}

func (f *fixture) wallet() wallet.State {
	f.t.Helper()
	out, err := f.wallets.Load(f.t.Context(), node)
	if err != nil {
		f.t.Fatal(err)
	}
	return out.State
}

func (f *fixture) sweepsSoFar() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.sweeps
}

func (f *fixture) foundSoFar() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.found
}
