package lightning_test

import (
	"testing"
	"time"

	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/payment"
	"sandglass/domain/request"
	"sandglass/domain/resource"
	"sandglass/domain/stream"
	"sandglass/testutil/wholelog"

	"github.com/google/go-cmp/cmp"
)

// asks makes an invoice for an order of a holder, and returns its record, which is not kept yet.
func (f *fixture) asks(hash string, id resource.ID, holder byte) *request.Record {
	f.t.Helper()
	price := money.Price{Msat: 1000, Per: 1000}
	return &request.Record{
		Key: payment.LightningKey(hash), Node: node,
		Request: payment.Request{
			At: now(), Resource: id, Amount: 500, Price: price, Expiry: now().Add(instant.Hour), Invoice: "lnbcrt1",
			Order: &resource.Order{
				Plan: "small", Holder: [16]byte{holder}, Terms: resource.Terms{Price: price, Grace: instant.Day},
			},
		},
	}
}

func (f *fixture) keep(r *request.Record) {
	f.t.Helper()
	if err := f.requests.Keep(f.t.Context(), r); err != nil {
		f.t.Fatal(err)
	}
}

func (f *fixture) payment(hash string) payment.State {
	f.t.Helper()
	out, err := f.booker.Payments.Load(f.t.Context(), payment.LightningKey(hash))
	if err != nil {
		f.t.Fatal(err)
	}
	return out.State
}

func (f *fixture) resource(id resource.ID) resource.State {
	f.t.Helper()
	out, err := f.booker.Resources.Load(f.t.Context(), id)
	if err != nil {
		f.t.Fatal(err)
	}
	return out.State
}

// The log begins with the money of an order, told of live or found by a sweep.
func TestThePaymentOfAnOrderOpensIt(t *testing.T) {
	for _, live := range []bool{true, false} {
		inBubble(t, func(t *testing.T, f *fixture) {
			f.ready()
			before := len(wholelog.Types(t, f.store))
			hash := f.fakeWallet.add()
			f.keep(f.asks(hash, "vm-9", 1))
			f.pass(3 * time.Minute)
			if n := len(wholelog.Types(t, f.store)); n != before {
				t.Errorf("%d events before anybody paid", n-before)
			}
			f.fakeWallet.pay(hash, 500, 0, live)
			f.pass(3 * time.Minute)
			want := []string{
				"payment-ln-" + hash + " payment.requested.v2", "payment-ln-" + hash + " payment.settled.v2",
				"resource-vm-9 resource.opened.v1", "resource-vm-9 resource.credited.v2", "resource-vm-9 resource.started.v1",
				"payment-ln-" + hash + " payment.credited.v1",
			}
			got := wholelog.Types(t, f.store)[before:]
			if diff := cmp.Diff(want, got[:min(len(want), len(got))]); diff != "" {
				t.Errorf("live %t: log (-want +got):\n%s", live, diff)
			}
			if _, ok := f.requests.Find(payment.LightningKey(hash)); ok {
				t.Error("its request is kept on")
			}
		})
	}
}

// Money that comes with a description of ours is waited for: its request may be another
// daemon's, and late.
func TestARequestThatIsLate(t *testing.T) {
	for name, x := range map[string]struct {
		after  time.Duration
		status payment.Status
	}{
		"within the time": {4 * time.Minute, payment.StatusNone},
		"too late":        {20 * time.Minute, payment.StatusUnallocated},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, f *fixture) {
				f.ready()
				hash := f.fakeWallet.add()
				f.fakeWallet.describe(hash, f.signer.Describe("vm-9", instant.Hour, [8]byte{7}))
				f.fakeWallet.pay(hash, 500, 0, true)
				f.pass(x.after)
				if p := f.payment(hash); p.Status != x.status {
					t.Fatalf("after %s it is %s", x.after, p.Status)
				} else if p.Status == payment.StatusUnallocated && (p.Reason != payment.ReasonUnknownRequest || p.Resource != "vm-9") {
					t.Errorf("it is unallocated as %q for %q", p.Reason, p.Resource)
				}
				f.keep(f.asks(hash, "vm-9", 1))
				f.pass(5 * time.Minute)
				if p, r := f.payment(hash), f.resource("vm-9"); p.Status != payment.StatusCredited || r.Credited != 500 || r.Holder[0] != 1 {
					t.Errorf("once it is found the payment is %s, and vm-9 has %s", p.Status, r.Credited)
				}
			})
		})
	}
}

// What another program on the same node writes is a suggestion, whatever it copied from us.
func TestADescriptionCreditsNobody(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		f.open("vm-1")
		f.ready()
		ours := f.signer.Describe("vm-1", instant.Hour, [8]byte{7})
		want := map[string]payment.State{
			ours:                      {Reason: payment.ReasonUnknownRequest, Resource: "vm-1"},
			"vm-1":                    {Reason: payment.ReasonForeignInvoice},
			"sandglass vm-1":          {Reason: payment.ReasonForeignInvoice, Resource: "vm-1"},
			ours[:len(ours)-2] + "00": {Reason: payment.ReasonForeignInvoice, Resource: "vm-1"},
		}
		hashes := map[string]string{}
		for text := range want {
			hash := f.fakeWallet.add()
			hashes[text] = hash
			f.fakeWallet.describe(hash, text)
			f.fakeWallet.pay(hash, 500, 0, true)
		}
		f.pass(20 * time.Minute)
		for text, want := range want {
			p := f.payment(hashes[text])
			if p.Status != payment.StatusUnallocated || p.Reason != want.Reason || p.Resource != want.Resource {
				t.Errorf("%q is %s: %s for %q", text, p.Status, p.Reason, p.Resource)
			}
		}
		if r := f.resource("vm-1"); r.Credited != 0 {
			t.Errorf("descriptions credited %s", r.Credited)
		}
	})
}

// A payer who names an order by keysend opens it, with no less than what it sells.
func TestAKeysendOpensAnOrder(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		f.ready()
		f.keep(f.asks("a1", "vm-9", 1))
		for _, amount := range []money.Msat{99, 100} {
			f.keysends("vm-9", amount)
		}
		r := f.resource("vm-9")
		if r.Status != resource.StatusRunning || r.Credited != 100 || r.Holder[0] != 1 {
			t.Errorf("it is %s with %s", r.Status, r.Credited)
		}
	})
}

// keysends has the wallet receive a keysend that names a resource, and returns its key.
func (f *fixture) keysends(id resource.ID, amount money.Msat) payment.Key {
	hash := f.fakeWallet.add()
	f.fakeWallet.pay(hash, amount, 0, false)
	key := payment.KeysendKey(hash, 1, 1)
	f.fakeWallet.change(func() {
		e := &f.fakeWallet.entries[len(f.fakeWallet.entries)-1]
		e.Many = true
		e.Arrivals[0].Key = key
		e.Arrivals[0].Settle.Via, e.Arrivals[0].Settle.Resource = payment.ViaKeysend, id
	})
	f.pass(3 * time.Minute)
	return key
}

// What names a resource with less than its plan sells makes no lot, and is the operator's to give.
// What was asked for is credited however little it is, and what is released says so.
func TestALotHasAPrice(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		f.open("vm-1", "vm-2")
		f.ready()
		little := f.keysends("vm-1", 99)
		p := f.stateOf(little)
		if p.Status != payment.StatusUnallocated || p.Reason != payment.ReasonTooLittle || p.Resource != "vm-1" {
			t.Errorf("99 msat are %s: %s for %q", p.Status, p.Reason, p.Resource)
		}
		if p := f.stateOf(f.keysends("vm-1", 100)); p.Status != payment.StatusCredited {
			t.Errorf("100 msat are %s: %s", p.Status, p.Reason)
		}
		if p := f.stateOf(f.keysends("nobody", 99)); p.Reason != payment.ReasonUnknownResource {
			t.Errorf("for nobody they are %s: %s", p.Status, p.Reason)
		}
		asked := f.order("vm-2")
		f.fakeWallet.pay(asked, 1, 0, true)
		f.pass(3 * time.Minute)
		if r := f.resource("vm-2"); r.Credited != 1 || len(r.Lots) != 1 {
			t.Errorf("of an invoice of 1 msat vm-2 has %s", r.Credited)
		}
		_, err := f.booker.Allocate(t.Context(), stream.Meta{}, little, "vm-1")
		if r := f.resource("vm-1"); err != nil || r.Credited != 199 || len(r.Lots) != 2 {
			t.Errorf("allocated: %v, vm-1 has %s in %d lots", err, r.Credited, len(r.Lots))
		}
	})
}

// An order that was ordered anew is not paid by what pays the one before it.
func TestMoneyNamesAnOrder(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		f.ready()
		former, present := f.fakeWallet.add(), f.fakeWallet.add()
		f.keep(f.asks(former, "vm-9", 1))
		f.keep(f.asks(present, "vm-9", 2))
		f.fakeWallet.pay(present, 500, 0, true)
		f.pass(time.Minute)
		f.fakeWallet.pay(former, 500, 0, true)
		f.pass(3 * time.Minute)
		p := f.payment(former)
		if p.Status != payment.StatusUnallocated || p.Reason != payment.ReasonOtherOrder || p.Resource != "vm-9" {
			t.Errorf("it is %s: %s for %q", p.Status, p.Reason, p.Resource)
		}
		if r := f.resource("vm-9"); r.Credited != 500 || r.Holder[0] != 2 {
			t.Errorf("vm-9 has %s, and is of %d", r.Credited, r.Holder[0])
		}
	})
}

// A payer who names what is opened pays that, whatever else was ordered by its id before.
func TestAKeysendPaysWhatIsOpened(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		f.ready()
		f.keep(f.asks("a1", "vm-9", 1))
		present := f.fakeWallet.add()
		f.keep(f.asks(present, "vm-9", 2))
		f.fakeWallet.pay(present, 500, 0, true)
		f.pass(time.Minute)
		if p := f.stateOf(f.keysends("vm-9", 100)); p.Status != payment.StatusCredited {
			t.Errorf("it is %s: %s", p.Status, p.Reason)
		}
		if p := f.stateOf(f.keysends("vm-9", 99)); p.Reason != payment.ReasonTooLittle {
			t.Errorf("too little is %s: %s", p.Status, p.Reason)
		}
	})
}
