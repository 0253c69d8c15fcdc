package payment_test

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
	"sandglass/domain/money"
	"sandglass/domain/payment"
	"sandglass/domain/resource"
	"sandglass/domain/stream"
	"sandglass/domain/wallet"
	"sandglass/testutil/storetest"
)

const node = "02aa"

// till is a wallet in memory, in which time can stand still.
type till struct {
	mu       sync.Mutex // guards what follows
	entries  []payment.Entry
	settled  int64
	live     []chan payment.Entry
	connects []time.Time
	refuse   error // of Connect
	broken   error // of List
}

func (w *till) Connect(context.Context) (payment.Identity, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.connects = append(w.connects, time.Now())
	return payment.Identity{Node: node, Network: "regtest", Synced: true}, w.refuse
}

func (w *till) Check(context.Context) (payment.Identity, error) {
	return payment.Identity{Node: node, Network: "regtest", Synced: true}, nil
}

func (w *till) Settlements(ctx context.Context, after int64) iter.Seq2[payment.Entry, error] {
	return func(yield func(payment.Entry, error) bool) {
		told := make(chan payment.Entry, 100)
		w.mu.Lock()
		w.live = append(w.live, told)
		for _, e := range w.entries {
			if len(e.Arrivals) > 0 && after > 0 && e.Arrivals[0].Settled.Index > after {
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

func (w *till) Lookup(_ context.Context, hash string) (payment.Entry, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range w.entries {
		if e.Hash == hash {
			return e, nil
		}
	}
	return payment.Entry{}, payment.ErrNoInvoice
}

func (w *till) List(_ context.Context, from int64, limit int, backward bool) ([]payment.Entry, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.broken != nil {
		return nil, w.broken
	}
	var page []payment.Entry
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
func (w *till) add() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	i := int64(len(w.entries) + 1)
	w.entries = append(w.entries, payment.Entry{Hash: fmt.Sprintf("%064x", i), AddIndex: i})
	return w.entries[i-1].Hash
}

// pay settles an invoice, at the next settle_index but for the ones to be left out. It
// tells who listens, if it is to.
func (w *till) pay(hash string, amount money.Msat, leaveOut int64, tell bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.settled += leaveOut + 1
	for i := range w.entries {
		e := &w.entries[i]
		if e.Hash != hash {
			continue
		}
		s := payment.Settled{At: payment.At{At: now() / 1000 * 1000}, Amount: amount, Via: "bolt11", Index: w.settled}
		e.Status = payment.EntrySettled
		e.Arrivals = []payment.Arrival{{Key: "ln-" + hash, Settled: s}}
		for _, told := range w.live {
			if tell {
				told <- *e
			}
		}
	}
}

func (w *till) change(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f()
}

func now() instant.Time { return instant.Of(time.Now()) }

// watch is a watcher on a till, in a bubble in which all timers are the test's.
type watch struct {
	*payment.Watcher
	t       *testing.T
	till    *till
	store   stream.EventStore
	booker  *payment.Booker
	wallets *payment.Wallets
	stop    func()

	mu      sync.Mutex // guards what follows
	asked   []payment.Waiting
	notices []payment.Notice
	sweeps  int
	found   int
}

// inBubble runs a test with the defaults of a watcher, on a log in a file.
func inBubble(t *testing.T, test func(*testing.T, *watch)) {
	synctest.Test(t, func(t *testing.T) {
		store, clock := storetest.SQLite(t)
		clock.Set(now())
		w := &watch{t: t, till: &till{}, store: store, booker: booker(store)}
		w.booker.Now = now
		w.wallets = &payment.Wallets{Aggregate: wallet.Aggregate(), Store: store}
		t.Cleanup(func() { w.stop() })
		w.stop = func() {}
		test(t, w)
	})
}

// start starts a watcher, and waits until nothing moves but time.
func (w *watch) start() {
	w.t.Helper()
	var err error
	w.Watcher, err = payment.NewWatcher(payment.WatcherConfig{
		Wallet: w.till, Wallets: w.wallets, Booker: w.booker, Waiting: w.waiting, Observer: observer{w}, Now: now,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(w.t.Context())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	var once sync.Once
	w.stop = func() {
		once.Do(func() {
			cancel()
			if err := <-done; err != nil {
				w.t.Error(err)
			}
		})
	}
	synctest.Wait()
}

// ready is start, with the sweep after the first one over.
func (w *watch) ready() {
	w.t.Helper()
	w.start()
	w.pass(5 * time.Second)
	select {
	case <-w.Swept():
	default:
		w.t.Fatalf("no sweep: %+v", w.Health())
	}
}

// pass lets time pass.
func (w *watch) pass(d time.Duration) {
	time.Sleep(d) // in a bubble nobody waits for it
	synctest.Wait()
}

func (w *watch) waiting(ctx context.Context) (open []payment.Waiting, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, p := range w.asked {
		out, err := w.booker.Payments.Load(ctx, p.Key)
		if err != nil {
			return nil, err
		}
		if p.Status = out.State.Status; p.Status == payment.StatusRequested || p.Status == payment.StatusSettled {
			open = append(open, p)
		}
	}
	return open, nil
}

func (w *watch) open(ids ...string) {
	w.t.Helper()
	for _, id := range ids {
		tell(w.t, w.booker, id, resource.Open{When: resource.When{At: now()}, Plan: "small", Terms: resource.Terms{
			Price: money.Price{Msat: 1, Per: 1000}}, Request: [16]byte{1}})
	}
}

// order asks for money for a resource, and returns the invoice's hash.
func (w *watch) order(id string) string {
	w.t.Helper()
	hash, expiry := w.till.add(), now().Add(instant.Hour)
	_, err := w.booker.Payments.Execute(w.t.Context(), "ln-"+hash, stream.Meta{}, payment.Request{Requested: payment.Requested{
		At: payment.At{At: now()}, Resource: id, Price: money.Price{Msat: 1, Per: 1000}, Expiry: expiry, Invoice: hash,
	}})
	if err != nil {
		w.t.Fatal(err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked = append(w.asked, payment.Waiting{Key: "ln-" + hash, Expiry: expiry})
	return hash
}

// Booked implements [payment.Observer].
func (w *watch) Booked(_ string, bySweep bool, _ time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if bySweep {
		w.found++
	}
}

// observer is the watch as its watcher sees it.
type observer struct{ *watch }

// Swept implements [payment.Observer].
func (o observer) Swept(time.Duration, int, int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.sweeps++
}

// Notice implements [payment.Observer].
func (w *watch) Notice(n payment.Notice) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.notices = append(w.notices, n)
}

func (w *watch) signs(s payment.Sign) (n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, notice := range w.notices {
		if notice.Sign == s {
			n++
		}
	}
	return n
}

func (w *watch) status(hash string) payment.Status {
	w.t.Helper()
	out, err := w.booker.Payments.Load(w.t.Context(), "ln-"+hash)
	if err != nil {
		w.t.Fatal(err)
	}
	return out.State.Status
}

func (w *watch) wallet() wallet.State {
	w.t.Helper()
	out, err := w.wallets.Load(w.t.Context(), node)
	if err != nil {
		w.t.Fatal(err)
	}
	return out.State
}

func (w *watch) sweepsSoFar() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.sweeps
}

func (w *watch) foundSoFar() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.found
}
