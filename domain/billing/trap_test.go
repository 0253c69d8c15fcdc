package billing_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"sandglass/domain/address"
	"sandglass/domain/billing"
	"sandglass/domain/billing/keys"
	"sandglass/domain/money"
	"sandglass/domain/payment"
	"sandglass/domain/plan"
	"sandglass/domain/request"
	"sandglass/domain/resource"
	"sandglass/domain/stream"
)

// trapped is a shop in which somebody had an address for an id, and let go of it.
func trapped(t *testing.T) (s *shop, trap string) {
	s = open(t)
	s.Chain, s.Node = &chain{}, func() string { return "02aa" }
	s.Addresses = &address.Handler{Aggregate: address.Aggregate(), Store: s.store}
	s.order(billing.OrderRequest{
		Plan: "small", Time: hour, ID: "web-1", IdempotencyKey: "who-came-first-in-this-test", Address: true,
	})
	trap, ok := s.AddressOf("web-1")
	if !ok {
		t.Fatal("the order has no address")
	}
	s.clock.Advance(hour + request.Settling + 1)
	return s, trap
}

// next is the order of whoever takes the id then.
var next = billing.OrderRequest{
	Plan: "small", Time: hour, ID: "web-1", IdempotencyKey: "who-came-next-in-this-test", Address: true,
}

func TestTheAddressOfAnOrderIsItsOwn(t *testing.T) {
	s, trap := trapped(t)
	customer := s.order(next)
	if !customer.New || customer.HolderKey == "" {
		t.Fatalf("%+v", customer)
	}
	a, ok := s.AddressOf("web-1")
	r, _ := s.Requests.FindAddress(a)
	if !ok || a == trap || r.Order.Holder != keys.Hash(customer.HolderKey) {
		t.Errorf("shown is %q, whose money opens the resource for somebody else", a)
	}
	if again, err := s.Address(t.Context(), stream.Meta{}, "web-1"); again != a || err != nil {
		t.Errorf("asked again it is %q, %v", again, err)
	}
}

// A resource shows the address of the order that opened it, or one that was issued for it, or
// gets a new one; also where the log has that of another order of its id.
func TestTheAddressOfAResourceIsOfItsOrder(t *testing.T) {
	for _, logged := range []bool{false, true} {
		for _, own := range []bool{false, true} {
			s, trap := trapped(t)
			r := next
			r.Address = own
			o := s.order(r)
			mine, had := s.AddressOf("web-1")
			s.settle(o.Payment, price)
			if logged { // a block held what paid it
				out, err := s.Addresses.Execute(t.Context(), trap, stream.Meta{}, address.Issue{
					At: s.clock.Now(), Resource: "web-1", Node: "02aa", Height: 500,
				})
				s.must(err)
				s.must(s.views.WaitFor(t.Context(), out.Position))
			}
			if shown, ok := s.AddressOf("web-1"); ok != own || had != own || shown != mine {
				t.Errorf("logged %t, own %t: shown is %q of %q", logged, own, shown, mine)
			}
			a, err := s.Address(t.Context(), stream.Meta{}, "web-1")
			s.must(err)
			if shown, _ := s.AddressOf("web-1"); a == trap || own && a != mine || shown != a {
				t.Errorf("logged %t, own %t: it gets %q, shown is %q", logged, own, a, shown)
			}
		}
	}
}

// An address that the log has for an order which nobody has paid is of no other order.
func TestALoggedAddressIsNotThatOfALaterOrder(t *testing.T) {
	s, trap := trapped(t)
	issue := address.Issue{At: 1, Resource: "web-1", Node: "02aa", Height: 500}
	out, err := s.Addresses.Execute(t.Context(), trap, stream.Meta{}, issue)
	s.must(err)
	s.must(s.views.WaitFor(t.Context(), out.Position))
	s.order(next)
	if a, ok := s.AddressOf("web-1"); !ok || a == trap {
		t.Errorf("shown is %q, %v", a, ok)
	}
}

// deposits are on their way to orders, and in no block.
type deposits struct {
	list  []payment.State
	swept chan struct{}
}

func (d *deposits) unlogged(resource.ID) []payment.State { return slices.Clone(d.list) }
func (d *deposits) Swept() <-chan struct{}               { return d.swept }
func (d *deposits) UnloggedPayment(payment.Key) (payment.State, bool) {
	return payment.State{}, false
}

// Who paid in time on the chain keeps the id while what he paid is on its way: seen, in a block, or
// not known yet; and nobody else is shown it.
func TestAnIDIsItsOrdersWhileADepositIsOnItsWay(t *testing.T) {
	s, a := trapped(t)
	r, _ := s.Requests.FindAddress(a)
	d := &deposits{swept: make(chan struct{})}
	s.Deposits, s.Opening.Unlogged = d, d.unlogged
	if err := s.try(next); !errors.Is(err, billing.ErrStarting) {
		t.Errorf("ordered before the chain was read: %v", err)
	}
	close(d.swept)
	next := next
	next.Time = 2 * hour // else it is asked for another invoice of the same order
	p := r.State()
	p.Key, p.Status, p.Amount = payment.ChainKey(strings.Repeat("ab", 32), 0), payment.StatusSeen, price
	d.list = []payment.State{p}
	if err := s.try(next); !errors.Is(err, resource.ErrExists) {
		t.Errorf("ordered while it is seen: %v", err)
	}
	if shown := s.Payments("web-1"); len(shown) != 1 || shown[0].Key != p.Key {
		t.Errorf("shown are %+v", shown)
	}
	ctx := t.Context()
	see := payment.See{At: s.clock.Now(), Resource: "web-1", Address: a, Amount: price, Request: &r.Request}
	_, err := s.Booker.Payments.Execute(ctx, p.Key, stream.Meta{}, see)
	s.must(err)
	out, err := s.Booker.Payments.Execute(ctx, p.Key, stream.Meta{}, payment.Confirm{At: s.clock.Now(), Height: 501, Block: "b1"})
	s.must(errors.Join(err, s.views.WaitFor(ctx, out.Position)))
	d.list = nil
	if err := s.try(next); !errors.Is(err, resource.ErrExists) {
		t.Errorf("ordered while it is in a block: %v", err)
	}
	_, err = s.Booker.Payments.Execute(ctx, p.Key, stream.Meta{}, payment.Reorg{At: s.clock.Now(), Block: "b1"})
	s.must(err)
	replace := payment.Replace{At: s.clock.Now(), Reason: payment.ReasonConflict}
	out, err = s.Booker.Payments.Execute(ctx, p.Key, stream.Meta{}, replace)
	s.must(errors.Join(err, s.views.WaitFor(ctx, out.Position)))
	if o := s.order(next); !o.New {
		t.Errorf("once it will not come: %+v", o)
	}
	// Mined late, it is of the first order all the same.
	out, err = s.Booker.Payments.Execute(ctx, p.Key, stream.Meta{}, payment.Confirm{At: s.clock.Now(), Height: 502, Block: "b2"})
	s.must(errors.Join(err, s.views.WaitFor(ctx, out.Position)))
	for _, shown := range s.Payments("web-1") {
		if shown.Key == p.Key {
			t.Error("the next order shows what the first was paid")
		}
	}
}

// What is less than its plan sells holds no id, for nobody can open an order with it: not while it
// is seen, nor in a block, nor before it is said to be unallocated.
func TestTooLittleHoldsNoID(t *testing.T) {
	s, a := trapped(t)
	r, _ := s.Requests.FindAddress(a)
	d := &deposits{swept: make(chan struct{})}
	close(d.swept)
	s.Deposits, s.Opening.Unlogged = d, d.unlogged
	p := r.State()
	p.Key, p.Status, p.Amount, p.Meant = payment.ChainKey(strings.Repeat("ab", 32), 0), payment.StatusSeen, 1, "web-1"
	d.list = []payment.State{p}
	next := next
	next.Time = 2 * hour
	if err := s.try(next); err != nil {
		t.Errorf("while it is seen: %v", err)
	}
	d.list = nil
	for i, c := range []payment.Command{
		payment.See{At: s.clock.Now(), Meant: "web-1", Address: a, Amount: 1, Request: &r.Request},
		payment.Confirm{At: s.clock.Now(), Height: 501, Block: "b1"},
		payment.Settle{At: s.clock.Now(), Amount: 1, Via: payment.ViaOnChain, Block: "b1"},
	} {
		out, err := s.Booker.Payments.Execute(t.Context(), p.Key, stream.Meta{}, c)
		s.must(errors.Join(err, s.views.WaitFor(t.Context(), out.Position)))
		s.clock.Advance(hour + request.Settling + 1) // no invoice of the order before can be paid any more
		next.Time += hour
		if err := s.try(next); err != nil {
			t.Errorf("after event %d of it: %v", i, err)
		}
	}
}

// What an order gave out is adopted for no other resource: nothing that came there could be booked.
func TestAnAddressOfAnOrderIsNotAdopted(t *testing.T) {
	s, a := trapped(t)
	s.Finder = &finder{}
	paid := billing.OrderRequest{Plan: "small", Time: hour, ID: "paid", IdempotencyKey: key}
	s.settle(s.order(paid).Payment, price)
	for _, id := range []resource.ID{"paid", "lost"} {
		if _, err := s.Adopt(t.Context(), stream.Meta{}, a, id, true); !errors.Is(err, address.ErrConflict) {
			t.Errorf("for %s: %v", id, err)
		}
	}
	if _, err := s.Adopt(t.Context(), stream.Meta{}, a, "web-1", false); err != nil {
		t.Errorf("for what the order opens: %v", err)
	}
}

// What pays an order waits for what that order's plan asks for, whatever its id is ordered for since.
func TestAPaymentIsAsDeepAsItsOwnOrderAsks(t *testing.T) {
	s, a := trapped(t)
	s.Confirmations = 3
	deep := plan.Offer{
		Terms: resource.Terms{Price: money.Price{Msat: price, Per: hour}}, Min: 1, Max: hour,
		Large: plan.ConfirmationRule{Above: 1, Confirmations: 30},
	}
	out, err := s.Publish(t.Context(), stream.Meta{}, "deep", deep)
	s.must(errors.Join(err, s.views.WaitFor(t.Context(), out.Position)))
	r, _ := s.Requests.FindAddress(a)
	p, o := r.State(), *r.Order
	o.Plan = "deep"
	p.Order = &o
	s.order(next) // of plan small
	if n := s.Required(&p, price); n != 30 {
		t.Errorf("%d confirmations are asked for", n)
	}
}
