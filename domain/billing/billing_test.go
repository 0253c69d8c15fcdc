package billing_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"sandglass/domain/address"
	"sandglass/domain/billing"
	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/payment"
	"sandglass/domain/plan"
	"sandglass/domain/resource"
	"sandglass/domain/stream"
	"sandglass/projections"
	"sandglass/testutil/storetest"
)

const (
	key   = "a-random-secret-of-a-payer"
	hour  = instant.Hour
	price = 3_600_000 // msat an hour
)

// fakeWallet makes invoices that nobody pays by itself.
type fakeWallet struct {
	mu   sync.Mutex
	made int
	err  error
	now  func() instant.Time
}

func (w *fakeWallet) Invoice(_ context.Context, amount money.Msat, _ string, expiry instant.Millis) (billing.Invoice, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.made++
	hash := fmt.Sprintf("%064d", w.made)
	return billing.Invoice{
		Key:     payment.LightningKey(hash),
		Request: "lnbcrtln-" + hash,
		Amount:  amount,
		Expiry:  w.now().Add(expiry),
	}, w.err
}

// shop is a service over a store of its own, with one plan on offer.
type shop struct {
	*billing.Service
	t      *testing.T
	clock  *storetest.Clock
	wallet *fakeWallet
	views  *projections.Views
	swept  chan struct{}
	store  *storetest.Faulty
}

func open(t *testing.T) *shop {
	inner, clock := storetest.SQLite(t)
	store := &storetest.Faulty{EventStore: inner}
	views := projections.New(hour)
	resources := &resource.Handler{Aggregate: resource.Aggregate(), Store: store, Warm: views.Resource}
	payments := &payment.Handler{Aggregate: payment.Aggregate(), Store: store}
	s := &shop{t: t, clock: clock, wallet: &fakeWallet{now: clock.Now}, views: views, swept: make(chan struct{}), store: store}
	s.Service = &billing.Service{
		Plans: &plan.Handler{Aggregate: plan.Aggregate(), Store: store}, Payments: payments, Resources: resources,
		Booker: &payment.Booker{Payments: payments, Resources: resources, Now: clock.Now},
		Wallet: s.wallet, Views: views, Now: clock.Now, Random: rand.Reader, Swept: s.swept,
		Limits: billing.Limits{OpenPerResource: 3, Open: 5, Awaiting: 4, Expiry: hour},
	}
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := projections.Run(ctx, inner, views); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() { stop(); wg.Wait() })
	s.publish(price)
	close(s.swept)
	return s
}

func (s *shop) publish(msat money.Msat) {
	s.t.Helper()
	p := plan.Offer{
		Terms: resource.Terms{Price: money.Price{Msat: msat, Per: hour}, Grace: instant.Day},
		Min:   instant.Minute,
		Max:   30 * instant.Day,
	}
	out, err := s.Publish(s.t.Context(), stream.Meta{}, "small", p)
	s.must(errors.Join(err, s.views.WaitFor(s.t.Context(), out.Position)))
}

func (s *shop) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *shop) order(r billing.OrderRequest) billing.Order {
	s.t.Helper()
	o, err := s.Order(s.t.Context(), stream.Meta{}, r)
	s.must(err)
	return o
}

// settle books the payment of an invoice.
func (s *shop) settle(p payment.State, amount money.Msat) payment.State {
	s.t.Helper()
	out, err := s.Booker.Book(s.t.Context(), stream.Meta{}, p.Key, payment.Settle{
		At: s.clock.Now(), Amount: amount, Via: payment.ViaBOLT11,
	})
	s.must(errors.Join(err, s.views.WaitFor(s.t.Context(), out.Position)))
	return out.State
}

func TestAnOrderIsTheSameOrderWhenSentAgain(t *testing.T) {
	s := open(t)
	r := billing.OrderRequest{Plan: "small", Time: 2 * hour, IdempotencyKey: key}
	first, again := s.order(r), s.order(r)
	switch {
	case !first.New || again.New:
		t.Errorf("new: %v, then %v", first.New, again.New)
	case first.Resource.ID != again.Resource.ID || first.HolderKey != again.HolderKey ||
		first.Payment.Invoice != again.Payment.Invoice:
		t.Errorf("%+v\nand then %+v", first, again)
	case first.HolderKey == "" || !billing.Holds(first.Resource, first.HolderKey) || billing.Holds(first.Resource, "guess"):
		t.Errorf("the holder key is %q", first.HolderKey)
	case first.Payment.Asked != 2*price || first.Resource.Status != resource.StatusAwaiting:
		t.Errorf("got %+v", first)
	}
	s.settle(first.Payment, first.Payment.Asked)
	paid := s.order(r)
	if paid.Payment.Key != "" || paid.Resource.Status != resource.StatusRunning || s.wallet.made != 1 {
		t.Errorf("once paid: %+v, %d invoices", paid, s.wallet.made)
	}
	other := r
	other.Time = hour
	if _, err := s.Order(t.Context(), stream.Meta{}, other); !errors.Is(err, resource.ErrExists) {
		t.Errorf("the same key with other content: %v", err)
	}
}

func TestAnOrderByIDHidesTheHolderKeyFromOthers(t *testing.T) {
	s := open(t)
	mine := s.order(billing.OrderRequest{Plan: "small", Time: hour, ID: "my-vm", IdempotencyKey: key})
	theirs := s.order(billing.OrderRequest{Plan: "small", Time: hour, ID: "my-vm"})
	if mine.HolderKey == "" || theirs.HolderKey != "" || theirs.Resource.ID != "my-vm" || theirs.Payment.Key != mine.Payment.Key {
		t.Errorf("mine %+v\ntheirs %+v", mine, theirs)
	}
}

// An append of an order fails in each way, and the order is sent again: there is one
// resource, and what its payer was told is what the log holds.
func TestAnOrderSurvivesFaults(t *testing.T) {
	for at := range 2 {
		for _, fault := range []storetest.Fault{storetest.Lost, storetest.AnswerLost} {
			s := open(t)
			faults := []storetest.Fault{storetest.None, storetest.None}
			faults[at] = fault
			s.store.OnAppend = storetest.Faults(faults...)
			r := billing.OrderRequest{Plan: "small", Time: hour, IdempotencyKey: key}
			if _, err := s.Order(t.Context(), stream.Meta{}, r); !errors.Is(err, storetest.ErrFault) {
				t.Fatalf("append %d, fault %d: %v", at, fault, err)
			}
			o := s.order(r)
			if got := s.views.Counts()[resource.StatusAwaiting]; got != 1 {
				t.Errorf("append %d, fault %d: %d resources", at, fault, got)
			}
			if got := s.settle(o.Payment, price); got.Status != payment.StatusCredited || got.Resource != o.Resource.ID {
				t.Errorf("append %d, fault %d: the payment is %+v", at, fault, got)
			}
		}
	}
}

func TestManySendOneOrderAtOnce(t *testing.T) {
	s := open(t)
	var wg sync.WaitGroup
	r := billing.OrderRequest{Plan: "small", Time: hour, IdempotencyKey: key}
	orders := make([]billing.Order, 16)
	for i := range orders {
		wg.Go(func() {
			var err error
			if orders[i], err = s.Order(t.Context(), stream.Meta{}, r); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for _, o := range orders {
		if o.Payment.Invoice != orders[0].Payment.Invoice || o.HolderKey != orders[0].HolderKey {
			t.Fatalf("%+v\nand %+v", orders[0], o)
		}
	}
}

func TestWhatStrangersCanMakeGrowIsBounded(t *testing.T) {
	s := open(t)
	vm := s.order(billing.OrderRequest{Plan: "small", Time: hour, ID: "vm"})
	for _, d := range []instant.Millis{2 * hour, 3 * hour} {
		_, err := s.Pay(t.Context(), stream.Meta{}, "vm", d, 0)
		s.must(err)
	}
	if _, err := s.Pay(t.Context(), stream.Meta{}, "vm", 4*hour, 0); !errors.Is(err, billing.ErrTooManyOpen) {
		t.Errorf("a fourth invoice: %v", err)
	}
	if p, err := s.Pay(t.Context(), stream.Meta{}, "vm", hour, 0); err != nil || p.State.Key != vm.Payment.Key {
		t.Errorf("an open invoice is given again: %+v, %v", p.State, err)
	}
	s.order(billing.OrderRequest{Plan: "small", Time: hour, ID: "vm-2"})
	s.order(billing.OrderRequest{Plan: "small", Time: hour, ID: "vm-3"})
	if err := s.try(billing.OrderRequest{Plan: "small", Time: hour, ID: "vm-4"}); !errors.Is(err, billing.ErrTooManyOpen) {
		t.Errorf("a sixth invoice: %v", err)
	}
	if err := s.try(billing.OrderRequest{Plan: "small", Time: hour, ID: "vm-5"}); !errors.Is(err, billing.ErrTooManyOpen) {
		t.Errorf("a fifth unpaid order: %v", err)
	}
}

func TestThePriceOfAnInvoiceIsKept(t *testing.T) {
	s := open(t)
	o := s.order(billing.OrderRequest{Plan: "small", Time: hour, ID: "vm"})
	out, err := s.Reprice(t.Context(), stream.Meta{}, "vm", money.Price{Msat: 2 * price, Per: hour})
	s.must(errors.Join(err, s.views.WaitFor(t.Context(), out.Position)))
	s.settle(o.Payment, price)
	later, err := s.Pay(t.Context(), stream.Meta{}, "vm", hour, 0)
	s.must(err)
	if got, _ := s.views.Remaining("vm", s.clock.Now()); got != hour || later.State.Asked != 2*price {
		t.Errorf("%d ms are left, want an hour; the next hour costs %s", got, later.State.Asked)
	}
}

func TestBadRequestsChangeNothing(t *testing.T) {
	s := open(t)
	s.order(billing.OrderRequest{Plan: "small", Time: hour, ID: "gone"})
	out, err := s.Release(t.Context(), stream.Meta{}, "gone", "operator")
	s.must(errors.Join(err, s.views.WaitFor(t.Context(), out.Position)))
	before := s.views.Position()
	long := strings.Repeat("x", 200)
	order := func(r billing.OrderRequest) func() error {
		return func() error { return s.try(r) }
	}
	pay := func(id resource.ID) func() error {
		return func() error {
			_, err := s.Pay(t.Context(), stream.Meta{}, id, hour, 0)
			return err
		}
	}
	for name, c := range map[string]struct {
		do   func() error
		want error
	}{
		"unknown plan":     {order(billing.OrderRequest{Plan: "big", Time: hour}), plan.ErrUnknown},
		"neither":          {order(billing.OrderRequest{Plan: "small"}), billing.ErrInvalid},
		"both":             {order(billing.OrderRequest{Plan: "small", Time: hour, Amount: 1}), billing.ErrInvalid},
		"too short":        {order(billing.OrderRequest{Plan: "small", Time: 1}), plan.ErrBounds},
		"too long":         {order(billing.OrderRequest{Plan: "small", Time: 1 << 62}), plan.ErrBounds},
		"all the bitcoin":  {order(billing.OrderRequest{Plan: "small", Amount: 1<<63 - 1}), plan.ErrBounds},
		"negative":         {order(billing.OrderRequest{Plan: "small", Time: -hour}), billing.ErrInvalid},
		"bad id":           {order(billing.OrderRequest{Plan: "small", Time: hour, ID: "../etc"}), plan.ErrInvalid},
		"short key":        {order(billing.OrderRequest{Plan: "small", Time: hour, IdempotencyKey: "1"}), billing.ErrInvalid},
		"long key":         {order(billing.OrderRequest{Plan: "small", Time: hour, IdempotencyKey: long}), billing.ErrInvalid},
		"unknown resource": {pay("nobody"), resource.ErrNotOpened},
		"released":         {pay("gone"), resource.ErrReleased},
		"bad grant": {func() error {
			_, err := s.Grant(t.Context(), stream.Meta{}, "gone", "Not A Name", hour, "")
			return err
		}, plan.ErrInvalid},
	} {
		if err := c.do(); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	if head, _ := s.store.Head(t.Context()); head != before {
		t.Errorf("the log went from %d to %d", before, head)
	}
}

func (s *shop) try(r billing.OrderRequest) error {
	_, err := s.Order(s.t.Context(), stream.Meta{}, r)
	return err
}

func TestNoMoneyIsAskedForBeforeTheWalletWasRead(t *testing.T) {
	s := open(t)
	s.Swept = make(chan struct{})
	if err := s.try(billing.OrderRequest{Plan: "small", Time: hour}); !errors.Is(err, billing.ErrStarting) {
		t.Errorf("got %v", err)
	}
}

func TestAWalletThatGivesNoInvoice(t *testing.T) {
	s := open(t)
	s.wallet.err = errors.New("locked")
	r := billing.OrderRequest{Plan: "small", Time: hour, IdempotencyKey: key}
	if err := s.try(r); !errors.Is(err, billing.ErrWallet) {
		t.Errorf("got %v", err)
	}
	s.wallet.err = nil
	if o := s.order(r); o.New || o.Payment.Invoice == "" || o.HolderKey == "" {
		t.Errorf("when it is back: %+v", o)
	}
}

// chain makes addresses.
type chain struct {
	made int
	err  error
}

func (c *chain) NewAddress(context.Context) (billing.Address, error) {
	c.made++
	return billing.Address{Address: fmt.Sprintf("bcrt1q%038d", c.made), Node: "02aa", Height: 500}, c.err
}

func TestAResourceHasOneAddress(t *testing.T) {
	s := open(t)
	c := &chain{err: errors.New("the chain's node is away")}
	failed := 0
	s.Chain, s.Addresses = c, &address.Handler{Aggregate: address.Aggregate(), Store: s.store}
	s.AddressFailed = func(resource.ID, error) { failed++ }
	r := billing.OrderRequest{Plan: "small", Time: hour, ID: "vm", IdempotencyKey: key}
	s.order(r) // the invoice pays all the same
	if _, ok := s.views.AddressOf("vm"); ok || failed != 1 {
		t.Errorf("an address without a chain: %v, %d failures told", ok, failed)
	}
	c.err = nil
	s.order(r) // the same order, with its invoice, asks again
	first, ok := s.views.AddressOf("vm")
	s.order(r)
	_, err := s.Pay(t.Context(), stream.Meta{}, "vm", 3*hour, 0)
	s.must(err)
	second, _ := s.views.AddressOf("vm")
	if !ok || first != second || c.made != 2 || s.wallet.made != 2 {
		t.Errorf("addresses %q and %q, %d made", first, second, c.made)
	}
	if id, height, ok := s.views.Issued(first); id != "vm" || height != 500 || !ok {
		t.Errorf("issued for %q at %d, %v", id, height, ok)
	}
}

// The store says that it takes nothing: the wallet is not asked, for an invoice or an
// address, and what was given out before is not given out again.
func TestNoMoneyIsAskedForThatCannotBeRecorded(t *testing.T) {
	for _, why := range []error{stream.ErrReadOnly, stream.ErrUnavailable} {
		s := open(t)
		c := &chain{}
		s.Chain, s.Addresses = c, &address.Handler{Aggregate: address.Aggregate(), Store: s.store}
		r := billing.OrderRequest{Plan: "small", Time: hour, ID: "vm", IdempotencyKey: key}
		first := s.order(r)
		s.order(billing.OrderRequest{Plan: "small", Time: hour, ID: "paid", IdempotencyKey: key})
		s.settle(s.views.PaymentsOf("paid")[0], price)
		before := s.views.Position()
		var now error
		s.Writable = func() error { return now }
		now = fmt.Errorf("the store of this test: %w", why)
		for name, do := range map[string]func() error{
			"a new order":     func() error { return s.try(billing.OrderRequest{Plan: "small", Time: hour, ID: "new"}) },
			"the same order":  func() error { return s.try(r) },
			"another invoice": func() error { _, err := s.Pay(t.Context(), stream.Meta{}, "vm", 3*hour, 0); return err },
			"the same amount": func() error { _, err := s.Pay(t.Context(), stream.Meta{}, "vm", hour, 0); return err },
		} {
			if err := do(); !errors.Is(err, why) {
				t.Errorf("%s: %v, want %v", name, err, why)
			}
		}
		if paid := s.order(billing.OrderRequest{Plan: "small", Time: hour, ID: "paid", IdempotencyKey: key}); paid.HolderKey == "" {
			t.Error("an order that needs no money is not answered")
		}
		if head, _ := s.store.Head(t.Context()); head != before || s.wallet.made != 2 || c.made != 2 {
			t.Errorf("the log went from %d to %d; %d invoices and %d addresses were made", before, head, s.wallet.made, c.made)
		}
		now = nil
		if again := s.order(r); again.Payment.Key != first.Payment.Key {
			t.Errorf("when it is back: %+v", again)
		}
	}
}
