package httpapi_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"sandglass/adapters/httpapi"
	"sandglass/adapters/httpapi/admission"
	"sandglass/adapters/httpapi/client"
	"sandglass/adapters/httpapi/limit"
	"sandglass/adapters/httpapi/wire"
	"sandglass/domain/billing"
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
	"github.com/rs/zerolog"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	hour          = instant.Hour
	price         = 3_600_000 // msat an hour
	key           = "a-random-secret-of-a-payer"
	operatorToken = "the-operator's-token-of-the-tests"
	auditorToken  = "the-auditor's-token-of-the-tests"
)

// fakeWallet makes invoices that nobody pays by itself.
type fakeWallet struct {
	mu    sync.Mutex
	made  int
	err   error
	panic bool
	now   func() instant.Time

	closed map[payment.Key]bool         // that are paid, or canceled
	open   map[payment.Key]instant.Time // that are not, with their expiry
}

// payable returns how many invoices can be paid.
func (w *fakeWallet) payable() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	maps.DeleteFunc(w.open, func(_ payment.Key, expiry instant.Time) bool { return expiry <= w.now() })
	return len(w.open)
}

func (w *fakeWallet) IsOpen(_ context.Context, key payment.Key) (bool, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return !w.closed[key], w.err
}

func (w *fakeWallet) Cancel(_ context.Context, key payment.Key) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed[key] {
		return billing.ErrPaid
	}
	w.close(key)
	return w.err
}

func (w *fakeWallet) close(key payment.Key) {
	if w.closed == nil {
		w.closed = map[payment.Key]bool{}
	}
	w.closed[key] = true
	delete(w.open, key)
}

func (w *fakeWallet) Invoice(_ context.Context, r billing.InvoiceRequest) (billing.Invoice, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.panic {
		panic("the wallet of this test panics")
	}
	w.made++
	hash := fmt.Sprintf("%064d", w.made)
	inv := billing.Invoice{
		Key: payment.LightningKey(hash), Hash: hash, Request: "lnbcrtln-" + hash, Amount: r.Amount, Expiry: w.now().Add(r.Expiry),
	}
	if w.err == nil {
		if w.open == nil {
			w.open = map[payment.Key]instant.Time{}
		}
		w.open[inv.Key] = inv.Expiry
	}
	return inv, w.err
}

// shop is a server over real billing, real read models and a real store, with a plan
// "small" on offer, unless it was told otherwise.
type shop struct {
	t        testing.TB
	clock    *storetest.Clock
	store    *storetest.Faulty
	views    *projections.Views
	billing  *billing.Service
	wallet   *fakeWallet
	requests *request.Set
	kept     storetest.Memory
	swept    chan struct{}
	writable error // what the store says of itself
	server   *httpapi.Server
	registry *prometheus.Registry
	log      *buffer
	url      string
	unfold   func()             // ends the projections
	stop     context.CancelFunc // ends the server
	stopped  chan error
}

// buffer is a log that can be read while it is written.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// free is a share that bounds nothing.
var (
	fast = limit.Rate{PerSecond: 1e6, Burst: 1e6}
	free = limit.Share{Address: fast, Network: fast, All: fast}
)

// build makes the parts of a shop, of which nothing runs yet.
func build(t testing.TB, change func(*httpapi.Options)) *shop {
	t.Helper()
	inner, clock := storetest.SQLite(t)
	s := &shop{
		t:        t,
		clock:    clock,
		store:    &storetest.Faulty{EventStore: inner},
		views:    projections.New(hour),
		wallet:   &fakeWallet{now: clock.Now},
		swept:    make(chan struct{}),
		registry: prometheus.NewRegistry(),
		log:      &buffer{},
		stopped:  make(chan error, 1),
	}
	s.requests = request.New(request.Options{Store: &s.kept, Now: clock.Now, Most: 1000})
	resources := &resource.Handler{Aggregate: resource.Aggregate(), Store: s.store, Warm: s.views.Resource}
	payments := &payment.Handler{Aggregate: payment.Aggregate(), Store: s.store}
	rule := &opening.Rule{Requests: s.requests, Resources: resources, Log: s.views, Head: s.store.Head}
	s.billing = &billing.Service{
		Reports:   func() bool { return true },
		Opening:   rule,
		Plans:     &plan.Handler{Aggregate: plan.Aggregate(), Store: s.store},
		Resources: resources,
		Booker:    &payment.Booker{Payments: payments, Resources: resources, Refuses: rule.Refuses, Now: clock.Now},
		Wallet:    s.wallet,
		Views:     s.views,
		Requests:  s.requests,
		Now:       clock.Now,
		Random:    rand.Reader,
		Swept:     s.swept,
		Limits:    billing.Limits{OpenPerResource: 3, Open: 500, Awaiting: 400, Addresses: 10, Expiry: hour},
		Writable:  func() error { return s.writable },
	}
	o := httpapi.Options{
		Billing:  s.billing,
		Views:    s.views,
		Store:    s.store,
		Now:      clock.Now,
		Registry: s.registry,
		Version:  "test",
		Log:      zerolog.New(s.log).Level(zerolog.DebugLevel),
		Operator: httpapi.HashToken(operatorToken),
		Auditor:  httpapi.HashToken(auditorToken),
		Limits: httpapi.Limits{
			Reads:  httpapi.Rate{PerSecond: 1e6, Burst: 1e6},
			Writes: httpapi.Rate{PerSecond: 1e6, Burst: 1e6},
			Unpaid: admission.Limits{Orders: free, Addresses: free, TopUps: free, Holder: free.All},
		},
	}
	if change != nil {
		change(&o)
	}
	var err error
	s.server, err = httpapi.New(o)
	s.must(err)
	return s
}

// open returns a shop that runs until the test ends.
func open(t testing.TB, change func(*httpapi.Options)) *shop {
	t.Helper()
	s := build(t, change)
	s.fold()
	close(s.swept)
	s.publish("small")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	s.must(err)
	s.serve(l)
	return s
}

// fold runs the projections.
func (s *shop) fold() {
	ctx, stop := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := projections.Run(ctx, s.store.EventStore, s.views); err != nil {
			s.t.Error(err)
		}
	})
	wg.Go(func() {
		if err := s.requests.Run(ctx); err != nil {
			s.t.Error(err)
		}
	})
	s.unfold = func() { stop(); wg.Wait() }
	s.t.Cleanup(s.unfold)
	<-s.views.CaughtUp()
	<-s.requests.CaughtUp()
}

// serve runs the server on l.
func (s *shop) serve(l net.Listener) {
	var ctx context.Context
	ctx, s.stop = context.WithCancel(context.Background())
	s.url = "http://" + l.Addr().String()
	go func() { s.stopped <- s.server.Run(ctx, l) }()
	s.t.Cleanup(func() { s.end() })
}

// end ends the server, once.
func (s *shop) end() {
	s.stop()
	err, open := <-s.stopped
	if open {
		close(s.stopped)
	}
	s.must(err)
}

func (s *shop) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *shop) publish(name string) {
	s.t.Helper()
	out, err := s.billing.Publish(context.Background(), stream.Meta{}, name, plan.Offer{
		Terms: resource.Terms{Price: money.Price{Msat: price, Per: hour}, Grace: instant.Day},
		Min:   instant.Minute,
		Max:   30 * instant.Day,
	})
	s.must(errors.Join(err, s.views.WaitFor(context.Background(), out.Position)))
}

// client returns a client with a token, whose connections end with the test.
func (s *shop) client(token string) *client.Client {
	s.t.Helper()
	c, err := client.New(s.url, token)
	s.must(err)
	transport := &http.Transport{}
	s.t.Cleanup(transport.CloseIdleConnections)
	return c.Over(&http.Client{Transport: transport})
}

// settle books money for a payment, as the watcher does.
func (s *shop) settle(key string, amount money.Msat) {
	s.t.Helper()
	s.book(payment.Key(key), payment.Settle{At: s.clock.Now(), Amount: amount, Via: payment.ViaBOLT11})
}

// book books a payment as the watcher does.
func (s *shop) book(key payment.Key, c payment.Settle) {
	s.t.Helper()
	if r, ok := s.requests.Find(key); ok {
		c.Request = &r.Request
	}
	out, err := s.billing.Booker.Book(context.Background(), stream.Meta{}, key, c)
	s.must(errors.Join(err, s.views.WaitFor(context.Background(), out.Position)))
	s.wallet.mu.Lock()
	s.wallet.close(key)
	s.wallet.mu.Unlock()
	s.requests.Done(context.Background(), string(key), 0)
}

// order orders two hours under a key, and an id if it is not empty; with an address where there
// are any.
func (s *shop) order(id string) wire.Order {
	s.t.Helper()
	order := s.client("").Order
	if s.billing.OnChain() {
		order = s.client("").OrderOnChain
	}
	o, err := order(s.t.Context(), wire.OrderRequest{Plan: "small", Time: 2 * hour, ID: id}, key+id)
	s.must(err)
	return o
}

// running orders a resource, and pays for it.
func (s *shop) running(id string) wire.Order {
	s.t.Helper()
	o := s.order(id)
	s.settle(o.Payment.Key, o.Payment.Asked)
	return o
}

// reply is an answer as it came.
type reply struct {
	status  int
	header  http.Header
	body    string
	problem wire.Problem
}

// send makes a request by hand. Headers are "Name: value"; a body needs none for its type.
func (s *shop) send(method, path, body string, headers ...string) reply {
	s.t.Helper()
	return sendTo(s.t, s.url, method, path, strings.NewReader(body), headers...)
}

func sendTo(t testing.TB, url, method, path string, body io.Reader, headers ...string) reply {
	t.Helper()
	req, err := http.NewRequest(method, url+path, body)
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Set(name, value)
	}
	transport := &http.Transport{DisableKeepAlives: true}
	res, err := (&http.Client{Transport: transport, Timeout: time.Minute}).Do(req)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	r := reply{status: res.StatusCode, header: res.Header, body: string(b)}
	if res.Header.Get("Content-Type") == "application/problem+json" {
		if err := json.Unmarshal(b, &r.problem); err != nil {
			t.Errorf("%s %s: %v: %s", method, path, err, b)
		}
	}
	return r
}

func bearer(token string) string { return "Authorization: Bearer " + token }

// settled lets the time of a resource have passed.
func (s *shop) settled(id resource.ID) {
	s.t.Helper()
	settle := resource.Settle{When: resource.When{At: s.clock.Now()}}
	out, err := s.billing.Resources.Execute(s.t.Context(), id, stream.Meta{}, settle)
	s.must(errors.Join(err, s.views.WaitFor(s.t.Context(), out.Position)))
}
