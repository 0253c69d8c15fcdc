package billing_test

import (
	"errors"
	"strings"
	"testing"

	"sandglass/domain/billing"
	"sandglass/domain/billing/keys"
	"sandglass/domain/money"
	"sandglass/domain/opening"
	"sandglass/domain/payment"
	"sandglass/domain/request"
	"sandglass/domain/resource"
	"sandglass/domain/stream"
)

// between is a shop in which a stranger's money came for web-1, which a customer has ordered since.
func between(t *testing.T) (s *shop, strangers payment.State, customers billing.Order) {
	s, a := trapped(t)
	customers = s.order(next)
	strangers = s.deposit(a, "cd")
	if strangers.Status != payment.StatusUnallocated || strangers.Reason != payment.ReasonOtherOrder {
		t.Fatalf("it is %s: %s", strangers.Status, strangers.Reason)
	}
	return s, strangers, customers
}

func (s *shop) allocate(p payment.State, order string) (billing.Outcome[payment.State], error) {
	out, err := s.Allocate(s.t.Context(), stream.Meta{}, p.Key, "web-1", order)
	s.must(s.views.WaitFor(s.t.Context(), out.Position))
	return out, err
}

// Money that is allocated opens no other order than the one that it is for, unless the operator says
// so; nor that one, while a later order can be paid.
func TestTheOperatorChoosesTheOrder(t *testing.T) {
	s, p, customers := between(t)
	own := opening.NameOf(p.Order)
	theirs := opening.NameOf(&resource.Order{
		Plan: "small", Holder: customers.Resource.Holder, Request: customers.Resource.Request,
	})
	for _, name := range []string{"", "00000000"} {
		_, err := s.allocate(p, name)
		if !errors.Is(err, opening.ErrWhichOrder) || !strings.Contains(err.Error(), own) || !strings.Contains(err.Error(), theirs) {
			t.Errorf("as %q: %v, want %s and %s", name, err, own, theirs)
		}
	}
	if out, _ := s.Resources.Load(t.Context(), "web-1"); out.State.Status != resource.StatusNone {
		t.Fatalf("it is %s", out.State.Status)
	}
	out, err := s.allocate(p, theirs)
	if err != nil || out.State.Status != payment.StatusCredited || opening.NameOf(out.Opened.Order) != theirs {
		t.Errorf("%s: %s, %v", out.State.Status, out.State.Reason, err)
	}
	if r, _ := s.Resource("web-1"); !keys.Holds(r, customers.HolderKey) || r.Status != resource.StatusRunning {
		t.Errorf("it is %s, and not the customer's", r.Status)
	}
	// More for the same order is given as well, and names that it was for another.
	a := p.Address
	more := s.deposit(a, "ef")
	if r := s.OtherOrder(&more); r == nil || opening.NameOf(r.Order) != own || r.At >= customers.Payment.Requested {
		t.Errorf("it is for %+v", r)
	}
	if _, err := s.allocate(more, own); !errors.Is(err, opening.ErrWhichOrder) {
		t.Errorf("to the order that did not open it: %v", err)
	}
	if out, err := s.allocate(more, ""); err != nil || out.State.Status != payment.StatusCredited || out.Opened != nil {
		t.Errorf("to what is open: %s: %s, %v", out.State.Status, out.State.Reason, err)
	}
}

// Once no later order can be paid the money opens the order that it is for, and no other.
func TestAllocatedMoneyOpensItsOwnOrder(t *testing.T) {
	s, p, customers := between(t)
	s.clock.Advance(hour + request.Settling + 1)
	s.Requests.Swept("02aa", s.clock.Now())
	out, err := s.allocate(p, "")
	if err != nil || out.State.Status != payment.StatusCredited || !out.Opened.Order.Same(p.Order) {
		t.Errorf("%s: %s, %v", out.State.Status, out.State.Reason, err)
	}
	if r, _ := s.Resource("web-1"); keys.Holds(r, customers.HolderKey) {
		t.Error("it is the customer's")
	}
}

// What is for no order of an id, or for one that was released, opens none that is not named.
func TestAllocatedMoneyOpensNoOthersOrder(t *testing.T) {
	s, a := trapped(t)
	r, _ := s.Requests.FindAddress(a)
	name := opening.NameOf(r.Order)
	came := payment.Settle{At: s.clock.Now(), Amount: price, Via: payment.ViaBOLT11}
	foreign, err := s.Booker.Book(t.Context(), stream.Meta{}, "ln-f0", came)
	s.must(errors.Join(err, s.views.WaitFor(t.Context(), foreign.Position)))
	if _, err := s.allocate(foreign.State, ""); !errors.Is(err, opening.ErrWhichOrder) || !strings.Contains(err.Error(), name) {
		t.Errorf("foreign money: %v", err)
	}
	much, err := s.Booker.Book(t.Context(), stream.Meta{}, "ln-f1", payment.Settle{
		At: s.clock.Now(), Amount: 100 * money.BTC, Via: payment.ViaBOLT11,
	})
	s.must(errors.Join(err, s.views.WaitFor(t.Context(), much.Position)))
	if _, err := s.allocate(much.State, name); !errors.Is(err, money.ErrTooLong) {
		t.Errorf("more than it can take: %v", err)
	}
	if out, _ := s.Resources.Load(t.Context(), "web-1"); out.State.Status != resource.StatusNone {
		t.Fatalf("for that it was opened, and is %s", out.State.Status)
	}
	_, err = s.Release(t.Context(), stream.Meta{}, "web-1", "holder")
	s.must(err)
	if _, err := s.allocate(foreign.State, name); !errors.Is(err, resource.ErrNotOpened) {
		t.Errorf("to an order that was released: %v", err)
	}
	p := s.deposit(a, "cd")
	_, err = s.allocate(p, "")
	if !errors.Is(err, opening.ErrWhichOrder) || !strings.Contains(err.Error(), "which the payment is for") {
		t.Errorf("what pays an order that was released: %v", err)
	}
	if out, err := s.allocate(p, name); err != nil || out.State.Status != payment.StatusCredited {
		t.Errorf("named: %s, %v", out.State.Status, err)
	}
	if _, err := s.Allocate(t.Context(), stream.Meta{}, "ln-none", "web-2", ""); !errors.Is(err, payment.ErrUnknown) {
		t.Errorf("what never came: %v", err)
	}
}

// Whatever else an operator does to what is only ordered opens the latest order, and says so.
func TestTheOperatorIsToldWhatWasOpened(t *testing.T) {
	s, _ := trapped(t)
	s.order(next)
	s.Finder = &finder{}
	latest, _, _ := s.Requests.Order("web-1")
	out, err := s.Grant(t.Context(), stream.Meta{}, "web-1", "outage", hour, "")
	if err != nil || out.Opened == nil || !out.Opened.Order.Same(latest.Order) {
		t.Errorf("granted: %+v, %v", out.Opened, err)
	}
	if out, err = s.Grant(t.Context(), stream.Meta{}, "web-1", "again", hour, ""); err != nil || out.Opened != nil {
		t.Errorf("granted again: %+v, %v", out.Opened, err)
	}
	s, a := trapped(t)
	s.Finder = &finder{}
	adopted, err := s.Adopt(t.Context(), stream.Meta{}, a, "web-1", false)
	if err != nil || adopted.Opened == nil || adopted.Opened.Resource != "web-1" {
		t.Errorf("adopted: %+v, %v", adopted.Opened, err)
	}
}
