package reach_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"sandglass/adapters/httpapi"
	"sandglass/adapters/httpapi/wire"
	"sandglass/adapters/lnd"
	"sandglass/cmd/sandglass/config"
	"sandglass/cmd/sandglass/serve/reach"
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
	"sandglass/testutil/fakelnd"
	"sandglass/testutil/storetest"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
)

// public is where wallets reach the rig: what they ask for there, a proxy passes on without /pay.
const public = "https://shop.example/pay"

// rig is a server with what wallets ask, over an lnd of the tests.
type rig struct {
	t       *testing.T
	billing *billing.Service
	views   *projections.Views
	clock   *storetest.Clock
	node    *fakelnd.Lnd
	kept    storetest.Memory
	signer  request.Signer
	swept   chan struct{}
	api     http.Handler
}

// open returns a rig whose plan "small" costs 1 sat a second, a minute to a day.
func open(t *testing.T, change func(*config.Config, *httpapi.Options)) *rig {
	t.Helper()
	node, err := fakelnd.New(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(node.Kill)
	r := &rig{t: t, node: node, views: projections.New(instant.Hour), swept: make(chan struct{})}
	r.signer.Key = [32]byte{1}
	client, err := lnd.Dial(lnd.Config{
		Addr: node.Addr, TLSCert: node.TLSCert, WatchMacaroon: node.WatchMacaroon, IssueMacaroon: node.IssueMacaroon,
	})
	r.must(err)
	t.Cleanup(func() { r.must(client.Close()) })
	inner, clock := storetest.SQLite(t)
	r.clock = clock
	requests := request.New(request.Options{Store: &r.kept, Now: clock.Now, Most: 100})
	resources := &resource.Handler{Aggregate: resource.Aggregate(), Store: inner, Warm: r.views.Resource}
	payments := &payment.Handler{Aggregate: payment.Aggregate(), Store: inner}
	rule := &opening.Rule{Requests: requests, Resources: resources, Log: r.views, Head: inner.Head}
	r.billing = &billing.Service{
		Opening: rule, Plans: &plan.Handler{Aggregate: plan.Aggregate(), Store: inner}, Resources: resources,
		Booker: &payment.Booker{Payments: payments, Resources: resources, Refuses: rule.Refuses, Now: clock.Now},
		Wallet: client, Views: r.views, Requests: requests, Now: clock.Now, Random: rand.Reader, Swept: r.swept,
		Limits: billing.Limits{OpenPerResource: 3, Open: 50, Awaiting: 40, Addresses: 10, Expiry: instant.Hour},
	}
	c := &config.Config{PublicURL: public, Pages: true}
	o := httpapi.Options{
		Billing: r.billing, Views: r.views, Store: inner, Now: clock.Now, Registry: prometheus.NewRegistry(), Log: zerolog.Nop(),
		Limits: httpapi.Limits{Writes: httpapi.Rate{PerSecond: 1e6, Burst: 1e6}},
	}
	if change != nil {
		change(c, &o)
	}
	to, err := reach.New(c, r.billing, r.views, client.Preimage, &r.signer)
	r.must(err)
	o.Mounts, o.Links = to.Mounts(), to.Links
	server, err := httpapi.New(o)
	r.must(err)
	r.api = server.Handler()
	r.run(inner, requests)
	out, err := r.billing.Publish(t.Context(), stream.Meta{}, "small", plan.Offer{
		Terms: resource.Terms{Price: money.Price{Msat: 1, Per: 1}, Grace: instant.Day}, Min: instant.Minute, Max: instant.Day,
	})
	r.must(errors.Join(err, r.views.WaitFor(t.Context(), out.Position)))
	return r
}

// run folds the log and the requests until the test ends.
func (r *rig) run(store stream.EventStore, requests *request.Set) {
	ctx, stop := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { r.ended(projections.Run(ctx, store, r.views)) })
	wg.Go(func() { r.ended(requests.Run(ctx)) })
	r.t.Cleanup(func() { stop(); wg.Wait() })
	<-r.views.CaughtUp()
	<-requests.CaughtUp()
}

func (r *rig) ended(err error) {
	if err != nil {
		r.t.Error(err)
	}
}

func (r *rig) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

// ask makes a request as a wallet does, and has its answer read into v.
func (r *rig) ask(path string, v any) *http.Response {
	r.t.Helper()
	return r.send(httptest.NewRequest("GET", strings.TrimPrefix(path, public), nil), v)
}

func (r *rig) send(req *http.Request, v any) *http.Response {
	r.t.Helper()
	w := httptest.NewRecorder()
	r.api.ServeHTTP(w, req)
	res := w.Result()
	body, err := io.ReadAll(res.Body)
	r.must(err)
	if err := json.Unmarshal(body, v); err != nil {
		r.t.Fatalf("%s: %d %s: %v", req.URL, res.StatusCode, body, err)
	}
	return res
}

// refused checks that an answer is an error as LNURL has it, and returns its reason.
func (r *rig) refused(path string) string {
	r.t.Helper()
	return r.refusedTo(httptest.NewRequest("GET", strings.TrimPrefix(path, public), nil))
}

func (r *rig) refusedTo(req *http.Request) string {
	r.t.Helper()
	var v map[string]string
	res := r.send(req, &v)
	if res.StatusCode != 200 || v["status"] != "ERROR" || v["reason"] == "" || len(v) != 2 ||
		res.Header.Get("Access-Control-Allow-Origin") != "*" || res.Header.Get("Content-Type") != "application/json" {
		r.t.Errorf("%s %s: %d %v %v", req.Method, req.URL, res.StatusCode, res.Header, v)
	}
	return v["reason"]
}

// order orders an hour of a resource.
func (r *rig) order(id string) {
	r.t.Helper()
	_, err := r.billing.Order(r.t.Context(), stream.Meta{}, billing.OrderRequest{
		Plan: "small", Time: instant.Hour, ID: resource.ID(id), IdempotencyKey: "a-secret-of-its-holder-" + id,
	})
	r.must(err)
}

// pay pays an invoice at the node, and books that as the watcher does.
func (r *rig) pay(hash string, amount money.Msat) {
	r.t.Helper()
	r.must(r.node.Pay(hash, int64(amount)))
	key := payment.LightningKey(hash)
	c := payment.Settle{At: r.clock.Now(), Amount: amount, Via: payment.ViaBOLT11}
	if asked, ok := r.billing.Requests.Find(key); ok {
		c.Request = &asked.Request
	}
	out, err := r.billing.Booker.Book(context.Background(), stream.Meta{}, key, c)
	r.must(errors.Join(err, r.views.WaitFor(context.Background(), out.Position)))
	r.billing.Requests.Done(context.Background(), string(key), 0)
}

// resource returns a resource as the API shows it.
func (r *rig) resource(id string) (v wire.Resource) {
	r.t.Helper()
	r.ask("/v1/resources/"+id, &v)
	return v
}
