package httpapi_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sandglass/adapters/httpapi"
	"sandglass/adapters/httpapi/client"
	"sandglass/adapters/httpapi/wire"
	"sandglass/domain/address"
	"sandglass/domain/billing"
	"sandglass/domain/chain/find"
	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/payment"
	"sandglass/domain/resource"
	"sandglass/domain/stream"

	"github.com/google/go-cmp/cmp"
)

// chain makes addresses, of which no two are the same, and has a height.
type chain struct {
	made   int
	height atomic.Int64
}

func (c *chain) NewAddress(context.Context) (billing.Address, error) {
	c.made++
	return billing.Address{Address: fmt.Sprintf("bcrt1q%038d", 2*c.made), Node: "02aa", Height: 500}, nil
}

const theAddress = "bcrt1q00000000000000000000000000000000000002"

// onChain is what the options of a server say where payments on the chain are taken.
func (c *chain) onChain(o *httpapi.Options) {
	o.Tip = c.height.Load
	o.Required = func(of *payment.State, amount money.Msat) int {
		if of.Resource == "web-1" && amount > money.BTC {
			return 6
		}
		return 3
	}
}

// accept lets billing make addresses.
func (s *shop) accept(c *chain) {
	s.billing.Node = func() string { return "02aa" }
	s.billing.Chain, s.billing.Addresses = c, &address.Handler{Aggregate: address.Aggregate(), Store: s.store}
}

// openOnChain returns a shop that takes payments on the chain, whose tip is 800.
func openOnChain(t *testing.T) (*shop, *chain) {
	t.Helper()
	c := &chain{}
	c.height.Store(800)
	s := open(t, c.onChain)
	s.accept(c)
	return s, c
}

var (
	txid    = strings.Repeat("0f", 32)
	deposit = payment.ChainKey(txid, 0)
)

// pays executes commands on a payment on the chain, as its watcher does.
func (s *shop) pays(key payment.Key, commands ...payment.Command) {
	s.t.Helper()
	for _, c := range commands {
		out, err := s.billing.Booker.Payments.Execute(context.Background(), key, stream.Meta{}, c)
		s.must(errors.Join(err, s.views.WaitFor(context.Background(), out.Position)))
	}
}

func (s *shop) seen(amount money.Msat) payment.Command {
	return payment.See{At: s.clock.Now(), Resource: "web-1", Address: theAddress, Amount: amount}
}

func (s *shop) confirmed(height int64) payment.Command {
	return payment.Confirm{At: s.clock.Now(), Height: height, Block: block(height)}
}

func (s *shop) reorged(height int64) payment.Command {
	return payment.Reorg{At: s.clock.Now(), Block: block(height)}
}

func block(height int64) string { return fmt.Sprintf("%064x", height) }

func (s *shop) get(id string) wire.Resource {
	s.t.Helper()
	r, err := s.client("").Resource(s.t.Context(), id)
	s.must(err)
	return r
}

func TestAnOrderHasAnAddressAndAnInvoiceInOneLink(t *testing.T) {
	s, c := openOnChain(t)
	o := s.order("web-1")
	want := "bitcoin:" + strings.ToUpper(theAddress) + "?amount=0.000072&lightning=" + strings.ToUpper(o.Payment.Request)
	if o.Payment.Address != theAddress || o.Payment.URI != want || o.Resource.Address != theAddress || o.Resource.URI != want {
		t.Errorf("%+v\nwant the link %s", o, want)
	}
	if again := s.order("web-1"); again.Payment.URI != want || again.Resource.URI != want || c.made != 1 {
		t.Errorf("sent again: %+v, %d addresses", again, c.made)
	}
	if r := s.get("web-1"); r.Address != theAddress || r.URI != want || r.Pending[0].URI != want {
		t.Errorf("the resource: %+v", r)
	}
	p, err := s.client("").PaymentOf(t.Context(), "web-1", o.Payment.Key)
	if err != nil || p.URI != want || p.Address != theAddress || p.Vout != nil || p.Confirmations != nil {
		t.Errorf("the payment: %+v, %v", p, err)
	}
	more, err := s.client("").Fund(t.Context(), "web-1", wire.FundRequest{Amount: price + 1})
	s.must(err)
	if !strings.Contains(more.URI, "?amount=0.00003601&lightning="+strings.ToUpper(more.Request)) || s.get("web-1").URI != more.URI {
		t.Errorf("a part of a satoshi: %s, the resource %s", more.URI, s.get("web-1").URI)
	}
	s.settle(o.Payment.Key, o.Payment.Asked)
	s.settle(more.Key, more.Asked)
	for amount, onChain := range map[money.Msat]bool{545_000: false, 545_001: true} { // below the dust limit, and at it
		p, err := s.client("").Fund(t.Context(), "web-1", wire.FundRequest{Amount: amount})
		s.must(err)
		if want := "lightning:" + p.Request; (p.URI != want) != onChain || (p.Address != "") != onChain {
			t.Errorf("%s: %s, %s", amount, p.Address, p.URI)
		}
		s.settle(p.Key, amount)
	}
	paid := s.get("web-1")
	if paid.Address != theAddress || paid.URI != "bitcoin:"+strings.ToUpper(theAddress) {
		t.Errorf("without an open invoice: %+v", paid)
	}
	released, err := s.client(o.HolderKey).Release(t.Context(), "web-1")
	if err != nil || released.Address != "" || released.URI != "" {
		t.Errorf("released: %+v, %v", released, err)
	}
}

func TestWithoutAnAddressTheLinkIsTheInvoice(t *testing.T) {
	s := open(t, nil)
	o := s.order("web-1")
	want := "lightning:" + o.Payment.Request
	if o.Payment.URI != want || o.Resource.URI != want || o.Payment.Address+o.Resource.Address != "" {
		t.Errorf("%+v", o)
	}
	s.settle(o.Payment.Key, o.Payment.Asked)
	if r := s.get("web-1"); r.URI != "" {
		t.Errorf("paid: %+v", r)
	}
}

func ptr[T any](v T) *T { return &v }

// TestTheLifeOfADeposit goes through each status, as the resource and the payment show it.
func TestTheLifeOfADeposit(t *testing.T) {
	s, c := openOnChain(t)
	o := s.order("web-1")
	s.settle(o.Payment.Key, o.Payment.Asked)
	view := wire.Payment{
		Key:           string(deposit),
		Status:        "seen",
		Resource:      "web-1",
		Amount:        2 * price,
		Address:       theAddress,
		TxID:          txid,
		Vout:          ptr(uint32(0)),
		Confirmations: ptr(int64(0)),
		Required:      3,
		ExpectedTime:  2 * hour,
	}
	see := func(pending bool) {
		t.Helper()
		var want []wire.Payment
		if pending {
			want = append(want, view)
		}
		ignore := cmp.FilterPath(func(p cmp.Path) bool {
			return strings.HasSuffix(p.Last().String(), "At")
		}, cmp.Ignore())
		if diff := cmp.Diff(want, append([]wire.Payment(nil), s.get("web-1").Pending...), ignore); diff != "" {
			t.Errorf("%s: pending (-want +got):\n%s", view.Status, diff)
		}
		got, err := s.client("").PaymentOf(t.Context(), "web-1", string(deposit))
		s.must(err)
		if diff := cmp.Diff(view, got, ignore); diff != "" {
			t.Errorf("%s: payment (-want +got):\n%s", view.Status, diff)
		}
	}
	s.pays(deposit, s.seen(2*price))
	see(true)
	c.height.Store(0)
	see(true) // it is in no block, wherever the tip is

	s.pays(deposit, s.confirmed(801))
	view.Status = "confirmed"
	view.Height, view.Block = 801, block(801)
	view.Confirmations = nil
	see(true) // nobody knows the tip
	for tip, n := range map[int64]int64{800: 1, 801: 1, 802: 2, 850: 50} {
		c.height.Store(tip)
		view.Confirmations = ptr(n)
		see(true)
	}

	c.height.Store(803)
	s.bookDeposit()
	view.Status, view.Via = "credited", "onchain"
	view.Confirmations = ptr(int64(3))
	view.Required = 0
	view.ExpectedTime = 0
	see(false)
	if r := s.get("web-1"); r.Credited != 4*price || r.Lots[1].Payment != string(deposit) {
		t.Errorf("credited: %+v", r)
	}

	s.pays(deposit, s.reorged(801))
	view.Status, view.Reason = "reorged", "reorged"
	view.Height, view.Block = 0, ""
	view.Confirmations = ptr(int64(0))
	view.Required = 3
	view.ExpectedTime = 2 * hour
	see(true)

	s.pays(deposit, payment.Replace{At: s.clock.Now(), Reason: payment.ReasonConflict})
	view.Status, view.Reason = "replaced", "conflict"
	view.Confirmations = nil
	view.Required = 0
	view.ExpectedTime = 0
	see(false)
}

func (s *shop) bookDeposit() {
	s.t.Helper()
	s.book(deposit, payment.Settle{At: s.clock.Now(), Amount: 2 * price, Via: payment.ViaOnChain})
}

func TestADepositThatIsFinal(t *testing.T) {
	s, c := openOnChain(t)
	s.running("web-1")
	s.pays(deposit, s.seen(2*price), s.confirmed(700))
	s.bookDeposit()
	s.pays(deposit, payment.Finalize{At: s.clock.Now(), Height: 800})
	p, err := s.client("").Payment(t.Context(), string(deposit))
	s.must(err)
	if !p.Final || *p.Confirmations != 101 || p.Height != 700 || len(s.get("web-1").Pending) != 0 {
		t.Errorf("at %d: %+v", c.height.Load(), p)
	}
}

// TestADepositThatPaysADebt does not buy time with that part.
func TestADepositThatPaysADebt(t *testing.T) {
	s, _ := openOnChain(t)
	s.running("web-1")
	s.pays(deposit, s.seen(2*price), s.confirmed(700))
	s.bookDeposit()
	s.clock.Advance(3 * instant.Hour)
	out, err := s.billing.Resources.Execute(t.Context(), "web-1", stream.Meta{}, resource.Reverse{
		When: resource.When{At: s.clock.Now()}, Payment: string(deposit), Reason: "reorg",
	})
	s.must(errors.Join(err, s.views.WaitFor(t.Context(), out.Position)))
	s.pays(deposit, s.reorged(700))
	r := s.get("web-1")
	if r.Debt != price || len(r.Pending) != 1 || r.Pending[0].ExpectedTime != hour {
		t.Errorf("%+v", r)
	}
}

func TestADepositHoldsOffRelease(t *testing.T) {
	s, _ := openOnChain(t)
	s.running("web-1")
	s.clock.Advance(2 * hour)
	s.settled("web-1")
	grace := s.get("web-1").ReleaseAt
	until := grace.Add(hour)
	out, err := s.billing.Resources.Execute(t.Context(), "web-1", stream.Meta{}, resource.Hold{
		When: resource.When{At: s.clock.Now()}, Payment: string(deposit), Until: until,
	})
	s.must(errors.Join(err, s.views.WaitFor(t.Context(), out.Position)))
	if r := s.get("web-1"); r.HeldUntil != until || r.ReleaseAt != until {
		t.Errorf("held: %+v, want until %s", r, until)
	}
	then, err := s.client("").ResourceAsOf(t.Context(), "web-1", s.clock.Now())
	if err != nil || then.HeldUntil != until || len(then.Pending) != 0 || then.Address+then.URI != "" {
		t.Errorf("as of now: %+v, %v", then, err)
	}
	s.clock.Advance(until.Sub(s.clock.Now()))
	if r := s.get("web-1"); r.HeldUntil != 0 {
		t.Errorf("after that: %+v", r)
	}
}

// TestWhatADepositNeeds is said for its amount, or not at all.
func TestWhatADepositNeeds(t *testing.T) {
	s, _ := openOnChain(t)
	s.order("web-1")
	s.pays(deposit, s.seen(money.BTC+1000))
	if p := s.get("web-1").Pending[1]; p.Required != 6 {
		t.Errorf("a large deposit: %+v", p)
	}
	s.pays(deposit, s.confirmed(799))
	s.pays(payment.ChainKey(txid, 7), s.seen(1000))
	if p := s.get("web-1").Pending[2]; p.Required != 6 {
		t.Errorf("a small one beside it: %+v", p)
	}
	s = open(t, nil)
	s.order("web-1")
	s.pays(deposit, s.seen(2*price), s.confirmed(700))
	if p := s.get("web-1").Pending[1]; p.Required != 0 || p.Confirmations != nil || p.ExpectedTime != 2*hour {
		t.Errorf("where nobody can say: %+v", p)
	}
}

// TestALifeShowsConfirmations as they come, and only signs of life where a block changes
// nothing.
func TestALifeShowsConfirmations(t *testing.T) {
	c := &chain{}
	c.height.Store(800)
	inTime(t, c.onChain, func(t *testing.T, s *shop, p *pipes) {
		s.accept(c)
		s.inside("web-1")
		st := s.ask(p.dial(), "web-1", "")
		defer st.Close()
		last := func() wire.Resource {
			t.Helper()
			var r wire.Resource
			s.must(json.Unmarshal([]byte(strings.TrimPrefix(st.until(t, "data: "), "data: ")), &r))
			return r
		}
		last()
		s.pays(deposit, s.seen(2*price))
		if r := last(); *r.Pending[0].Confirmations != 0 {
			t.Errorf("seen: %+v", r)
		}
		c.height.Store(801)
		st.until(t, ": alive") // it is in no block
		s.pays(deposit, s.confirmed(801))
		if r := last(); *r.Pending[0].Confirmations != 1 {
			t.Errorf("confirmed: %+v", r)
		}
		st.until(t, ": alive")
		c.height.Store(802)
		began := time.Now()
		if r := last(); *r.Pending[0].Confirmations != 2 || time.Since(began) > 15*time.Second {
			t.Errorf("a block later, after %s: %+v", time.Since(began), r)
		}
		st.until(t, ": alive")
	})
}

// TestALifeIsShownToTheEndOfItsDeposit reads by the client.
func TestALifeIsShownToTheEndOfItsDeposit(t *testing.T) {
	s, _ := openOnChain(t)
	s.running("web-1")
	next, stop := iter.Pull2(s.client("").Live(t.Context(), "web-1"))
	defer stop()
	until := func(status string) {
		t.Helper()
		for {
			r, err, ok := next()
			if err != nil || !ok {
				t.Fatalf("waiting for %q: %v, %v", status, err, ok)
			}
			if status == "" && len(r.Pending) == 0 || len(r.Pending) == 1 && r.Pending[0].Status == status {
				return
			}
		}
	}
	s.pays(deposit, s.seen(2*price))
	until("seen")
	s.pays(deposit, s.confirmed(800))
	until("confirmed")
	s.bookDeposit()
	until("")
	s.pays(deposit, s.reorged(800))
	until("reorged")
}

func TestAPlanAsksForMoreConfirmations(t *testing.T) {
	s := open(t, nil)
	c := s.client(operatorToken)
	r := wire.PublishRequest{
		Name: "large", Price: wire.Price{Msat: price, Per: hour}, Min: instant.Minute, Max: instant.Day,
		Deep: &wire.Deep{Above: money.BTC, Confirmations: 6},
	}
	p, err := c.Publish(t.Context(), r)
	if err != nil || p.Deep == nil || *p.Deep != *r.Deep {
		t.Errorf("published: %+v, %v", p, err)
	}
	plans, err := c.Plans(t.Context())
	if err != nil || *plans[0].Deep != *r.Deep || plans[1].Deep != nil {
		t.Errorf("listed: %+v, %v", plans, err)
	}
	r.Deep = &wire.Deep{Confirmations: 144} // of all
	if p, err = c.Publish(t.Context(), r); err != nil || *p.Deep != *r.Deep {
		t.Errorf("of all: %+v, %v", p, err)
	}
	r.Deep = nil
	if p, err = c.Publish(t.Context(), r); err != nil || p.Deep != nil {
		t.Errorf("of none: %+v, %v", p, err)
	}
	for _, deep := range []string{
		`{"above_msat":1}`, `{"above_msat":-1,"confirmations":6}`, `{"above_msat":1,"confirmations":0}`,
		`{"above_msat":1,"confirmations":145}`, `{"above_msat":1,"confirmations":6,"x":1}`, `6`,
	} {
		got := s.send("POST", "/v1/plans", `{"name":"x","price":{"msat":1,"per_ms":1},"min_time_ms":1,"max_time_ms":1,`+
			`"grace_ms":0,"deep":`+deep+`}`, bearer(operatorToken))
		if got.status != 422 {
			t.Errorf("%s: %d %s", deep, got.status, got.body)
		}
	}
	var problem *client.Problem
	_, err = c.Payment(t.Context(), "btc-"+txid+"-7")
	if !errors.As(err, &problem) || problem.Status != 404 || !strings.Contains(problem.Detail, "btc-") {
		t.Errorf("a deposit that nobody knows: %v", err)
	}
}

// FindAddress lets an address be found, unless it is another's.
func (c *chain) FindAddress(_ context.Context, addr string) (billing.Address, error) {
	if addr == "bcrt1qanother" {
		return billing.Address{}, find.ErrNotOurs
	}
	return billing.Address{Address: addr, Node: "02aa", Height: 77}, nil
}

func TestAnAddressIsAdopted(t *testing.T) {
	s, c := openOnChain(t)
	s.billing.Finder = c
	s.running("web-1")
	op := s.client(operatorToken)
	got, err := op.Adopt(t.Context(), "bcrt1qlost", wire.AdoptRequest{Resource: "web-1"})
	if want := (wire.Address{Address: "bcrt1qlost", Resource: "web-1", Height: 77, Node: "02aa"}); err != nil || got != want {
		t.Errorf("%+v, %v", got, err)
	}
	for addr, want := range map[string]struct {
		r    wire.AdoptRequest
		code string
	}{
		"bcrt1qlost":    {wire.AdoptRequest{Resource: "web-9", Lost: true}, "conflict"},
		"bcrt1qanother": {wire.AdoptRequest{Resource: "web-1"}, "not_ours"},
		"bcrt1qmore":    {wire.AdoptRequest{Resource: "web-9"}, "unknown_resource"},
	} {
		if _, err := op.Adopt(t.Context(), addr, want.r); client.Code(err) != want.code {
			t.Errorf("%s: %v", addr, err)
		}
	}
	if _, err := op.Adopt(t.Context(), "bcrt1qmore", wire.AdoptRequest{Resource: "web-9", Lost: true}); err != nil {
		t.Error(err)
	}
}

// TestNoAddressIsShownWhereTheChainIsOff to those who are about to pay. What was paid to it is.
func TestNoAddressIsShownWhereTheChainIsOff(t *testing.T) {
	s, _ := openOnChain(t)
	s.running("web-1")
	if r := s.get("web-1"); r.Address == "" || !strings.HasPrefix(r.URI, "bitcoin:") {
		t.Fatalf("it is on, and %+v", r)
	}
	s.billing.Chain = nil
	p, err := s.client("").Fund(t.Context(), "web-1", wire.FundRequest{Time: hour})
	s.must(err)
	if p.Address != "" || !strings.HasPrefix(p.URI, "lightning:") {
		t.Errorf("the payer is told to pay %s", p.URI)
	}
	s.pays(deposit, s.seen(5_000_000), s.confirmed(799))
	r := s.get("web-1")
	if r.Address != "" || strings.HasPrefix(r.URI, "bitcoin:") {
		t.Errorf("the resource shows %s and %s", r.Address, r.URI)
	}
	if i := len(r.Pending) - 1; i != 1 || r.Pending[i].Address != theAddress || r.Pending[i].Required != 3 ||
		*r.Pending[i].Confirmations != 2 {
		t.Errorf("on its way: %+v", r.Pending)
	}
}

// An order that has an address and is released is not there any more, as one without is not; and
// one that waits is not told to be released in the past.
func TestAnOrderWithAnAddressIsReleased(t *testing.T) {
	s, _ := openOnChain(t)
	o := s.order("web-1")
	if o.Payment.Address == "" || o.Resource.ReleaseAt == 0 {
		t.Fatalf("%+v", o)
	}
	s.clock.Advance(400 * instant.Day)
	if r := s.get("web-1"); r.Status != "awaiting" || r.ReleaseAt != 0 {
		t.Errorf("it is %s, and released at %s", r.Status, r.ReleaseAt)
	}
	released, err := s.client(o.HolderKey).Release(t.Context(), "web-1")
	if err != nil || released.Status != "released" || released.Address != "" {
		t.Errorf("released: %+v, %v", released, err)
	}
	for _, path := range []string{"", "/live"} {
		if got := s.send("GET", "/v1/resources/web-1"+path, ""); got.status != 404 {
			t.Errorf("GET …%s: %d %s", path, got.status, got.body)
		}
	}
	if again := s.order("web-1"); again.HolderKey == "" || again.Resource.Status != "awaiting" {
		t.Errorf("ordered anew: %+v", again)
	}
}
