package httpapi_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sandglass/adapters/httpapi"
	"sandglass/adapters/httpapi/admission"
	"sandglass/adapters/httpapi/limit"
	"sandglass/adapters/httpapi/wire"
	"sandglass/domain/billing"
	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/payment"
	"sandglass/domain/request"
	"sandglass/domain/resource"
	"sandglass/testutil/wholelog"
)

// What the adversary of the tests is held to: a small part of the defaults.
const (
	mostAddresses = 100 // a day
	mostStreams   = 40
	mostKept      = 1000 // records that can't be paid any more
)

// adversary asks for all that a stranger can ask for, from 10,000 addresses.
type adversary struct {
	*shop
	random    *rand.Rand
	networks  int // that its addresses are in
	open      int // invoices that may be open, of orders and of what is there
	chain     *chain
	customers []*customer
	ids       []string // of orders, with the keys that hold them
	keys      []string
	statuses  map[string]int
	keysends  int
	most      request.Counts
	records   int

	streams context.Context
	wg      sync.WaitGroup
	slots   chan struct{} // one for each stream that is open
	top     atomic.Int64  // streams that were open at most
}

// customer pays for what he orders.
type customer struct {
	id, holder string
	paid       int
}

// TestStrangersGetNowhere lets an adversary do what it can for simulated days. All that it
// makes grow has a bound, the log has nothing of it but what it paid for, and whoever pays gets
// his invoice and his credit: of those who have paid nothing yet, as long as the adversary does
// not have so many networks that nobody could tell the others from it.
func TestStrangersGetNowhere(t *testing.T) {
	for name, x := range map[string]struct{ networks, open int }{"of 40 networks": {40, 500}, "of 10,000 networks": {10_000, 200}} {
		t.Run(name, func(t *testing.T) {
			a := newAdversary(t, x.networks, x.open)
			for range 48 {
				a.hour()
			}
			a.leaves(t)
		})
	}
}

func newAdversary(t *testing.T, networks, open int) *adversary {
	every := func(seconds float64) limit.Rate { return limit.Rate{PerSecond: 1 / seconds, Burst: 1} }
	share := limit.Share{Address: every(1000), Network: every(1000)}
	a := &adversary{
		random: rand.New(rand.NewPCG(1, 2)), networks: networks, open: open, chain: &chain{},
		statuses: map[string]int{}, slots: make(chan struct{}, mostStreams),
	}
	a.shop = build(t, func(o *httpapi.Options) {
		o.TrustProxy = true
		o.Limits = httpapi.Limits{Live: mostStreams, LivePer: 4, Addresses: 1000, Unpaid: admission.Limits{
			Orders: share, TopUps: share, Addresses: limit.Share{Address: every(1800), Network: every(900)},
		}}
		o.Limits.Unpaid.Orders.All = admission.Within(a.open, hour.Std())
		o.Limits.Unpaid.TopUps.All = admission.Within(a.open, hour.Std())
		o.Limits.Unpaid.Addresses.All = admission.Within(mostAddresses, instant.Day.Std())
		o.Billing.Limits = billing.Limits{
			OpenPerResource: 5, Open: a.open, Awaiting: a.open, Addresses: mostAddresses, Expiry: hour,
		}
	})
	a.accept(a.chain)
	a.fold()
	close(a.swept)
	a.publish("small")
	ctx, stop := context.WithCancel(context.Background())
	a.streams = ctx
	t.Cleanup(func() { stop(); a.wg.Wait() })
	for i := range 3 {
		a.newcomer(i)
	}
	return a
}

// ask sends a request from an address, and decodes what is answered, if out is not nil.
func (a *adversary) ask(out any, from, method, path, body string, headers ...string) int {
	a.t.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("X-Forwarded-For", from)
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	a.server.Handler().ServeHTTP(w, r)
	if out != nil && w.Code < 300 {
		a.must(json.Unmarshal(w.Body.Bytes(), out))
	}
	if w.Code == http.StatusTooManyRequests && w.Header().Get("Retry-After") == "" {
		a.t.Errorf("%s %s: refused without a time to wait: %s", method, path, w.Body)
	}
	return w.Code
}

// from returns one of the adversary's addresses.
func (a *adversary) from() string {
	i := a.random.IntN(10_000)
	n := i % a.networks
	return fmt.Sprintf("10.%d.%d.%d", n/256, n%256, i/a.networks)
}

func (a *adversary) one(of []string) string { return of[a.random.IntN(len(of))] }

// victim is a resource of somebody else.
func (a *adversary) victim() string { return a.customers[a.random.IntN(len(a.customers))].id }

// hour is what happens within one: the adversary asks a few thousand times, and customers pay.
func (a *adversary) hour() {
	for part := range 6 {
		for range 100 {
			a.attack()
		}
		a.customer(part)
		a.check()
		a.clock.Advance(10 * instant.Minute)
	}
	for range 5 {
		a.follow()
	}
	a.requests.Swept("02aa", a.clock.Now())
	a.requests.Lapse(a.t.Context())
}

// attack asks for something.
func (a *adversary) attack() {
	const body = `{"plan":"small","time_ms":%d%s}`
	times := fmt.Sprint((1 + a.random.IntN(700)) * 3_600_000)
	method, path, headers := "POST", "/v1/orders", []string(nil)
	kind, text := "", fmt.Sprintf(body, 3_600_000, "")
	switch n := a.random.IntN(10); {
	case n < 3 || len(a.ids) < 10:
		kind = "order"
		path += []string{"", "", "?address=true"}[a.random.IntN(3)]
	case n == 3:
		kind = "id"
		text = fmt.Sprintf(`{"plan":"small","time_ms":%s,"id":%q}`, times, append(a.ids, a.victim())[a.random.IntN(len(a.ids)+1)])
	case n == 4:
		kind, headers = "key", []string{fmt.Sprintf("Idempotency-Key: the-same-key-again-%d", a.random.IntN(50))}
		text = fmt.Sprintf(`{"plan":"small","time_ms":%s}`, times)
	case n == 5:
		i := a.random.IntN(len(a.ids))
		kind, path, text, headers = "release", "/v1/resources/"+a.ids[i]+"/release", "", []string{bearer(a.keys[i])}
	case n == 6:
		kind, path, text = "invoice", "/v1/resources/"+a.one(a.ids)+"/payments", `{"time_ms":`+times+`}`
	case n == 7:
		kind, path, text = "top-up", "/v1/resources/"+a.victim()+"/payments", `{"time_ms":`+times+`}`
	case n == 8:
		kind, path, text = "address", "/v1/resources/"+append(a.ids, a.victim())[a.random.IntN(len(a.ids)+1)]+"/address", ""
	default:
		kind, method, path, text = "look", "GET", "/v1/resources/"+a.one(a.ids), ""
	}
	var o wire.Order
	var out any
	if strings.HasPrefix(path, "/v1/orders") {
		out = &o
	}
	status := a.ask(out, a.from(), method, path, text, append(headers, "Content-Type: application/json")...)
	a.statuses[fmt.Sprint(kind, " ", status)]++
	if status >= 500 {
		a.t.Fatalf("%s %s %s: %d", method, path, text, status)
	}
	if o.HolderKey != "" {
		if len(a.ids) == 200 { // those before have expired
			a.ids, a.keys = a.ids[100:], a.keys[100:]
		}
		a.ids, a.keys = append(a.ids, o.Resource.ID), append(a.keys, o.HolderKey)
	}
}

// follow opens a stream, which stays for as long as it may.
func (a *adversary) follow() {
	r := httptest.NewRequestWithContext(a.streams, "GET", "/v1/resources/"+a.one(append(a.ids, a.victim()))+"/live", nil)
	r.Header.Set("X-Forwarded-For", a.from())
	a.wg.Go(func() {
		w := &counting{ResponseRecorder: httptest.NewRecorder(), a: a}
		a.server.Handler().ServeHTTP(w, r)
		if w.counted {
			<-a.slots
		}
	})
}

// enter takes a slot for a stream that is open. Where all are taken it waits for one that has
// ended, and has yet to say so: the server gave its place away before.
func (a *adversary) enter() {
	select {
	case a.slots <- struct{}{}:
	case <-time.After(time.Minute):
		a.t.Errorf("more than %d streams are open", mostStreams)
		a.slots <- struct{}{}
	}
	if n := int64(len(a.slots)); n > a.top.Load() {
		a.top.Store(n)
	}
}

// counting counts a stream once it is open.
type counting struct {
	*httptest.ResponseRecorder
	a       *adversary
	counted bool
}

func (c *counting) Write(b []byte) (int, error) {
	if c.Code == http.StatusOK && !c.counted && bytes.Contains(b, []byte("event: resource")) {
		c.counted = true
		c.a.enter()
	}
	return len(b), nil
}

// customer does what those do who pay: they order, and pay for what there is, with and without
// its holder key.
func (a *adversary) customer(part int) {
	n := len(a.customers)
	c := a.customers[a.random.IntN(n)]
	switch part {
	case 0:
		if a.networks < 100 { // else it is one of 10,000 strangers
			a.newcomer(n)
		}
	case 1:
		if a.networks < 100 {
			a.pay(c, fmt.Sprintf("198.51.%d.1", a.random.IntN(200)))
		}
	case 2:
		if status := a.ask(nil, "198.51.100.1", "POST", "/v1/resources/"+c.id+"/address", ""); status != 200 {
			a.t.Errorf("the address of what is paid: %d", status)
		}
	case 3:
		a.keysends++
		key := payment.KeysendKey(fmt.Sprintf("%064x", a.keysends), 1, uint64(a.keysends))
		a.book(key, payment.Settle{
			At: a.clock.Now(), Amount: 1, Via: payment.ViaKeysend, Resource: resource.ID(a.one(a.ids)),
		})
	default:
		a.pay(c, "198.51.100.1", bearer(c.holder))
	}
}

// newcomer orders and pays, from a network of its own.
func (a *adversary) newcomer(n int) {
	a.t.Helper()
	id := fmt.Sprintf("customer-%d", n)
	var o wire.Order
	status := a.ask(&o, fmt.Sprintf("192.0.%d.7", n%256), "POST", "/v1/orders",
		fmt.Sprintf(`{"plan":"small","time_ms":172800000,"id":%q}`, id), "Content-Type: application/json")
	if status != http.StatusCreated {
		a.t.Fatalf("order %d of a customer: %d", n, status)
	}
	a.settle(o.Payment.Key, o.Payment.Asked)
	c := &customer{id, o.HolderKey, 48}
	a.customers = append(a.customers, c)
	a.credited(c)
}

// pay buys an hour for what is there.
func (a *adversary) pay(c *customer, from string, headers ...string) {
	a.t.Helper()
	var p wire.Payment
	status := a.ask(&p, from, "POST", "/v1/resources/"+c.id+"/payments", `{"time_ms":3600000}`,
		append(headers, "Content-Type: application/json")...)
	if status != http.StatusCreated {
		a.t.Fatalf("an invoice for %s, which is paid: %d", c.id, status)
	}
	a.settle(p.Key, p.Asked)
	c.paid++
	a.credited(c)
}

func (a *adversary) credited(c *customer) {
	a.t.Helper()
	if s, _, _ := a.views.Resource(resource.ID(c.id)); s.Credited != price*money.Msat(c.paid) {
		a.t.Fatalf("%s is credited %s, and paid for %d h", c.id, s.Credited, c.paid)
	}
}

// check holds all that grows to its bound.
func (a *adversary) check() {
	a.t.Helper()
	open, kept := a.requests.Open(), len(a.kept.Names())
	a.most.Orders, a.most.Invoices = max(a.most.Orders, open.Orders), max(a.most.Invoices, open.Invoices)
	a.records = max(a.records, kept)
	for what, n := range map[string][2]int{
		"open invoices of orders":        {open.Orders, a.open},
		"open invoices of what is there": {open.Invoices, a.open},
		"invoices at the wallet":         {a.wallet.payable(), a.open + a.open},
		"addresses a day":                {a.requests.AddressesSince(a.clock.Now() - instant.Time(instant.Day)), mostAddresses},
		"records":                        {kept, a.open + a.open + mostKept + 3*mostAddresses},
		"streams":                        {int(a.top.Load()), mostStreams},
	} {
		if n[0] > n[1] {
			a.t.Fatalf("%s: %d, at most %d", what, n[0], n[1])
		}
	}
}

// leaves holds what is left when the adversary is gone: nothing in the log that nobody paid for.
func (a *adversary) leaves(t *testing.T) {
	theirs := map[string]bool{}
	for _, c := range a.customers {
		theirs[resource.Prefix+c.id] = true
	}
	issued, keysends := 0, 0
	for r := range wholelog.Records(t, a.store) {
		switch name, _, _ := strings.Cut(r.Stream, "-"); {
		case name == "address":
			issued++
		case r.Type == (*payment.Unallocated)(nil).Type():
			keysends++
		case name == "resource" && !theirs[r.Stream]:
			a.t.Errorf("the log has %s of %s, which nobody paid", r.Type, r.Stream)
		}
	}
	if issued > len(a.customers) || keysends != a.keysends {
		a.t.Errorf("the log has %d addresses for %d customers, and %d of %d keysends", issued, len(a.customers), keysends, a.keysends)
	}
	a.clock.Advance(request.Keep + hour + request.Settling + 1)
	a.requests.Swept("02aa", a.clock.Now())
	a.requests.Lapse(a.t.Context())
	if left := len(a.kept.Names()); left > 3*mostAddresses {
		a.t.Errorf("%d records are left of it", left)
	}
	if a.most.Orders < a.open/6 || a.most.Invoices < 10 || a.records < mostKept || a.top.Load() < mostStreams*3/4 {
		a.t.Errorf("it did not try: %+v open, %d records, %d streams", a.most, a.records, a.top.Load())
	}
	a.t.Logf("at most %+v open, %d records, %d streams; %d customers; %v",
		a.most, a.records, a.top.Load(), len(a.customers), a.statuses)
}
