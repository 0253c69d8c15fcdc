package lnd_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sandglass/adapters/lnd"
	"sandglass/domain/billing"
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
	"sandglass/testutil/devnet"
	"sandglass/testutil/fakelnd"
	"sandglass/testutil/storetest"

	"github.com/lightningnetwork/lnd/lnrpc"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { devnet.Run(m) }

// patience bounds each thing that a test waits for, far above what it takes on a loaded
// machine too.
const patience = 2 * time.Minute

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		check(t, err)
		return v
	}
}

// newFake is a fake that ends with the test, which then may have left nothing running.
func newFake(t *testing.T) *fakelnd.Lnd {
	t.Helper()
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, before) })
	l := must(fakelnd.New(t.TempDir()))(t)
	t.Cleanup(l.Kill)
	return l
}

func configOf(l *fakelnd.Lnd) lnd.Config {
	return lnd.Config{Addr: l.Addr, TLSCert: l.TLSCert, WatchMacaroon: l.WatchMacaroon, IssueMacaroon: l.IssueMacaroon}
}

// listens waits until somebody follows what a fake tells: a watcher sweeps before that, or meanwhile.
func listens(t *testing.T, l *fakelnd.Lnd) {
	t.Helper()
	check(t, devnet.Until(within(t), "somebody listens", func(context.Context) error {
		if l.Listening() == 0 {
			return errors.New("nobody does")
		}
		return nil
	}))
}

// daemon is what of the daemon stands behind a wallet: a log in a file, and a watcher.
type daemon struct {
	t      *testing.T
	client *lnd.Client
	config lightning.Config
	path   string
	log    stream.EventStore
	close  func() error
	fail   func(stream string) storetest.Fault // of an append; nil: none

	payments  *payment.Handler
	resources *resource.Handler
	wallets   *wallet.Handler
	watcher   *lightning.Watcher
	end       func()
	fatal     bool // Run is to end with an error
	result    error

	mu      sync.Mutex // guards what follows
	cond    *sync.Cond
	orders  []payment.Key
	notices []watch.Notice
	sweeps  int
	booked  map[payment.Via]int
	found   int
}

// sells returns a rule by which nothing is too little.
func sells(requests *request.Set, resources *resource.Handler) *opening.Rule {
	return &opening.Rule{
		Requests: requests, Resources: resources, Least: func(string, money.Price) money.Msat { return 1 },
	}
}

func newDaemon(t *testing.T, c lnd.Config) *daemon {
	t.Helper()
	d := &daemon{t: t, path: filepath.Join(t.TempDir(), "log"), booked: map[payment.Via]int{}}
	d.cond = sync.NewCond(&d.mu)
	d.client = must(lnd.Dial(c))(t)
	t.Cleanup(func() { check(t, d.client.Close()) })
	// Sweeps come when a test asks for them.
	d.config = lightning.Config{
		Requests: request.New(request.Options{Store: new(storetest.Memory), Now: now}),
		Wallet:   d.client, SweepEvery: time.Hour, CheckEvery: time.Hour, GapDelay: time.Millisecond,
		Retry: watch.Retry{Min: time.Millisecond, Max: 20 * time.Millisecond, Denied: 50 * time.Millisecond},
	}
	return d
}

// failing is a store whose appends fail as the test says for their stream.
type failing struct {
	stream.EventStore
	d *daemon
}

func (f *failing) Append(
	ctx context.Context, name string, expected stream.Revision, events []stream.Event,
) (stream.Appended, error) {
	f.d.mu.Lock()
	fail := f.d.fail
	f.d.mu.Unlock()
	faulty := storetest.Faulty{EventStore: f.EventStore}
	if fail != nil {
		faulty.OnAppend = func() storetest.Fault { return fail(name) }
	}
	return faulty.Append(ctx, name, expected, events)
}

func now() instant.Time { return instant.Of(time.Now()) }

// start opens the log and runs the watcher; stop ends both.
func (d *daemon) start() *daemon {
	d.t.Helper()
	store := storetest.SQLiteAt(d.t, d.path, now)
	d.close = store.Close
	d.log = &failing{store, d}
	d.payments = &payment.Handler{Aggregate: payment.Aggregate(), Store: d.log}
	d.resources = &resource.Handler{Aggregate: resource.Aggregate(), Store: d.log}
	d.wallets = &wallet.Handler{Aggregate: wallet.Aggregate(), Store: d.log}
	c := d.config
	c.Booker = &payment.Booker{Payments: d.payments, Resources: d.resources, Now: now}
	c.Opening = sells(c.Requests, d.resources)
	c.Wallets, c.Waiting, c.Observer, c.Now = d.wallets, d.waiting, d, now
	d.watcher = must(lightning.New(c))(d.t)
	ctx, cancel := context.WithCancel(d.t.Context())
	done := make(chan error, 1)
	go func() { done <- d.watcher.Run(ctx) }()
	var once sync.Once
	d.end = func() {
		once.Do(func() {
			if d.fatal {
				d.result = <-done
				cancel()
			} else {
				cancel()
				d.result = <-done
				check(d.t, d.result)
			}
			check(d.t, d.close())
		})
	}
	d.t.Cleanup(d.end)
	return d
}

// ready starts it and waits for the first sweep.
func (d *daemon) ready() *daemon {
	d.t.Helper()
	d.start()
	select {
	case <-d.watcher.Swept():
	case <-time.After(patience):
		d.t.Fatalf("no sweep: %+v", d.watcher.Health())
	}
	return d
}

func (d *daemon) stop() { d.end() }

// wait returns the error with which the watcher ended by itself.
func (d *daemon) wait() error {
	d.end()
	return d.result
}

var metaOfTest = stream.Meta{Actor: "test"}

// waiting is what a projection tells the daemon.
func (d *daemon) waiting(ctx context.Context) ([]lightning.Waiting, error) {
	d.mu.Lock()
	orders := slices.Clone(d.orders)
	d.mu.Unlock()
	var all []lightning.Waiting
	for _, key := range orders {
		out, err := d.payments.Load(ctx, key)
		if err != nil {
			return nil, err
		}
		if s := out.State; s.Status == payment.StatusRequested || s.Status == payment.StatusSettled {
			all = append(all, lightning.Waiting{Key: key, Status: s.Status, Expiry: s.Expiry})
		}
	}
	return all, nil
}

// Booked implements [watch.Observer].
func (d *daemon) Booked(via payment.Via, bySweep bool, _ time.Duration) {
	d.note(func() {
		d.booked[via]++
		if bySweep {
			d.found++
		}
	})
}

// Swept implements [watch.Observer].
func (d *daemon) Swept(time.Duration, int, int) { d.note(func() { d.sweeps++ }) }

// Notice implements [watch.Observer].
func (d *daemon) Notice(n watch.Notice) { d.note(func() { d.notices = append(d.notices, n) }) }

func (d *daemon) note(f func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f()
	d.cond.Broadcast()
}

// await waits until ok says so; it is asked whenever the watcher told something.
func (d *daemon) await(what string, ok func() bool) {
	d.t.Helper()
	late := false
	timer := time.AfterFunc(patience, func() { d.note(func() { late = true }) })
	defer timer.Stop()
	d.mu.Lock()
	defer d.mu.Unlock()
	for !ok() {
		if late {
			d.t.Fatalf("waited for %s; notices: %v; health: %+v", what, d.notices, d.watcher.Health())
		}
		d.cond.Wait()
	}
}

func (d *daemon) awaitSign(s watch.Sign) watch.Notice {
	d.t.Helper()
	var found watch.Notice
	d.await("the sign "+string(s), func() bool {
		for _, n := range d.notices {
			if n.Sign == s {
				found = n
				return true
			}
		}
		return false
	})
	return found
}

func (d *daemon) signs(s watch.Sign) (n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, notice := range d.notices {
		if notice.Sign == s {
			n++
		}
	}
	return n
}

// sweep asks for a sweep, and waits for one that began after.
func (d *daemon) sweep() {
	d.t.Helper()
	for range 2 { // one may have been under way
		d.mu.Lock()
		n := d.sweeps
		d.mu.Unlock()
		d.watcher.Nudge()
		d.await("a sweep", func() bool { return d.sweeps > n })
	}
}

// awaitBooked waits until so many payments were booked in all.
func (d *daemon) awaitBooked(n int) {
	d.t.Helper()
	d.await(fmt.Sprintf("%d bookings", n), func() bool {
		sum := 0
		for _, b := range d.booked {
			sum += b
		}
		return sum >= n
	})
}

func (d *daemon) awaitHealth(c watch.Condition) watch.Health {
	d.t.Helper()
	var h watch.Health
	ctx, cancel := context.WithTimeout(d.t.Context(), patience)
	defer cancel()
	check(d.t, devnet.Until(ctx, "the health is "+string(c), func(context.Context) error {
		if h = d.watcher.Health(); h.Condition != c {
			return fmt.Errorf("it is %+v", h)
		}
		return nil
	}))
	return h
}

var price = money.Price{Msat: 1000, Per: instant.Second}

// open opens a resource.
func (d *daemon) open(id resource.ID) {
	d.t.Helper()
	_, err := d.resources.Execute(d.t.Context(), id, stream.Meta{}, resource.Open{
		When: resource.When{At: now()},
		Order: resource.Order{
			Plan:  "small",
			Terms: resource.Terms{Price: price},
		},
	})
	check(d.t, err)
}

// order asks the wallet for an invoice for a resource, and notes the request.
func (d *daemon) order(id resource.ID, amount money.Msat) billing.Invoice {
	d.t.Helper()
	inv := must(d.client.Invoice(d.t.Context(), anHour(amount, "sandglass "+string(id))))(d.t)
	d.request(id, inv.Key, inv.Request, amount, inv.Expiry)
	return inv
}

func (d *daemon) request(id resource.ID, key payment.Key, text string, amount money.Msat, expiry instant.Time) {
	d.t.Helper()
	_, err := d.payments.Execute(d.t.Context(), key, stream.Meta{}, payment.Request{
		At: now(), Resource: id, Amount: amount, Price: price, Expiry: expiry, Invoice: text,
	})
	check(d.t, err)
	d.note(func() { d.orders = append(d.orders, key) })
}

// credited returns what a resource was credited with, lot by lot, and of a payment its state.
func (d *daemon) credited(id resource.ID) money.Msat {
	d.t.Helper()
	return must(d.resources.Load(d.t.Context(), id))(d.t).State.Credited
}

func (d *daemon) payment(key payment.Key) payment.State {
	d.t.Helper()
	return must(d.payments.Load(d.t.Context(), key))(d.t).State
}

func (d *daemon) wallet(node string) wallet.State {
	d.t.Helper()
	return must(d.wallets.Load(d.t.Context(), node))(d.t).State
}

// records reads the whole log.
func (d *daemon) records() (all []stream.Record) {
	d.t.Helper()
	head := must(d.log.Head(d.t.Context()))(d.t)
	if head == 0 {
		return nil
	}
	for recs, err := range d.log.Subscribe(d.t.Context(), 0) {
		check(d.t, err)
		all = append(all, recs...)
		if recs[len(recs)-1].Position >= head {
			return all
		}
	}
	return all
}

// expect sweeps, so that what would come twice would have come, and then folds the log:
// settled payments, and the credits and the unallocated money they became.
func (d *daemon) expect(payments int, credits, unallocated money.Msat) {
	d.t.Helper()
	d.sweep()
	var settled int
	var credited, lost money.Msat
	amounts := map[string]money.Msat{}
	for _, r := range d.records() {
		switch {
		case strings.HasPrefix(r.Stream, payment.Prefix):
			switch e := must(payment.Decode(&r))(d.t).(type) {
			case *payment.Settled:
				settled++
				amounts[r.Stream] = e.Amount
			case *payment.Unallocated:
				lost += amounts[r.Stream]
			}
		case strings.HasPrefix(r.Stream, resource.Prefix):
			if e, ok := must(resource.Decode(&r))(d.t).(*resource.Credited); ok {
				credited += e.Amount
			}
		}
	}
	if settled != payments || credited != credits || lost != unallocated {
		d.t.Errorf("the log holds %d settled payments, %s credited and %s unallocated; want %d, %s, %s",
			settled, credited, lost, payments, credits, unallocated)
	}
}

// refuse has appends to a stream fail from now on; "" ends it.
func (d *daemon) refuse(name string) {
	d.note(func() {
		if d.fail = nil; name != "" {
			d.fail = func(s string) storetest.Fault {
				if s == name {
					return storetest.Lost
				}
				return storetest.None
			}
		}
	})
}

// anHour is an invoice that can be paid for an hour.
func anHour(amount money.Msat, description string) billing.InvoiceRequest {
	return billing.InvoiceRequest{Amount: amount, Description: description, Expiry: instant.Hour}
}

// withHTLC gives an invoice the HTLC that settled it.
func withHTLC(msat uint64) func(*lnrpc.Invoice) {
	return func(inv *lnrpc.Invoice) {
		inv.Htlcs = append(inv.Htlcs, &lnrpc.InvoiceHTLC{AmtMsat: msat, State: lnrpc.InvoiceHTLCState_SETTLED})
	}
}

// settledAt makes an invoice one that was settled long ago.
func settledAt(at instant.Time) func(*lnrpc.Invoice) {
	return func(inv *lnrpc.Invoice) { inv.SettleDate = int64(at) / 1000 }
}
