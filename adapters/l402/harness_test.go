package l402_test

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"sandglass/adapters/cashu"
	"sandglass/adapters/httpapi"
	"sandglass/adapters/httpapi/admission"
	"sandglass/adapters/httpapi/limit"
	"sandglass/adapters/httpapi/middleware"
	"sandglass/adapters/httpapi/wire"
	"sandglass/adapters/l402"
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
	hour  = instant.Hour
	price = 3_600_000 // msat an hour
)

var secret = [32]byte{4, 0, 2}

// wallet makes invoices, of which it knows the preimages.
type wallet struct {
	mu        sync.Mutex
	now       func() instant.Time
	preimages map[payment.Key]string
	closed    map[payment.Key]bool
}

func (w *wallet) Invoice(_ context.Context, r billing.InvoiceRequest) (billing.Invoice, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var preimage [32]byte
	rand.Read(preimage[:])
	sum := sha256.Sum256(preimage[:])
	hash := hex.EncodeToString(sum[:])
	key := payment.LightningKey(hash)
	w.preimages[key] = hex.EncodeToString(preimage[:])
	return billing.Invoice{
		Key: key, Hash: hash, Request: "lnbcrt" + hash, Amount: r.Amount, Expiry: w.now().Add(r.Expiry),
	}, nil
}

func (w *wallet) IsOpen(_ context.Context, key payment.Key) (bool, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return !w.closed[key], nil
}

func (w *wallet) Cancel(_ context.Context, key payment.Key) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed[key] = true
	return nil
}

func (w *wallet) made() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.preimages)
}

// shop is a daemon's API over a store that outlasts it, with a plan "small" on offer.
type shop struct {
	t       testing.TB
	clock   *storetest.Clock
	store   stream.EventStore
	kept    storetest.Memory
	wallet  *wallet
	orders  limit.Share
	writes  httpapi.Rate
	wait    time.Duration
	mints   []string      // whose tokens are taken
	melting time.Duration // for how long a mint is waited for
	log     zerolog.Logger
	views   *projections.Views
	billing *billing.Service
	asked   *request.Set
	server  *httpapi.Server
	http    *httptest.Server
	stop    func()
}

func open(t testing.TB, change func(*shop)) *shop {
	t.Helper()
	store, clock := storetest.SQLite(t)
	fast := limit.Rate{PerSecond: 1e6, Burst: 1e6}
	s := &shop{
		t: t, clock: clock, store: store, wait: time.Minute, log: zerolog.Nop(),
		orders: limit.Share{Address: fast, Network: fast, All: fast}, writes: fast,
		wallet: &wallet{now: clock.Now, preimages: map[payment.Key]string{}, closed: map[payment.Key]bool{}},
	}
	if change != nil {
		change(s)
	}
	s.start()
	t.Cleanup(func() { s.stop() })
	s.publish("small")
	s.publish("other")
	return s
}

// start starts a daemon on what there is.
func (s *shop) start() {
	s.t.Helper()
	s.views = projections.New(hour)
	s.asked = request.New(request.Options{Store: &s.kept, Now: s.clock.Now, Most: 1000})
	resources := &resource.Handler{Aggregate: resource.Aggregate(), Store: s.store, Warm: s.views.Resource}
	payments := &payment.Handler{Aggregate: payment.Aggregate(), Store: s.store}
	rule := &opening.Rule{Requests: s.asked, Resources: resources, Log: s.views, Head: s.store.Head}
	swept := make(chan struct{})
	close(swept)
	s.billing = &billing.Service{
		Opening: rule, Plans: &plan.Handler{Aggregate: plan.Aggregate(), Store: s.store}, Resources: resources,
		Booker: &payment.Booker{Payments: payments, Resources: resources, Refuses: rule.Refuses, Now: s.clock.Now},
		Wallet: s.wallet, Views: s.views, Requests: s.asked, Now: s.clock.Now, Random: rand.Reader, Swept: swept,
		Limits: billing.Limits{OpenPerResource: 3, Open: 500, Awaiting: 400, Addresses: 10, Expiry: hour},
	}
	fast := limit.Rate{PerSecond: 1e6, Burst: 1e6}
	free := limit.Share{Address: fast, Network: fast, All: fast}
	o := httpapi.Options{
		Billing: s.billing, Views: s.views, Store: s.store, Now: s.clock.Now, Registry: prometheus.NewRegistry(),
		Log: s.log, TrustProxy: true, PublicURL: "https://pay.example.org",
		Limits: httpapi.Limits{
			Reads: fast, Writes: s.writes, Unpaid: admission.Limits{Orders: s.orders, TopUps: free, Holder: fast},
		},
	}
	lo := l402.Options{
		API:     http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.server.Handler().ServeHTTP(w, r) }),
		Billing: s.billing, Secret: secret, PublicURL: o.PublicURL, Folded: s.views.CaughtUp, Now: s.clock.Now, Wait: s.wait,
		ClientOf: func(r *http.Request) string { return middleware.RequestOf(r.Context()).Addr.String() },
	}
	till := cashu.New(cashu.Options{
		Mints: s.mints, Private: true, Requests: s.asked, Payment: s.billing.Payment, Now: s.clock.Now, Wait: s.melting,
	})
	if len(s.mints) > 0 {
		lo.Cash = till
	}
	seller := l402.New(lo)
	o.Credential = seller.HolderKey
	o.Mounts = []httpapi.Mount{
		{Pattern: "POST /v1/buy", Handler: http.HandlerFunc(seller.Buy), Traits: middleware.Traits{Free: true, Open: true}},
		{Pattern: "GET /v1/auth", Handler: http.HandlerFunc(seller.Gate), Traits: middleware.Traits{Free: true}},
	}
	var err error
	s.server, err = httpapi.New(o)
	s.must(err)
	s.http = httptest.NewServer(s.server.Handler())
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { s.ran(projections.Run(ctx, s.store, s.views)) })
	wg.Go(func() { s.ran(s.asked.Run(ctx)) })
	wg.Go(func() { s.ran(till.Run(ctx)) })
	s.stop = func() {
		s.http.Close()
		cancel()
		wg.Wait()
	}
	<-s.views.CaughtUp()
	<-s.asked.CaughtUp()
}

func (s *shop) ran(err error) {
	if err != nil {
		s.t.Error(err)
	}
}

// restart ends the daemon and starts another one.
func (s *shop) restart() {
	s.t.Helper()
	s.stop()
	s.start()
}

func (s *shop) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *shop) publish(name string) {
	s.t.Helper()
	out, err := s.billing.Publish(s.t.Context(), stream.Meta{}, name, plan.Offer{
		Terms: resource.Terms{Price: money.Price{Msat: price, Per: hour}, Grace: instant.Day},
		Min:   instant.Minute, Max: 30 * instant.Day,
	})
	s.must(errors.Join(err, s.views.WaitFor(s.t.Context(), out.Position)))
}

// settle books the money of an invoice, as the watcher does, and waits until that is shown.
func (s *shop) settle(p *wire.Payment) {
	s.t.Helper()
	s.must(s.views.WaitFor(s.t.Context(), s.book(p)))
	s.must(s.wallet.Cancel(s.t.Context(), payment.Key(p.Key)))
	s.asked.Done(s.t.Context(), p.Key, 0)
}

// book books the money of an invoice, once or again.
func (s *shop) book(p *wire.Payment) stream.Position {
	s.t.Helper()
	key := payment.Key(p.Key)
	c := payment.Settle{At: s.clock.Now(), Amount: p.Asked, Via: payment.ViaBOLT11}
	if r, ok := s.asked.Find(key); ok {
		c.Request = &r.Request
	}
	out, err := s.billing.Booker.Book(s.t.Context(), stream.Meta{}, key, c)
	s.must(err)
	return out.Position
}

// settleTime lets the time of a resource have passed.
func (s *shop) settleTime(id string) {
	s.t.Helper()
	out, err := s.billing.Resources.Execute(s.t.Context(), resource.ID(id), stream.Meta{},
		resource.Settle{When: resource.When{At: s.clock.Now()}})
	s.must(errors.Join(err, s.views.WaitFor(s.t.Context(), out.Position)))
}

// preimage returns what paying an invoice tells.
func (s *shop) preimage(p *wire.Payment) string {
	s.wallet.mu.Lock()
	defer s.wallet.mu.Unlock()
	return s.wallet.preimages[payment.Key(p.Key)]
}

// reply is an answer as it came.
type reply struct {
	status int
	header http.Header
	body   string
	demand wire.PaymentRequired // of a refusal, or a demand
	bought wire.Order           // of a request that was paid
}

func (s *shop) send(method, path, body string, headers ...string) reply {
	s.t.Helper()
	r, err := s.try(method, path, body, headers...)
	s.must(err)
	return r
}

func (s *shop) try(method, path, body string, headers ...string) (r reply, err error) {
	req, err := http.NewRequest(method, s.http.URL+path, strings.NewReader(body))
	if err != nil {
		return r, err
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Add(name, value)
	}
	res, err := s.http.Client().Do(req)
	if err != nil {
		return r, err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	r = reply{status: res.StatusCode, header: res.Header, body: string(b)}
	switch {
	case err != nil || len(b) == 0:
	case res.Header.Get("Content-Type") == "application/problem+json":
		err = json.Unmarshal(b, &r.demand)
	case path == "/v1/buy":
		err = json.Unmarshal(b, &r.bought)
	}
	return r, err
}

// buys is a request for two hours of a plan.
const buys = `{"plan":"small","time_ms":7200000}`

// asks is a request for an hour more of a resource.
func asks(id string) string { return fmt.Sprintf(`{"resource":%q,"time_ms":3600000}`, id) }

func l402Of(token, preimage string) string { return "Authorization: L402 " + token + ":" + preimage }

// pays pays a demand, and returns the credential.
func (s *shop) pays(d reply) string {
	s.t.Helper()
	if d.demand.Token == "" {
		s.t.Fatalf("no demand: %d %s", d.status, d.body)
	}
	s.settle(&d.demand.Payment)
	return l402Of(d.demand.Token, s.preimage(&d.demand.Payment))
}

// bought buys two hours, and returns the credential and what it got.
func (s *shop) bought() (credential string, got wire.Order) {
	s.t.Helper()
	credential = s.pays(s.send("POST", "/v1/buy", buys))
	r := s.send("POST", "/v1/buy", buys, credential)
	if r.status != http.StatusOK {
		s.t.Fatalf("%d %s", r.status, r.body)
	}
	return credential, r.bought
}

// onlyStatus returns an error unless an answer has a status.
func onlyStatus(r reply, status int) error {
	if r.status != status {
		return fmt.Errorf("%d, want %d: %s", r.status, status, r.body)
	}
	return nil
}
