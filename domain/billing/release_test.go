package billing_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"sandglass/domain/billing"
	"sandglass/domain/payment"
	"sandglass/domain/request"
	"sandglass/domain/resource"
	"sandglass/domain/stream"
	"sandglass/testutil/storetest"
)

// deposit is what pays an address of an order, as the watcher of the chain books it.
func (s *shop) deposit(a, txid string) payment.State {
	s.t.Helper()
	r, ok := s.Requests.FindAddress(a)
	if !ok {
		s.t.Fatalf("the order of %s is not known", a)
	}
	key := payment.ChainKey(strings.Repeat(txid, 32), 0)
	at := s.clock.Now()
	for _, c := range []payment.Command{
		payment.See{At: at, Resource: r.Resource, Address: a, Amount: price, Request: &r.Request},
		payment.Confirm{At: at, Height: 501, Block: "b1"},
	} {
		_, err := s.Booker.Payments.Execute(s.t.Context(), key, stream.Meta{}, c)
		s.must(err)
	}
	out, err := s.Booker.Book(s.t.Context(), stream.Meta{}, key, payment.Settle{
		At: at, Amount: price, Via: payment.ViaOnChain, Block: "b1",
	})
	s.must(errors.Join(err, s.views.WaitFor(s.t.Context(), out.Position)))
	return out.State
}

// An order that is released is gone for good: it is not shown, its id can be ordered at once, also
// while something is on its way to its address, and what comes there is unallocated.
func TestAnOrderIsReleasedForGood(t *testing.T) {
	s, a := trapped(t)
	r, _ := s.Requests.FindAddress(a)
	d := &deposits{swept: make(chan struct{})}
	close(d.swept)
	s.Deposits, s.Opening.Unlogged = d, d.unlogged
	p := r.State()
	p.Key, p.Status, p.Amount = payment.ChainKey(strings.Repeat("ab", 32), 0), payment.StatusSeen, price
	d.list = []payment.State{p}
	out, err := s.Release(t.Context(), stream.Meta{}, "web-1", "holder")
	if err != nil || out.State.Status != resource.StatusReleased {
		t.Fatalf("released: %s, %v", out.State.Status, err)
	}
	if shown, ok := s.Resource("web-1"); ok {
		t.Errorf("shown is %+v", shown)
	}
	if shown, ok := s.AddressOf("web-1"); ok || len(s.Payments("web-1")) != 0 {
		t.Errorf("shown are %q, %+v", shown, s.Payments("web-1"))
	}
	if _, err := s.Release(t.Context(), stream.Meta{}, "web-1", "holder"); !errors.Is(err, resource.ErrNotOpened) {
		t.Errorf("released once more: %v", err)
	}
	if p := s.deposit(a, "cd"); p.Status != payment.StatusUnallocated || p.Reason != "released" || p.Resource != "web-1" {
		t.Errorf("what came first is %s: %s for %q", p.Status, p.Reason, p.Resource)
	}
	customer := s.order(next)
	mine, ok := s.AddressOf("web-1")
	if !customer.New || !ok || mine == a {
		t.Fatalf("ordered anew it is %+v, at %q", customer, mine)
	}
	if p := s.deposit(a, "ef"); p.Status != payment.StatusUnallocated || p.Reason != "released" || p.Resource != "web-1" {
		t.Errorf("what came then is %s: %s for %q", p.Status, p.Reason, p.Resource)
	}
	if p := s.deposit(mine, "01"); p.Status != payment.StatusCredited {
		t.Errorf("the customer's is %s: %s", p.Status, p.Reason)
	}
	if p := s.deposit(a, "23"); p.Status != payment.StatusUnallocated || p.Reason != "released" {
		t.Errorf("what came last is %s: %s", p.Status, p.Reason)
	}
}

// Who lets go of an order, and orders the same once more, gets another address.
func TestWhatWasReleasedIsOrderedAgain(t *testing.T) {
	s, a := trapped(t)
	_, err := s.Release(t.Context(), stream.Meta{}, "web-1", "holder")
	s.must(err)
	again := s.order(billing.OrderRequest{
		Plan: "small", Time: hour, ID: "web-1", IdempotencyKey: "who-came-first-in-this-test", Address: true,
	})
	mine, ok := s.AddressOf("web-1")
	if !again.New || !ok || mine == a {
		t.Errorf("new %t, its address is %q", again.New, mine)
	}
	if p := s.deposit(a, "cd"); p.Status != payment.StatusUnallocated || p.Reason != "released" {
		t.Errorf("what pays the former is %s: %s", p.Status, p.Reason)
	}
	if p := s.deposit(mine, "ef"); p.Status != payment.StatusCredited {
		t.Errorf("what pays the new one is %s: %s", p.Status, p.Reason)
	}
}

// A release is not answered before it is kept, and can be asked for again.
func TestAReleaseOfAnOrderFails(t *testing.T) {
	for _, kept := range []bool{false, true} {
		s, a := trapped(t)
		s.kept.Fail = func(context.Context, *request.Record) (bool, error) {
			s.kept.Fail = nil
			return kept, storetest.ErrFault
		}
		if _, err := s.Release(t.Context(), stream.Meta{}, "web-1", "holder"); !errors.Is(err, storetest.ErrFault) {
			t.Fatalf("kept %t: %v", kept, err)
		}
		_, err := s.Release(t.Context(), stream.Meta{}, "web-1", "holder")
		s.must(err)
		if p := s.deposit(a, "cd"); p.Status != payment.StatusUnallocated || p.Reason != "released" {
			t.Errorf("kept %t: what pays it is %s: %s", kept, p.Status, p.Reason)
		}
	}
}

// Money that opens an order while it is being released opens it, and it is released then.
func TestAnOrderIsReleasedWhileItsMoneyComes(t *testing.T) {
	s, a := trapped(t)
	s.kept.Fail = func(context.Context, *request.Record) (bool, error) {
		s.kept.Fail = nil
		if p := s.deposit(a, "cd"); p.Status != payment.StatusCredited {
			t.Errorf("its money is %s: %s", p.Status, p.Reason)
		}
		return true, nil
	}
	out, err := s.Release(t.Context(), stream.Meta{}, "web-1", "holder")
	s.must(errors.Join(err, s.views.WaitFor(t.Context(), out.Position)))
	if shown, ok := s.Resource("web-1"); !ok || shown.Status != resource.StatusReleased {
		t.Errorf("it is %s", shown.Status)
	}
}
