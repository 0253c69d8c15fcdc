package billing_test

import (
	"context"
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
	"sandglass/domain/request"
	"sandglass/domain/resource"
	"sandglass/domain/stream"
)

// bounded publishes a plan of which so many fit on each of some hosts.
func (s *shop) bounded(capacity int64, hosts ...string) {
	s.t.Helper()
	p := plan.Offer{
		Terms: resource.Terms{Price: money.Price{Msat: price, Per: hour}, Grace: instant.Day},
		Min:   instant.Minute, Max: 30 * instant.Day, Hosts: plan.HostsOf(hosts...), Capacity: capacity,
	}
	out, err := s.Publish(s.t.Context(), stream.Meta{}, "few", p)
	s.must(errors.Join(err, s.views.WaitFor(s.t.Context(), out.Position)))
	s.Limits.Awaiting, s.Limits.Open = 99, 99
}

func few(id resource.ID) billing.OrderRequest {
	return billing.OrderRequest{Plan: "few", Time: hour, ID: id, IdempotencyKey: "a-random-secret-of-" + string(id)}
}

// available asks how many can be had.
func (s *shop) available() int64 {
	p, _ := s.views.Plan("few")
	n, known := s.Available(&p)
	if !known {
		s.t.Error("it has no capacity")
	}
	return n
}

func (s *shop) full(id resource.ID) {
	s.t.Helper()
	made := s.wallet.made
	if err := s.try(few(id)); !errors.Is(err, billing.ErrCapacity) || s.wallet.made != made {
		s.t.Errorf("%s is ordered: %v", id, err)
	}
}

// A place is taken by an order until its invoice can't be paid any more, and by what it opened until that
// is released; what is paid late is opened all the same.
func TestCapacity(t *testing.T) {
	s := open(t)
	s.bounded(2)
	a := s.order(few("a"))
	b := s.order(few("b"))
	if again := s.order(few("a")); again.Payment.Key != a.Payment.Key {
		t.Error("the order is not the same again")
	}
	s.full("c")
	if n := s.available(); n != 0 {
		t.Errorf("%d can be had", n)
	}
	s.settle(a.Payment, price)
	s.full("c")
	s.clock.Advance(hour + request.Settling + 1)
	if n := s.available(); n != 1 {
		t.Errorf("once b's invoice can't be paid %d can be had", n)
	}
	c := s.order(few("c"))
	s.full("b") // which wants another invoice
	if _, err := s.Pay(t.Context(), "b", hour, 0, false); !errors.Is(err, billing.ErrCapacity) {
		t.Errorf("an invoice of an order that has no place: %v", err)
	}
	if _, err := s.Pay(t.Context(), "a", hour, 0, false); err != nil {
		t.Errorf("what has its place is paid on: %v", err)
	}
	s.settle(b.Payment, price) // which the wallet had accepted
	if r, _ := s.Resource("b"); r.Status != resource.StatusRunning || s.available() != 0 {
		t.Errorf("late money opened nothing: %s", r.Status)
	}
	p, _ := s.views.Plan("few")
	if u := s.Usage(&p); len(u) != 1 || u[0].Taken != 3 {
		t.Errorf("taken is %v", u)
	}
	for i, id := range []resource.ID{"c", "a", "b"} { // c is only ordered
		out, err := s.Release(t.Context(), stream.Meta{}, id, resource.ReasonHolder)
		s.must(errors.Join(err, s.views.WaitFor(t.Context(), out.Position)))
		if n := s.available(); n != int64(i) {
			t.Errorf("%d released, %d can be had", i+1, n)
		}
	}
	if c.Payment.Key == "" || s.try(few("d")) != nil {
		t.Error("there is no room again")
	}
}

// Who orders at once gets no more than there are, and what came to nothing takes no place.
func TestCapacityAtOnce(t *testing.T) {
	s := open(t)
	s.bounded(3)
	s.wallet.err = errors.New("locked")
	if err := s.try(few("x")); !errors.Is(err, billing.ErrWallet) || s.available() != 3 {
		t.Errorf("no invoice: %v, and %d can be had", err, s.available())
	}
	s.wallet.err = nil
	for _, kept := range []bool{false, true} { // it was shown to nobody, who could pay it
		s.kept.Fail = func(context.Context, *request.Record) (bool, error) { return kept, errors.New("lost") }
		if err := s.try(few("y")); err == nil || s.available() != 3 {
			t.Errorf("the order was not answered: %v, and %d can be had", err, s.available())
		}
	}
	s.kept.Fail = nil
	var wg sync.WaitGroup
	errs := make([]error, 20)
	for i := range errs {
		wg.Go(func() { _, errs[i] = s.Order(t.Context(), stream.Meta{}, few(resource.ID(fmt.Sprint("at-once-", i)))) })
	}
	wg.Wait()
	var got int
	for _, err := range errs {
		if err == nil {
			got++
		} else if !errors.Is(err, billing.ErrCapacity) {
			t.Error(err)
		}
	}
	if got != 3 {
		t.Errorf("%d of 3 places were given out", got)
	}
}

// An order goes where there is room: to the daemon's own host first.
func TestCapacityOfHosts(t *testing.T) {
	s := open(t)
	s.bounded(1, "a", "b", "c")
	s.Host = "b"
	if n := s.available(); n != 3 {
		t.Errorf("%d can be had", n)
	}
	for i, want := range []string{"b", "a", "c"} {
		o := s.order(few(resource.ID(fmt.Sprint("vm-", i))))
		if o.Resource.Host != want {
			t.Errorf("it is on %s, want %s", o.Resource.Host, want)
		}
		if i == 0 {
			asked := few("asked")
			asked.Host = "b"
			if err := s.try(asked); !errors.Is(err, billing.ErrCapacity) || !strings.Contains(err.Error(), `"few" on b`) {
				t.Errorf("on the full host: %v", err)
			}
		}
		s.settle(o.Payment, price)
	}
	s.full("vm-4")
	out, err := s.Move(t.Context(), stream.Meta{}, "vm-1", "d")
	s.must(errors.Join(err, s.views.WaitFor(t.Context(), out.Position)))
	if o := s.order(few("vm-5")); o.Resource.Host != "a" {
		t.Errorf("it is on %s, which has no room", o.Resource.Host)
	}
}

// While a block holds what pays an order its place is taken, and none is given an address without one.
func TestCapacityOnTheChain(t *testing.T) {
	s := open(t)
	s.bounded(1)
	s.Chain, s.Node = &chain{}, func() string { return "02aa" }
	s.Addresses = &address.Handler{Aggregate: address.Aggregate(), Store: s.store}
	first := few("a")
	first.Address = true
	s.order(first)
	addr, _ := s.AddressOf("a")
	r, _ := s.Requests.FindAddress(addr)
	s.clock.Advance(hour + request.Settling + 1)
	s.order(few("b"))
	s.clock.Advance(hour + request.Settling + 1)
	ctx, key := context.Background(), payment.ChainKey(strings.Repeat("ab", 32), 0)
	see := payment.See{At: s.clock.Now(), Resource: "a", Address: addr, Amount: price, Request: &r.Request}
	_, err := s.Booker.Payments.Execute(ctx, key, stream.Meta{}, see)
	s.must(err)
	out, err := s.Booker.Payments.Execute(ctx, key, stream.Meta{}, payment.Confirm{At: s.clock.Now(), Height: 501, Block: "b1"})
	s.must(errors.Join(err, s.views.WaitFor(ctx, out.Position)))
	s.full("c")
	if _, err := s.Address(ctx, stream.Meta{}, "b"); !errors.Is(err, billing.ErrCapacity) {
		t.Errorf("an address of an order that has no place: %v", err)
	}
}
