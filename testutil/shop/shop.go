// Package shop is the API of the tests: the real server over real billing, read models and a store, with a
// wallet whose invoices are paid when a test says so. What is served beside the API is tested on it.
package shop

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"testing"

	"sandglass/adapters/httpapi"
	"sandglass/adapters/httpapi/admission"
	"sandglass/adapters/httpapi/limit"
	"sandglass/adapters/paramfiles"
	"sandglass/domain/address"
	"sandglass/domain/billing"
	"sandglass/domain/billing/params"
	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/opening"
	"sandglass/domain/payment"
	"sandglass/domain/plan"
	"sandglass/domain/request"
	"sandglass/domain/resource"
	"sandglass/domain/stream"
	"sandglass/projections"
	"sandglass/testutil/storetest"

	"github.com/prometheus/client_golang/prometheus"
)

// Price is that of the plans, by the hour.
const Price money.Msat = 3_600_000

// Shop is an API that runs until its test ends.
type Shop struct {
	Clock   *storetest.Clock
	Views   *projections.Views
	Billing *billing.Service
	Server  *httpapi.Server
	Wallet  *Wallet

	t        testing.TB
	requests *request.Set
	kept     storetest.Memory
}

// node is the identity_pubkey of the wallet.
const node = "02aa"

// free bounds nothing.
var (
	fast = limit.Rate{PerSecond: 1e6, Burst: 1e6}
	free = limit.Share{Address: fast, Network: fast, All: fast}
)

// Open returns a shop that takes payments on the chain too, and has nothing on offer. change may change its
// options, and mount what is served beside the API.
func Open(t testing.TB, change func(*Shop, *httpapi.Options)) *Shop {
	t.Helper()
	store, clock := storetest.SQLite(t)
	s := &Shop{
		t: t, Clock: clock, Views: projections.New(instant.Hour), Wallet: &Wallet{now: clock.Now},
	}
	s.requests = request.New(request.Options{Store: &s.kept, Now: clock.Now, Most: 1000})
	s.Billing = s.newBilling(store)
	o := httpapi.Options{
		Billing: s.Billing, Views: s.Views, Store: store, Now: clock.Now, Registry: prometheus.NewRegistry(), Version: "test",
		Operator: httpapi.HashToken("the-operator's-token-of-the-tests"),
		Limits: httpapi.Limits{
			Reads: httpapi.Rate{PerSecond: 1e6, Burst: 1e6}, Writes: httpapi.Rate{PerSecond: 1e6, Burst: 1e6},
			Unpaid: admission.Limits{Orders: free, Addresses: free, TopUps: free, Holder: free.All},
		},
	}
	if change != nil {
		change(s, &o)
	}
	server, err := httpapi.New(o)
	s.must(err)
	s.Server = server
	s.fold(store)
	return s
}

// ServeHTTP implements [http.Handler], also for what is mounted before there is a server.
func (s *Shop) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.Server.Handler().ServeHTTP(w, r) }

func (s *Shop) newBilling(store stream.EventStore) *billing.Service {
	resources := &resource.Handler{Aggregate: resource.Aggregate(), Store: store, Warm: s.Views.Resource}
	payments := &payment.Handler{Aggregate: payment.Aggregate(), Store: store}
	rule := &opening.Rule{Requests: s.requests, Resources: resources, Log: s.Views, Head: store.Head}
	files, err := paramfiles.Open(s.t.TempDir())
	s.must(err)
	swept := make(chan struct{})
	close(swept)
	return &billing.Service{
		Plans:     &plan.Handler{Aggregate: plan.Aggregate(), Store: store},
		Addresses: &address.Handler{Aggregate: address.Aggregate(), Store: store},
		Resources: resources, Opening: rule, Views: s.Views, Requests: s.requests, Wallet: s.Wallet, Chain: s.Wallet,
		Booker:  &payment.Booker{Payments: payments, Resources: resources, Refuses: rule.Refuses, Now: s.Clock.Now},
		Reports: func() bool { return true }, Writable: func() error { return nil },
		Now: s.Clock.Now, Random: rand.Reader, Swept: swept, Node: func() string { return node },
		Limits: billing.Limits{OpenPerResource: 3, Open: 500, Awaiting: 400, Addresses: 100, Expiry: instant.Hour},
		Params: &params.Service{
			Store: files, Views: s.Views, Requests: s.requests, Resources: resources, Random: rand.Reader,
			When: func() resource.When { return resource.When{At: s.Clock.Now()} },
		},
	}
}

// fold runs the projections until the test ends.
func (s *Shop) fold(store stream.EventStore) {
	ctx, stop := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := projections.Run(ctx, store, s.Views); err != nil {
			s.t.Error(err)
		}
	})
	wg.Go(func() {
		if err := s.requests.Run(ctx); err != nil {
			s.t.Error(err)
		}
	})
	s.t.Cleanup(func() { stop(); wg.Wait() })
	<-s.Views.CaughtUp()
	<-s.requests.CaughtUp()
}

func (s *Shop) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// Publish puts a plan on offer, at [Price], changed by change.
func (s *Shop) Publish(name string, change func(*plan.Offer)) {
	s.t.Helper()
	o := plan.Offer{
		Terms: resource.Terms{Price: money.Price{Msat: Price, Per: instant.Hour}, Grace: instant.Day},
		Min:   instant.Minute, Max: 30 * instant.Day,
	}
	if change != nil {
		change(&o)
	}
	out, err := s.Billing.Publish(context.Background(), stream.Meta{}, name, o)
	s.must(errors.Join(err, s.Views.WaitFor(context.Background(), out.Position)))
}

// Pay pays what was asked for, as the watcher books it.
func (s *Shop) Pay(key string) {
	s.t.Helper()
	r, ok := s.requests.Find(payment.Key(key))
	if !ok {
		s.t.Fatalf("no payment %s is asked for", key)
	}
	c := payment.Settle{At: s.Clock.Now(), Amount: r.Request.Amount, Via: payment.ViaBOLT11, Request: &r.Request}
	out, err := s.Billing.Booker.Book(context.Background(), stream.Meta{}, payment.Key(key), c)
	s.must(errors.Join(err, s.Views.WaitFor(context.Background(), out.Position)))
	s.Wallet.close(payment.Key(key))
	s.requests.Done(context.Background(), key, out.Position)
}

// Settle lets the time that has passed have passed for a resource.
func (s *Shop) Settle(id string) {
	s.t.Helper()
	settle := resource.Settle{When: resource.When{At: s.Clock.Now()}}
	out, err := s.Billing.Resources.Execute(context.Background(), resource.ID(id), stream.Meta{}, settle)
	s.must(errors.Join(err, s.Views.WaitFor(context.Background(), out.Position)))
}

// Wallet makes invoices and addresses.
type Wallet struct {
	mu     sync.Mutex
	made   int
	now    func() instant.Time
	closed map[payment.Key]bool // that are paid, or canceled

	Err error // of what it is asked for next, if it is set before
}

// Invoice implements [billing.Wallet].
func (w *Wallet) Invoice(_ context.Context, r billing.InvoiceRequest) (billing.Invoice, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.made++
	hash := fmt.Sprintf("%064x", w.made)
	return billing.Invoice{
		Key: payment.LightningKey(hash), Hash: hash, Amount: r.Amount, Expiry: w.now().Add(r.Expiry),
		Request: "lnbcrt1p" + hash + "q" + hash + "q" + hash + "q" + hash,
	}, w.Err
}

// NewAddress implements [billing.Chain].
func (w *Wallet) NewAddress(context.Context) (billing.Address, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.made++
	return billing.Address{Address: fmt.Sprintf("bcrt1q%038d", w.made), Node: node, Height: 800}, w.Err
}

// IsOpen implements [billing.Wallet].
func (w *Wallet) IsOpen(_ context.Context, key payment.Key) (bool, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return !w.closed[key], w.Err
}

// Cancel implements [billing.Wallet].
func (w *Wallet) Cancel(_ context.Context, key payment.Key) error {
	w.mu.Lock()
	paid := w.closed[key]
	w.mu.Unlock()
	if paid {
		return billing.ErrPaid
	}
	w.close(key)
	return w.Err
}

func (w *Wallet) close(key payment.Key) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed == nil {
		w.closed = map[payment.Key]bool{}
	}
	w.closed[key] = true
}
