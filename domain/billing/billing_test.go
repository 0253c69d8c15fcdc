package billing_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"sandglass/domain/address"
	"sandglass/domain/billing"
	"sandglass/domain/billing/keys"
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

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

const (
	key   = "a-random-secret-of-a-payer"
	hour  = instant.Hour
	price = 3_600_000 // msat an hour
)

// fakeWallet makes invoices that nobody pays by itself.
type fakeWallet struct {
	mu       sync.Mutex
	made     int
	err      error
	now      func() instant.Time
	closed   map[payment.Key]bool // that are paid, or canceled
	refuses  error                // of Cancel
	asked    billing.InvoiceRequest
	canceled []payment.Key
}

func (w *fakeWallet) IsOpen(_ context.Context, key payment.Key) (bool, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return !w.closed[key], w.err
}

func (w *fakeWallet) Cancel(_ context.Context, key payment.Key) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.refuses != nil:
		return w.refuses
	case slices.Contains(w.canceled, key):
		return nil
	case w.closed[key]:
		return billing.ErrPaid
	}
	w.closed[key] = true
	w.canceled = append(w.canceled, key)
	return nil
}

func (w *fakeWallet) Invoice(_ context.Context, r billing.InvoiceRequest) (billing.Invoice, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.made++
	w.asked = r
	hash := fmt.Sprintf("%064d", w.made)
	return billing.Invoice{
		Key:     payment.LightningKey(hash),
		Request: "lnbcrtln-" + hash,
		Amount:  r.Amount,
		Expiry:  w.now().Add(r.Expiry),
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
	kept   storetest.Memory
}

func open(t *testing.T) *shop {
	inner, clock := storetest.SQLite(t)
	store := &storetest.Faulty{EventStore: inner}
	views := projections.New(hour)
	resources := &resource.Handler{Aggregate: resource.Aggregate(), Store: store, Warm: views.Resource}
	payments := &payment.Handler{Aggregate: payment.Aggregate(), Store: store}
	s := &shop{
		t: t, clock: clock, views: views, swept: make(chan struct{}), store: store,
		wallet: &fakeWallet{now: clock.Now, closed: map[payment.Key]bool{}},
	}
	requests := request.New(request.Options{Store: &s.kept, Now: clock.Now, Most: 100})
	rule := &opening.Rule{Requests: requests, Resources: resources, Log: views, Head: store.Head}
	s.Service = &billing.Service{
		Reports: func() bool { return true }, Opening: rule,
		Plans: &plan.Handler{Aggregate: plan.Aggregate(), Store: store}, Resources: resources,
		Requests: requests,
		Booker:   &payment.Booker{Payments: payments, Resources: resources, Refuses: rule.Refuses, Now: clock.Now},
		Wallet:   s.wallet, Views: views, Now: clock.Now, Random: rand.Reader, Swept: s.swept,
		Limits: billing.Limits{OpenPerResource: 3, Open: 5, Awaiting: 4, Addresses: 3, Expiry: hour},
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
	c := payment.Settle{At: s.clock.Now(), Amount: amount, Via: payment.ViaBOLT11}
	if r, ok := s.Requests.Find(p.Key); ok { // as the watcher does
		c.Request = &r.Request
	}
	out, err := s.Booker.Book(s.t.Context(), stream.Meta{}, p.Key, c)
	s.must(errors.Join(err, s.views.WaitFor(s.t.Context(), out.Position)))
	s.wallet.closed[p.Key] = true
	s.Requests.Done(s.t.Context(), string(p.Key), 0)
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
	case first.HolderKey == "" || !keys.Holds(first.Resource, first.HolderKey) || keys.Holds(first.Resource, "guess"):
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

// A key stands for the order that it made: that a stranger ordered the same under its id, since that
// order lapsed, makes it no other's.
func TestAKeyAnswersWithItsOwnOrder(t *testing.T) {
	s := open(t)
	r := billing.OrderRequest{Plan: "small", Time: hour, ID: "web", IdempotencyKey: key}
	mine := s.order(r)
	s.clock.Advance(2 * hour)
	stranger := r
	stranger.IdempotencyKey = "another-secret-of-a-stranger"
	theirs := s.order(stranger)
	if !theirs.New {
		t.Fatalf("the order of before can be paid no more, and the stranger got it: %+v", theirs)
	}
	refused := func(when string) {
		t.Helper()
		if o, err := s.Order(t.Context(), stream.Meta{}, r); !errors.Is(err, resource.ErrExists) {
			t.Errorf("%s the key answers %+v, %v", when, o, err)
		}
	}
	refused("while the stranger's can be paid")
	s.clock.Advance(2 * hour)
	again := s.order(r)
	if !again.New || again.HolderKey != mine.HolderKey || !keys.Holds(again.Resource, mine.HolderKey) {
		t.Errorf("once the stranger's lapsed, the key makes %+v", again)
	}
	s.clock.Advance(2 * hour)
	s.settle(s.order(stranger).Payment, price)
	refused("once the stranger has paid")
}

func TestAnOrderByIDHidesTheHolderKeyFromOthers(t *testing.T) {
	s := open(t)
	mine := s.order(billing.OrderRequest{Plan: "small", Time: hour, ID: "my-vm", IdempotencyKey: key})
	theirs := s.order(billing.OrderRequest{Plan: "small", Time: hour, ID: "my-vm"})
	if mine.HolderKey == "" || theirs.HolderKey != "" || theirs.Resource.ID != "my-vm" || theirs.Payment.Key != mine.Payment.Key {
		t.Errorf("mine %+v\ntheirs %+v", mine, theirs)
	}
}

// A request is lost, or kept and the answer lost: the order is sent again, there is one
// resource, and what its payer was told is what is credited.
func TestAnOrderSurvivesFaults(t *testing.T) {
	for _, kept := range []bool{false, true} {
		s := open(t)
		fails := 1
		s.kept.Fail = func(context.Context, *request.Record) (bool, error) {
			if fails--; fails == 0 {
				return kept, storetest.ErrFault
			}
			return true, nil
		}
		r := billing.OrderRequest{Plan: "small", Time: hour, IdempotencyKey: key}
		if _, err := s.Order(t.Context(), stream.Meta{}, r); !errors.Is(err, storetest.ErrFault) {
			t.Fatalf("kept %t: %v", kept, err)
		}
		before, _ := s.store.Head(t.Context())
		o := s.order(r)
		if head, _ := s.store.Head(t.Context()); head != before {
			t.Errorf("kept %t: the log went from %d to %d before anybody paid", kept, before, head)
		}
		if got := s.settle(o.Payment, price); got.Status != payment.StatusCredited || got.Resource != o.Resource.ID {
			t.Errorf("kept %t: the payment is %+v", kept, got)
		}
		if again := s.order(r); again.Resource.Status != resource.StatusRunning || again.HolderKey != o.HolderKey {
			t.Errorf("kept %t: once paid it is %+v", kept, again)
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
	before, _ := s.store.Head(t.Context())
	vm := s.order(billing.OrderRequest{Plan: "small", Time: hour, ID: "vm", IdempotencyKey: key})
	s.order(billing.OrderRequest{Plan: "small", Time: hour, ID: "vm-2"})
	for _, d := range []instant.Millis{2 * hour, 3 * hour} {
		_, err := s.Pay(t.Context(), "vm", d, 0, false)
		s.must(err)
	}
	if err := s.try(billing.OrderRequest{Plan: "small", Time: hour, ID: "vm-5"}); !errors.Is(err, billing.ErrTooManyOpen) {
		t.Errorf("a fifth invoice of what nobody has paid: %v", err)
	}
	if head, _ := s.store.Head(t.Context()); head != before {
		t.Errorf("the log went from %d to %d", before, head)
	}
	// Whoever has paid has room of his own.
	s.settle(vm.Payment, price)
	for _, d := range []instant.Millis{4 * hour, 5 * hour, 6 * hour, 7 * hour} {
		if _, err := s.Pay(t.Context(), "vm", d, 0, true); err != nil {
			t.Errorf("an invoice of a resource that was paid: %v", err)
		}
	}
	// Strangers may use up what there is for such, but not its holder's.
	s.Limits.Open = 0
	if _, err := s.Pay(t.Context(), "vm", 8*hour, 0, false); !errors.Is(err, billing.ErrTooManyOpen) {
		t.Errorf("an invoice beyond the bound: %v", err)
	}
	if _, err := s.Pay(t.Context(), "vm", 8*hour, 0, true); err != nil {
		t.Errorf("an invoice for its holder: %v", err)
	}
}

// At the bound the oldest invoice gives way, once it can't be paid any more: never the holder's
// to a stranger's, and never one that is being paid.
func TestTheOldestInvoiceGivesWay(t *testing.T) {
	s := open(t)
	o := s.order(billing.OrderRequest{Plan: "small", Time: hour, ID: "vm", IdempotencyKey: key})
	s.settle(o.Payment, price)
	s.Limits.Open = 99
	pay := func(hours instant.Millis, byHolder bool) payment.State {
		t.Helper()
		s.clock.Set(s.clock.Now() + 1)
		p, err := s.Pay(t.Context(), "vm", hours*hour, 0, byHolder)
		s.must(err)
		return p
	}
	var keys []payment.Key
	mine := pay(2, true)
	for i := range 3 {
		keys = append(keys, pay(instant.Millis(3+i), false).Key)
	}
	s.wallet.closed[keys[0]] = true // it is just being paid
	keys = append(keys, pay(9, false).Key)
	if diff := cmp.Diff(keys[1:1], s.wallet.canceled, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("canceled (-want +got):\n%s", diff)
	}
	pay(10, false)
	if diff := cmp.Diff(keys[1:2], s.wallet.canceled); diff != "" {
		t.Errorf("canceled (-want +got):\n%s", diff)
	}
	if p := pay(2, true); p.Key != mine.Key {
		t.Errorf("the holder's is %s, then %s", mine.Key, p.Key)
	}
	s.wallet.refuses = errors.New("permission denied")
	if _, err := s.Pay(t.Context(), "vm", 11*hour, 0, false); !errors.Is(err, billing.ErrTooManyOpen) {
		t.Errorf("where none can be canceled: %v", err)
	}
}

// An invoice that was just paid is not given again, though nobody has heard of it yet.
func TestAnInvoiceThatWasPaidIsNotGivenAgain(t *testing.T) {
	s := open(t)
	o := s.order(billing.OrderRequest{Plan: "small", Time: hour, ID: "vm"})
	again, err := s.Pay(t.Context(), "vm", hour, 0, false)
	if err != nil || again.Key != o.Payment.Key {
		t.Errorf("%s, then %s, %v", o.Payment.Key, again.Key, err)
	}
	s.wallet.closed[o.Payment.Key] = true
	if again, err = s.Pay(t.Context(), "vm", hour, 0, false); err != nil || again.Key == o.Payment.Key {
		t.Errorf("the paid one is given again: %s, %v", again.Key, err)
	}
	s.Node = func() string { return "another" }
	third, err := s.Pay(t.Context(), "vm", hour, 0, false)
	if err != nil || third.Key == again.Key || len(s.Payments("vm")) != 1 {
		t.Errorf("what another wallet made is given, or shown: %s, %v, %+v", third.Key, err, s.Payments("vm"))
	}
}

// A release has open invoices canceled first: one that can be paid buys time.
func TestAReleaseWaitsForItsInvoices(t *testing.T) {
	s := open(t)
	o := s.order(billing.OrderRequest{Plan: "small", Time: hour, ID: "vm"})
	s.settle(o.Payment, price)
	p, err := s.Pay(t.Context(), "vm", hour, 0, false)
	s.must(err)
	s.wallet.refuses = errors.New("permission denied")
	if _, err := s.Release(t.Context(), stream.Meta{}, "vm", "holder"); !errors.Is(err, billing.ErrPayable) {
		t.Errorf("with an open invoice: %v", err)
	}
	s.wallet.refuses, s.wallet.closed[p.Key] = nil, true
	if _, err := s.Release(t.Context(), stream.Meta{}, "vm", "holder"); !errors.Is(err, billing.ErrPaid) {
		t.Errorf("with one that was paid: %v", err)
	}
	s.settle(p, price)
	_, err = s.Pay(t.Context(), "vm", 2*hour, 0, false)
	s.must(err)
	out, err := s.Release(t.Context(), stream.Meta{}, "vm", "holder")
	if err != nil || out.State.Status != resource.StatusReleased || len(s.wallet.canceled) != 1 {
		t.Errorf("it is %s, %v; canceled %v", out.State.Status, err, s.wallet.canceled)
	}
}

// A resource whose grace is over gets no invoice any more: it would put its release off.
func TestNoInvoiceAfterTheGrace(t *testing.T) {
	s := open(t)
	o := s.order(billing.OrderRequest{Plan: "small", Time: hour, ID: "vm"})
	s.settle(o.Payment, price)
	s.clock.Set(s.clock.Now().Add(hour))
	out, err := s.Resources.Execute(t.Context(), "vm", stream.Meta{}, resource.Settle{When: resource.When{At: s.clock.Now()}})
	s.must(errors.Join(err, s.views.WaitFor(t.Context(), out.Position)))
	s.clock.Set(s.clock.Now().Add(instant.Day - 1))
	p, err := s.Pay(t.Context(), "vm", hour, 0, false)
	if err != nil || !s.Requests.CanBePaid("vm") {
		t.Errorf("within the grace: %+v, %v", p, err)
	}
	s.clock.Set(s.clock.Now().Add(1))
	if _, err := s.Pay(t.Context(), "vm", 2*hour, 0, true); !errors.Is(err, resource.ErrReleased) {
		t.Errorf("after it: %v", err)
	}
}

// What is paused beyond its bound, so that its time passes, is not about to be released.
func TestWhatIsPausedForTooLongCanBePaid(t *testing.T) {
	s := open(t)
	out, err := s.Publish(t.Context(), stream.Meta{}, "small", plan.Offer{
		Terms: resource.Terms{Price: money.Price{Msat: price, Per: hour}, MaxPause: hour}, Min: instant.Minute, Max: instant.Day,
	})
	s.must(errors.Join(err, s.views.WaitFor(t.Context(), out.Position)))
	s.settle(s.order(billing.OrderRequest{Plan: "small", Time: 5 * hour, ID: "vm"}).Payment, 5*price)
	paused, err := s.Pause(t.Context(), stream.Meta{}, "vm")
	s.must(errors.Join(err, s.views.WaitFor(t.Context(), paused.Position)))
	s.clock.Set(s.clock.Now().Add(3 * hour))
	if _, err := s.Pay(t.Context(), "vm", hour, 0, true); err != nil {
		t.Error(err)
	}
	if left, _ := s.views.Remaining("vm", s.clock.Now()); left != 3*hour {
		t.Errorf("%d ms are left", left)
	}
}

// An order that nobody pays leaves nothing, whatever is done with it.
func TestAnUnpaidOrderLeavesNothing(t *testing.T) {
	s := open(t)
	before, _ := s.store.Head(t.Context())
	o := s.order(billing.OrderRequest{Plan: "small", Time: hour, ID: "vm"})
	if r, ok := s.Resource("vm"); !ok || r.Status != resource.StatusAwaiting || r.Terms != o.Resource.Terms {
		t.Errorf("it is shown as %+v", r)
	}
	for _, x := range []struct {
		do   func() error
		want error
	}{
		{func() error { _, err := s.Pause(t.Context(), stream.Meta{}, "vm"); return err }, resource.ErrNotRuns},
		{func() error { _, err := s.Resume(t.Context(), stream.Meta{}, "vm"); return err }, resource.ErrNotPaused},
		{func() error { return s.try(billing.OrderRequest{Plan: "small", Time: 2 * hour, ID: "vm"}) }, resource.ErrExists},
	} {
		if err := x.do(); !errors.Is(err, x.want) {
			t.Errorf("got %v, want %v", err, x.want)
		}
	}
	out, err := s.Release(t.Context(), stream.Meta{}, "vm", "holder")
	if err != nil || out.State.Status != resource.StatusReleased || !slices.Equal(s.wallet.canceled, []payment.Key{o.Payment.Key}) {
		t.Errorf("released: %s, %v; canceled %v", out.State.Status, err, s.wallet.canceled)
	}
	if _, ok := s.Resource("vm"); ok || s.Requests.Open() != (request.Counts{}) || len(s.Requests.Hosts()) != 0 {
		t.Errorf("it is still there: %+v, %v", s.Requests.Open(), s.Requests.Hosts())
	}
	// Its id is free again, as it is once an invoice has expired.
	s.order(billing.OrderRequest{Plan: "small", Time: 2 * hour, ID: "vm"})
	s.clock.Set(s.clock.Now().Add(hour + request.Settling))
	anew := s.order(billing.OrderRequest{Plan: "small", Time: 3 * hour, ID: "vm"})
	if !anew.New || anew.HolderKey == "" {
		t.Errorf("ordered anew it is %+v", anew)
	}
	if head, _ := s.store.Head(t.Context()); head != before {
		t.Errorf("the log went from %d to %d", before, head)
	}
}

// The same request gives the same answer, whatever changed since.
func TestAnOrderKeepsItsTerms(t *testing.T) {
	s := open(t)
	r := billing.OrderRequest{Plan: "small", Time: hour, IdempotencyKey: key}
	first := s.order(r)
	s.publish(2 * price)
	out, err := s.Withdraw(t.Context(), stream.Meta{}, "small")
	s.must(errors.Join(err, s.views.WaitFor(t.Context(), out.Position)))
	again := s.order(r)
	if again.New || again.HolderKey != first.HolderKey || again.Payment.Key != first.Payment.Key {
		t.Errorf("%+v\nand then %+v", first, again)
	}
	s.clock.Set(s.clock.Now().Add(hour + 1)) // its invoice has expired
	if late := s.order(r); late.New || late.Payment.Key == first.Payment.Key || late.Payment.Asked != price {
		t.Errorf("and then %+v", late)
	}
}

func TestThePriceOfAnInvoiceIsKept(t *testing.T) {
	s := open(t)
	o := s.order(billing.OrderRequest{Plan: "small", Time: hour, ID: "vm"})
	out, err := s.Reprice(t.Context(), stream.Meta{}, "vm", money.Price{Msat: 2 * price, Per: hour})
	s.must(errors.Join(err, s.views.WaitFor(t.Context(), out.Position)))
	s.settle(o.Payment, price)
	later, err := s.Pay(t.Context(), "vm", hour, 0, false)
	s.must(err)
	if got, _ := s.views.Remaining("vm", s.clock.Now()); got != hour || later.Asked != 2*price {
		t.Errorf("%d ms are left, want an hour; the next hour costs %s", got, later.Asked)
	}
}

func TestBadRequestsChangeNothing(t *testing.T) {
	s := open(t)
	s.settle(s.order(billing.OrderRequest{Plan: "small", Time: hour, ID: "gone"}).Payment, price)
	out, err := s.Release(t.Context(), stream.Meta{}, "gone", "operator")
	s.must(errors.Join(err, s.views.WaitFor(t.Context(), out.Position)))
	before := s.views.Position()
	long := strings.Repeat("x", 200)
	order := func(r billing.OrderRequest) func() error {
		return func() error { return s.try(r) }
	}
	pay := func(id resource.ID) func() error {
		return func() error {
			_, err := s.Pay(t.Context(), id, hour, 0, false)
			return err
		}
	}
	for name, c := range map[string]struct {
		do   func() error
		want error
	}{
		"unknown plan":     {order(billing.OrderRequest{Plan: "big", Time: hour}), plan.ErrUnknown},
		"neither":          {order(billing.OrderRequest{Plan: "small"}), plan.ErrInvalid},
		"both":             {order(billing.OrderRequest{Plan: "small", Time: hour, Amount: 1}), plan.ErrInvalid},
		"too short":        {order(billing.OrderRequest{Plan: "small", Time: 1}), plan.ErrBounds},
		"too long":         {order(billing.OrderRequest{Plan: "small", Time: 1 << 62}), plan.ErrBounds},
		"all the bitcoin":  {order(billing.OrderRequest{Plan: "small", Amount: 1<<63 - 1}), plan.ErrBounds},
		"negative":         {order(billing.OrderRequest{Plan: "small", Time: -hour}), plan.ErrInvalid},
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
	if o := s.order(r); !o.New || o.Payment.Invoice == "" || o.HolderKey == "" {
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
	s.Addresses = &address.Handler{Aggregate: address.Aggregate(), Store: s.store}
	s.AddressFailed = func(resource.ID, error) { failed++ }
	s.Node = func() string { return "02aa" }
	r := billing.OrderRequest{Plan: "small", Time: hour, ID: "vm", IdempotencyKey: key, Address: true}
	if err := s.try(r); !errors.Is(err, billing.ErrNoChain) {
		t.Errorf("where nothing is paid on the chain: %v", err)
	}
	s.Chain = c
	s.order(r) // the invoice pays all the same
	if _, err := s.Address(t.Context(), stream.Meta{}, "vm"); !errors.Is(err, billing.ErrWallet) || failed != 2 {
		t.Errorf("an address without a chain: %v, %d failures told", err, failed)
	}
	c.err = nil
	before, _ := s.store.Head(t.Context())
	o := s.order(r)
	first, ok := s.AddressOf("vm")
	s.order(r)
	second, err := s.Address(t.Context(), stream.Meta{}, "vm")
	s.must(err)
	if head, _ := s.store.Head(t.Context()); !ok || first != second || c.made != 3 || head != before {
		t.Errorf("addresses %q and %q, %d made, the log went from %d to %d", first, second, c.made, before, head)
	}
	if a, ok := s.Requests.FindAddress(first); !ok || a.Resource != "vm" || a.Height != 500 || a.Order == nil {
		t.Errorf("it is kept as %+v", a)
	}
	// One that was paid has its address in the log.
	s.settle(o.Payment, price)
	paid := s.order(billing.OrderRequest{Plan: "small", Time: hour, ID: "paid"})
	s.settle(paid.Payment, price)
	a, err := s.Address(t.Context(), stream.Meta{}, "paid")
	if id, height, ok := s.views.Issued(a); err != nil || id != "paid" || height != 500 || !ok {
		t.Errorf("issued for %q at %d, %v, %v", id, height, ok, err)
	}
	// What another wallet holds the key of can't be received.
	s.Node = func() string { return "another" }
	if a, ok := s.AddressOf("paid"); ok {
		t.Errorf("another wallet's address is shown: %s", a)
	}
}

func TestAddressesOfUnpaidOrdersAreBoundedADay(t *testing.T) {
	s := open(t)
	s.Limits.Awaiting = 99
	s.Chain = &chain{}
	for i := range 5 {
		id := resource.ID(fmt.Sprintf("vm-%d", i))
		s.order(billing.OrderRequest{Plan: "small", Time: hour, ID: id})
		_, err := s.Address(t.Context(), stream.Meta{}, id)
		if (i < 3) != (err == nil) || err != nil && !errors.Is(err, billing.ErrTooManyOpen) {
			t.Errorf("address %d: %v", i+1, err)
		}
	}
	s.clock.Set(s.clock.Now().Add(instant.Day))
	if _, err := s.Address(t.Context(), stream.Meta{}, "vm-4"); err != nil {
		t.Errorf("a day later: %v", err)
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
		s.settle(s.order(billing.OrderRequest{Plan: "small", Time: hour, ID: "paid", IdempotencyKey: key}).Payment, price)
		before := s.views.Position()
		var now error
		s.Writable = func() error { return now }
		now = fmt.Errorf("the store of this test: %w", why)
		for name, do := range map[string]func() error{
			"a new order":     func() error { return s.try(billing.OrderRequest{Plan: "small", Time: hour, ID: "new"}) },
			"the same order":  func() error { return s.try(r) },
			"an address":      func() error { _, err := s.Address(t.Context(), stream.Meta{}, "vm"); return err },
			"another invoice": func() error { _, err := s.Pay(t.Context(), "vm", 3*hour, 0, false); return err },
			"the same amount": func() error { _, err := s.Pay(t.Context(), "vm", hour, 0, false); return err },
		} {
			if err := do(); !errors.Is(err, why) {
				t.Errorf("%s: %v, want %v", name, err, why)
			}
		}
		if paid := s.order(billing.OrderRequest{Plan: "small", Time: hour, ID: "paid", IdempotencyKey: key}); paid.HolderKey == "" {
			t.Error("an order that needs no money is not answered")
		}
		if head, _ := s.store.Head(t.Context()); head != before || s.wallet.made != 2 || c.made != 0 {
			t.Errorf("the log went from %d to %d; %d invoices and %d addresses were made", before, head, s.wallet.made, c.made)
		}
		now = nil
		if again := s.order(r); again.Payment.Key != first.Payment.Key {
			t.Errorf("when it is back: %+v", again)
		}
	}
}

// A plan whose time nothing would let pass is not put on offer.
func TestUptimeIsNotSoldUnread(t *testing.T) {
	s := open(t)
	s.Reports = func() bool { return false }
	terms := resource.Terms{Price: money.Price{Msat: price, Per: hour}, Uptime: true}
	o := plan.Offer{Min: hour, Max: hour, Enforcer: "libvirt", Terms: terms}
	if _, err := s.Publish(t.Context(), stream.Meta{}, "up", o); !errors.Is(err, plan.ErrInvalid) {
		t.Errorf("%v, want %v", err, plan.ErrInvalid)
	}
}
