package hold_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"sandglass/domain/instant"
	"sandglass/domain/lightning"
	"sandglass/domain/lightning/hold"
	"sandglass/domain/money"
	"sandglass/domain/payment"
	"sandglass/domain/request"
	"sandglass/domain/resource"
	"sandglass/domain/stream"
	"sandglass/domain/watch"
	"sandglass/testutil/storetest"
	"sandglass/testutil/wholelog"
)

const node = "02aa"

var (
	signer = request.Signer{Key: [32]byte{1}}
	price  = money.Price{Msat: 1000, Per: 1000} // 1 msat a millisecond
)

func now() instant.Time { return instant.Of(time.Now()) }

// invoice is one at the wallet, which outlives daemons.
type invoice struct {
	status      lightning.EntryStatus
	description string
	amount      money.Msat
	since       instant.Time
	timesOut    int64
	changed     chan struct{} // closed when it is not open any more
}

// wallet holds payments, in memory.
type wallet struct {
	mu       sync.Mutex
	invoices map[string]*invoice
	height   int64
	down     bool // it answers nothing
	deaf     bool // its streams tell nothing
}

var errAway = errors.New("the wallet is away")

func (w *wallet) on(hash string, do func(*invoice) error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	inv := w.invoices[hash]
	switch {
	case w.down:
		return errAway
	case inv == nil:
		return lightning.ErrNoInvoice
	}
	return do(inv)
}

func (w *wallet) Held(_ context.Context, hash string) (inv hold.Invoice, err error) {
	err = w.on(hash, func(i *invoice) error {
		inv = hold.Invoice{Status: i.status, Description: i.description}
		if i.status == lightning.EntryAccepted {
			inv.Amount, inv.Since, inv.TimesOut = i.amount, i.since, i.timesOut
		}
		return nil
	})
	return inv, err
}

func (w *wallet) Height(context.Context) (int64, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.down {
		return 0, errAway
	}
	return w.height, nil
}

func (w *wallet) Take(_ context.Context, preimage [32]byte) error {
	sum := sha256.Sum256(preimage[:])
	return w.on(hex.EncodeToString(sum[:]), func(i *invoice) error {
		switch i.status {
		case lightning.EntryAccepted:
			i.status = lightning.EntrySettled
		case lightning.EntryOpen:
			return errors.New("invoice still open")
		case lightning.EntryCanceled:
			return hold.ErrEnded
		}
		return nil
	})
}

func (w *wallet) GiveBack(_ context.Context, hash string) error {
	return w.on(hash, func(i *invoice) error {
		if i.status == lightning.EntrySettled {
			return hold.ErrEnded
		}
		if i.status == lightning.EntryOpen {
			close(i.changed)
		}
		i.status = lightning.EntryCanceled
		return nil
	})
}

func (w *wallet) Await(ctx context.Context, hash string) error {
	w.mu.Lock()
	inv := w.invoices[hash]
	deaf := w.deaf
	w.mu.Unlock()
	if deaf {
		return errAway
	}
	select {
	case <-inv.changed:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// pay has somebody pay an invoice.
func (w *wallet) pay(hash string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	inv := w.invoices[hash]
	inv.status, inv.since, inv.timesOut = lightning.EntryAccepted, now(), w.height+hold.Blocks
	close(inv.changed)
}

func (w *wallet) status(hash string) lightning.EntryStatus {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.invoices[hash].status
}

// mortal is the wallet as a daemon reaches it that is to die.
type mortal struct {
	*wallet
	fate *fate
}

func (m mortal) Take(ctx context.Context, preimage [32]byte) error {
	return m.fate.write(func() error { return m.wallet.Take(ctx, preimage) })
}

func (m mortal) GiveBack(ctx context.Context, hash string) error {
	return m.fate.write(func() error { return m.wallet.GiveBack(ctx, hash) })
}

// fate is a daemon's: after so many writes, in the log and at the wallet, comes a fault, and
// nothing is written after.
type fate struct {
	left  atomic.Int64
	fault storetest.Fault
}

func (f *fate) next() storetest.Fault {
	switch left := f.left.Add(-1); {
	case left > 0:
		return storetest.None
	case left == 0:
		return f.fault
	}
	return storetest.Lost
}

func (f *fate) write(do func() error) error {
	fault := f.next()
	if fault == storetest.Lost {
		return storetest.ErrFault
	}
	err := do()
	if fault == storetest.AnswerLost && err == nil {
		return storetest.ErrFault
	}
	return err
}

func immortal() *fate {
	f := new(fate)
	f.left.Store(1 << 40)
	return f
}

// world is a log, a wallet and a keeper.
type world struct {
	*testing.T
	store    stream.EventStore
	kept     *storetest.Memory
	wallet   *wallet
	requests *request.Set // of the daemon that runs
	loop     *hold.Loop   // likewise
	made     int
	signer   request.Signer // of the daemon that runs
	limits   [2]int

	mu        sync.Mutex
	listeners map[chan struct{}]bool
	notices   []watch.Notice
}

func inBubble(t *testing.T, test func(*testing.T, *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		store, clock := storetest.SQLite(t)
		clock.Set(now())
		test(t, &world{
			T: t, store: store, kept: new(storetest.Memory), signer: signer, listeners: map[chan struct{}]bool{},
			wallet: &wallet{invoices: map[string]*invoice{}, height: 1000},
		})
	})
}

// Booked, Swept and Notice implement [watch.Observer].
func (w *world) Booked(payment.Via, bool, time.Duration) {}
func (w *world) Swept(time.Duration, int, int)           {}
func (w *world) Notice(n watch.Notice) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.notices = append(w.notices, n)
}

func booker(store stream.EventStore) *payment.Booker {
	return &payment.Booker{
		Payments:  &payment.Handler{Aggregate: payment.Aggregate(), Store: store},
		Resources: &resource.Handler{Aggregate: resource.Aggregate(), Store: store},
		Now:       now,
	}
}

// accepted folds what is held from the log.
func (w *world) accepted() []payment.State {
	return slices.DeleteFunc(w.payments(), func(s payment.State) bool { return s.Status != payment.StatusAccepted })
}

// heldSince folds when payments came to be held.
func (w *world) heldSince(_ string, after instant.Time) (at []instant.Time) {
	for _, s := range w.payments() {
		if s.AcceptedAt > after {
			at = append(at, s.AcceptedAt)
		}
	}
	return at
}

// payments folds all payments from the log, oldest first.
func (w *world) payments() (list []payment.State) {
	states := map[payment.Key]payment.State{}
	var keys []payment.Key
	for r := range wholelog.Records(w.T, w.store) {
		key, ok := payment.Key(""), false
		if len(r.Stream) > len(payment.Prefix) && r.Stream[:len(payment.Prefix)] == payment.Prefix {
			key, ok = payment.Key(r.Stream[len(payment.Prefix):]), true
		}
		if !ok {
			continue
		}
		e, err := payment.Decode(&r)
		if err != nil {
			w.Fatal(err)
		}
		s, known := states[key]
		if !known {
			s = payment.New(key)
			keys = append(keys, key)
		}
		states[key] = payment.Evolve(s, e)
	}
	for _, key := range keys {
		list = append(list, states[key])
	}
	return list
}

func (w *world) watch(_ resource.ID, c chan struct{}) (stop func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.listeners[c] = true
	return func() {}
}

// touched tells who watches that a resource changed.
func (w *world) touched() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for c := range w.listeners {
		watch.Signal(c)
	}
}

// run starts a daemon, and returns what ends it: the loop, and what books what settles.
func (w *world) run(f *fate) (stop func()) {
	w.Helper()
	b := booker(&storetest.Faulty{EventStore: w.store, OnAppend: f.next})
	w.requests = request.New(request.Options{Store: w.kept, Now: now, Most: 1000})
	l := hold.New(hold.Config{
		Wallet: mortal{w.wallet, f}, Node: func() string { return node }, Booker: b, Requests: w.requests, Signer: w.signer,
		Accepted: w.accepted, HeldSince: w.heldSince,
		Watch: w.watch, Ready: []<-chan struct{}{w.requests.CaughtUp()}, Observer: w, Now: now,
		AtOnce: w.limits[0], PerHour: w.limits[1],
	})
	w.loop = l
	ctx, cancel := context.WithCancel(w.Context())
	var wg sync.WaitGroup
	requests := w.requests
	wg.Go(func() { _ = requests.Run(ctx) })
	wg.Go(func() {
		if err := l.Run(ctx); err != nil {
			w.Error(err)
		}
	})
	wg.Go(func() { w.watcher(ctx, l, b) })
	stop = sync.OnceFunc(func() { cancel(); wg.Wait() })
	w.Cleanup(stop)
	synctest.Wait()
	return stop
}

// watcher does what the watcher of the wallet does, every 10 s: it books what settled, and tells of
// what is held.
func (w *world) watcher(ctx context.Context, l *hold.Loop, b *payment.Booker) {
	for watch.Pause(ctx, 10*time.Second) {
		w.wallet.mu.Lock()
		states := map[string]invoice{}
		for hash, inv := range w.wallet.invoices {
			states[hash] = *inv
		}
		down := w.wallet.down
		w.wallet.mu.Unlock()
		for hash, inv := range states {
			switch {
			case down:
			case inv.status == lightning.EntryAccepted:
				l.Held(hash)
			case inv.status == lightning.EntrySettled:
				_, _ = b.Book(ctx, watch.Meta, payment.LightningKey(hash), payment.Settle{
					At: now(), Amount: inv.amount, Via: payment.ViaBOLT11, Node: node, Index: 1,
				})
			}
		}
	}
}

// order gives an order of an id an invoice, which is held if it is paid.
func (w *world) order(id resource.ID, n byte) (hash string) {
	w.Helper()
	w.made++
	description := signer.Describe(id, 200_000, [8]byte{byte(w.made)})
	preimage := signer.Preimage(description)
	sum := sha256.Sum256(preimage[:])
	hash = hex.EncodeToString(sum[:])
	w.wallet.mu.Lock()
	w.wallet.invoices[hash] = &invoice{description: description, amount: 200_000, changed: make(chan struct{})}
	w.wallet.mu.Unlock()
	err := w.requests.Keep(w.Context(), &request.Record{
		Key: payment.LightningKey(hash), Node: node,
		Request: payment.Request{
			At: now(), Resource: id, Amount: 200_000, Price: price, Expiry: now().Add(instant.Hour), Invoice: "lnbc" + hash,
			Order: &resource.Order{
				Plan: "small", Enforcer: "web", Host: "a", Request: [16]byte{n},
				Terms: resource.Terms{
					Price: price, Grace: instant.Day, Uptime: true, Hold: true, StartWithin: 10 * instant.Minute,
				},
			},
		},
	})
	if err != nil {
		w.Fatal(err)
	}
	w.loop.Given()
	synctest.Wait()
	return hash
}

// report has the keeper say that a resource is up since an instant, or down.
func (w *world) report(id resource.ID, up bool, since instant.Time) {
	w.Helper()
	_, err := booker(w.store).Resources.Execute(w.Context(), id, watch.Meta, resource.Report{
		When: resource.When{At: now()}, Host: "a", Up: up, Since: since,
	})
	if err != nil && !errors.Is(err, resource.ErrNotOpened) {
		w.Fatal(err)
	}
	w.touched()
}

func (w *world) pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func (w *world) payment(hash string) payment.State {
	w.Helper()
	out, err := booker(w.store).Payments.Load(w.Context(), payment.LightningKey(hash))
	if err != nil {
		w.Fatal(err)
	}
	return out.State
}

func (w *world) resource(id resource.ID) resource.State {
	w.Helper()
	out, err := booker(w.store).Resources.Load(w.Context(), id)
	if err != nil {
		w.Fatal(err)
	}
	return out.State
}

// is checks what became of a payment: at the wallet, in the log, and of what it was for.
func (w *world) is(hash string, id resource.ID, at lightning.EntryStatus, p payment.Status, r resource.Status) {
	w.Helper()
	if got := w.wallet.status(hash); got != at {
		w.Errorf("the wallet has it as %d, want %d", got, at)
	}
	if _, asked := w.requests.Find(payment.LightningKey(hash)); asked && p != payment.StatusNone && r != resource.StatusNone {
		w.Errorf("it is asked for yet, and %s in the log", p)
	}
	if got := w.payment(hash); got.Status != p {
		w.Errorf("the payment is %s, want %s", got.Status, p)
	}
	if got := w.resource(id); got.Status != r {
		w.Errorf("the resource is %s, want %s", got.Status, r)
	}
	if w.Failed() {
		for _, line := range wholelog.Types(w.T, w.store) {
			fmt.Println(line)
		}
	}
}
