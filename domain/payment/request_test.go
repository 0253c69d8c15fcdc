package payment_test

import (
	"testing"

	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/payment"
	"sandglass/domain/resource"
	"sandglass/domain/stream"
	"sandglass/testutil/given"
	"sandglass/testutil/storetest"
	"sandglass/testutil/wholelog"

	"github.com/google/go-cmp/cmp"
)

// anOrder is what a request of the tests opens its resource with.
func anOrder() *resource.Order {
	return &resource.Order{
		Plan: "small", Terms: resource.Terms{Price: quote, Grace: instant.Day}, Host: "a",
		Holder: [16]byte{2}, Request: [16]byte{1},
	}
}

// TestMoneyBringsItsRequest holds that the log hears of a request with its money, in one
// append, and needs nothing else from then on.
func TestMoneyBringsItsRequest(t *testing.T) {
	asked := payment.Request{
		At: epoch - 7_000, Resource: "vm-1", Amount: 500, Price: quote, Expiry: epoch + 100, Invoice: "lnbc1", Order: anOrder(),
	}
	told := &payment.Requested{
		At: at(10), Resource: "vm-1", Amount: 500, Price: quote, Requested: epoch - 7_000, Expiry: epoch + 100, Invoice: "lnbc1",
		Order: anOrder(),
	}
	came := settled(10, 500)
	settle := settle(10, 500)
	settle.Request = &asked
	check(t, []example{
		{"both are written at once", nil, settle, events{told, came}, nil},
		{"once", events{told, came}, settle, nil, nil},
		{"what the log knows is not told again", events{requested(0)}, settle, events{came}, nil},
	})
	for name, spoil := range map[string]func(*payment.Request){
		"no resource":       func(r *payment.Request) { r.Resource = "" },
		"an amount":         func(r *payment.Request) { r.Amount = -1 },
		"a price":           func(r *payment.Request) { r.Price = money.Price{} },
		"a time":            func(r *payment.Request) { r.At = instant.Max + 1 },
		"an expiry":         func(r *payment.Request) { r.Expiry = -1 },
		"an order's plan":   func(r *payment.Request) { r.Order.Plan = "" },
		"an order's price":  func(r *payment.Request) { r.Order.Terms.Price.Msat++ },
		"an order's terms":  func(r *payment.Request) { r.Order.Terms.Grace = -1 },
		"nothing it can be": func(r *payment.Request) { *r = payment.Request{} },
	} {
		bad := asked
		bad.Order = anOrder()
		spoil(&bad)
		settle.Request = &bad
		check(t, []example{{"a request that is none: " + name, nil, settle, nil, payment.ErrInvalid}})
	}
}

// TestAnOutputBringsItsRequest is the same on the chain, where the request is an address.
func TestAnOutputBringsItsRequest(t *testing.T) {
	asked := payment.Request{At: epoch - 7_000, Resource: "vm-1", Price: quote, Order: anOrder()}
	told := &payment.Requested{At: at(10), Resource: "vm-1", Price: quote, Requested: epoch - 7_000, Order: anOrder()}
	see := payment.See{At: epoch + 10, Resource: "vm-1", Address: "bcrt1q", Amount: 500, Request: &asked}
	seen := &payment.Seen{At: at(10), Resource: "vm-1", Address: "bcrt1q", Amount: 500}
	out := given.Of(aggregate(), "btc-00-0")
	out.Check(t, "both are written at once", nil, payment.Command(see), events{told, seen}, nil)
	out.Check(t, "once", events{told, seen}, payment.Command(see), nil, nil)
	if p := out.Fold(told, seen); p.Status != payment.StatusSeen || p.Order == nil || p.Resource != "vm-1" {
		t.Errorf("it is %+v", p)
	}
}

// TestBookOpens books what pays for orders, and holds that the log begins with the money.
func TestBookOpens(t *testing.T) {
	store, _ := storetest.SQLite(t)
	b := booker(store)
	book := func(key payment.Key, holder byte) payment.State {
		t.Helper()
		c, o := settle(10, 500), anOrder()
		o.Holder[0] = holder
		c.Request = &payment.Request{At: epoch, Resource: "vm-1", Amount: 500, Price: quote, Expiry: epoch + 100, Order: o}
		for range 2 { // as a crash may have it
			if _, err := b.Book(t.Context(), stream.Meta{}, key, c); err != nil {
				t.Fatal(err)
			}
		}
		out, err := b.Payments.Load(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		return out.State
	}
	if p := book("ln-00", 2); p.Status != payment.StatusCredited {
		t.Errorf("the first is %s", p.Status)
	}
	if p := book("ln-01", 2); p.Status != payment.StatusCredited {
		t.Errorf("the second is %s", p.Status)
	}
	if p := book("ln-02", 3); p.Status != payment.StatusUnallocated || p.Reason != payment.ReasonOtherOrder || p.Resource != "vm-1" {
		t.Errorf("for another order of that id it is %s: %s, of %q", p.Status, p.Reason, p.Resource)
	}
	r := load(t, b, "vm-1")
	if r.Host != "a" || r.Holder != anOrder().Holder || r.Credited != 1_000 || r.Terms != anOrder().Terms {
		t.Errorf("the resource is %+v", r)
	}
	want := []string{
		"payment-ln-00 payment.requested.v2", "payment-ln-00 payment.settled.v2",
		"resource-vm-1 resource.opened.v1", "resource-vm-1 resource.placed.v1",
		"resource-vm-1 resource.credited.v2", "resource-vm-1 resource.started.v1",
		"payment-ln-00 payment.credited.v1",
	}
	if diff := cmp.Diff(want, wholelog.Types(t, store)[:len(want)]); diff != "" {
		t.Errorf("log (-want +got):\n%s", diff)
	}
}

// TestWhoseItWas books money whose request nobody knows.
func TestWhoseItWas(t *testing.T) {
	store, _ := storetest.SQLite(t)
	b := booker(store)
	openAll(t, b, "vm-1")
	for key, ours := range map[payment.Key]bool{"ln-00": true, "ln-01": false} {
		c := settle(10, 500)
		c.Meant, c.Ours = "vm-1", ours
		out, err := b.Book(t.Context(), stream.Meta{}, key, c)
		want := payment.ReasonForeignInvoice
		if ours {
			want = payment.ReasonUnknownRequest
		}
		if p := out.State; err != nil || p.Status != payment.StatusUnallocated || p.Reason != want || p.Resource != "vm-1" {
			t.Errorf("ours %t: it is %s: %s, meant for %q, %v", ours, p.Status, p.Reason, p.Resource, err)
		}
	}
	if r := load(t, b, "vm-1"); r.Credited != 0 {
		t.Errorf("a description credited %s", r.Credited)
	}
}
