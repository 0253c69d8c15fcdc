package billing_test

import (
	"testing"

	"sandglass/domain/address"
	"sandglass/domain/billing"
	"sandglass/domain/request"
	"sandglass/domain/stream"
)

// trapped is a shop in which somebody had an address for an id, and let go of it.
func trapped(t *testing.T) (s *shop, trap string) {
	s = open(t)
	s.Chain, s.Node = &chain{}, func() string { return "02aa" }
	s.Addresses = &address.Handler{Aggregate: address.Aggregate(), Store: s.store}
	s.order(billing.OrderRequest{Plan: "small", Time: hour, ID: "web-1", IdempotencyKey: "who-came-first-in-this-test", Address: true})
	trap, ok := s.AddressOf("web-1")
	if !ok {
		t.Fatal("the order has no address")
	}
	s.clock.Advance(hour + request.Settling + 1)
	return s, trap
}

// next is the order of whoever takes the id then.
var next = billing.OrderRequest{Plan: "small", Time: hour, ID: "web-1", IdempotencyKey: "who-came-next-in-this-test", Address: true}

func TestTheAddressOfAnOrderIsItsOwn(t *testing.T) {
	s, trap := trapped(t)
	customer := s.order(next)
	if !customer.New || customer.HolderKey == "" {
		t.Fatalf("%+v", customer)
	}
	a, ok := s.AddressOf("web-1")
	r, _ := s.Requests.FindAddress(a)
	if !ok || a == trap || r.Order.Holder != billing.HashKey(customer.HolderKey) {
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
	out, err := s.Addresses.Execute(t.Context(), trap, stream.Meta{}, address.Issue{At: 1, Resource: "web-1", Node: "02aa", Height: 500})
	s.must(err)
	s.must(s.views.WaitFor(t.Context(), out.Position))
	s.order(next)
	if a, ok := s.AddressOf("web-1"); !ok || a == trap {
		t.Errorf("shown is %q, %v", a, ok)
	}
}
