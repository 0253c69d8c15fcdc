package billing_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"slices"
	"testing"

	"sandglass/domain/billing"
	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/payment"
	"sandglass/domain/plan"
	"sandglass/domain/request"
	"sandglass/domain/resource"
	"sandglass/domain/stream"
	"sandglass/testutil/storetest"
)

// TestAnInvoiceHasTheTextThatItsPayerWasShown holds that whoever was shown a text gets an invoice with
// that text's hash, and nobody else does, while the wallet keeps our own description with both.
func TestAnInvoiceHasTheTextThatItsPayerWasShown(t *testing.T) {
	s := open(t)
	text, other := sha256.Sum256([]byte("web")), sha256.Sum256([]byte("web at another host"))
	s.order(billing.OrderRequest{Plan: "small", Time: hour, ID: "web", IdempotencyKey: key})
	if len(s.wallet.asked.Text) != 0 {
		t.Error("an order's invoice has a text")
	}
	plain, err := s.Pay(t.Context(), "web", 2*hour, 0, false)
	s.must(err)
	shown, err := s.PayText(t.Context(), "web", 2*price, text)
	s.must(err)
	if [32]byte(s.wallet.asked.Text) != text {
		t.Errorf("the wallet was asked for %+v", s.wallet.asked)
	}
	if id, ours := s.Signer.Read(s.wallet.asked.Description); id != "web" || !ours {
		t.Errorf("the wallet keeps %q", s.wallet.asked.Description)
	}
	again, err := s.PayText(t.Context(), "web", 2*price, text)
	s.must(err)
	elsewhere, err := s.PayText(t.Context(), "web", 2*price, other)
	s.must(err)
	if plain.Key == shown.Key || shown.Key != again.Key || elsewhere.Key == shown.Key {
		t.Errorf("invoices %s, %s, again %s, and for another text %s", plain.Key, shown.Key, again.Key, elsewhere.Key)
	}
	if p := s.settle(shown, 2*price); p.Resource != "web" {
		t.Errorf("paid it is %+v", p)
	}
	if r, ok := s.Resource("web"); !ok || r.Status != resource.StatusRunning || r.Credited != 2*price {
		t.Errorf("the order that it paid is %+v", r)
	}
}

// TestATextSurvivesFaults: the request of an invoice is lost, or kept and the answer lost.
func TestATextSurvivesFaults(t *testing.T) {
	for _, kept := range []bool{false, true} {
		s := open(t)
		text := sha256.Sum256([]byte("web"))
		s.order(billing.OrderRequest{Plan: "small", Time: hour, ID: "web"})
		fails := 1
		s.kept.Fail = func(context.Context, *request.Record) (bool, error) {
			if fails--; fails == 0 {
				return kept, storetest.ErrFault
			}
			return true, nil
		}
		if _, err := s.PayText(t.Context(), "web", price, text); !errors.Is(err, storetest.ErrFault) {
			t.Fatalf("kept %t: %v", kept, err)
		}
		p, err := s.PayText(t.Context(), "web", price, text)
		s.must(err)
		if r, ok := s.Requests.Find(p.Key); !ok || len(r.Text) != 64 {
			t.Errorf("kept %t: the request is %+v", kept, r)
		}
		if paid := s.settle(p, price); paid.Resource != "web" {
			t.Errorf("kept %t: paid it is %+v", kept, paid)
		}
	}
}

// TestATextOfWhatIsHeld: the first payment of a plan that holds it is held, by whatever way it is asked for.
func TestATextOfWhatIsHeld(t *testing.T) {
	s := open(t)
	h := &holding{shop: s}
	s.Holding = h
	out, err := s.Publish(t.Context(), stream.Meta{}, "held", holdPlan())
	s.must(errors.Join(err, s.views.WaitFor(t.Context(), out.Position)))
	s.order(billing.OrderRequest{Plan: "held", Time: hour, ID: "vm"})
	text := sha256.Sum256([]byte("vm"))
	p, err := s.PayText(t.Context(), "vm", 60_000, text)
	s.must(err)
	if s.wallet.made != 0 || len(h.made) != 2 || p.Key != payment.LightningKey(h.made[1]) || [32]byte(h.asked.Text) != text {
		t.Errorf("%d are not held, %d are: %+v", s.wallet.made, len(h.made), h.asked)
	}
	h.full = true
	if _, err := s.PayText(t.Context(), "vm", 61_000, text); !errors.Is(err, billing.ErrFull) {
		t.Errorf("with no room: %v", err)
	}
}

// TestBounds holds what a wallet is told that it may pay, at each end of the life of a resource.
func TestBounds(t *testing.T) {
	s := open(t)
	if _, _, err := s.Bounds("web"); !errors.Is(err, resource.ErrNotOpened) {
		t.Errorf("those of nothing: %v", err)
	}
	o := s.order(billing.OrderRequest{Plan: "small", Time: hour, ID: "web", IdempotencyKey: key})
	check := func(when string) {
		t.Helper()
		least, most, err := s.Bounds("web")
		if err != nil || least != price/60 || most != 30*24*price {
			t.Errorf("%s: %d to %d, %v", when, least, most, err)
		}
		for amount, ok := range map[money.Msat]bool{least: true, most: true, least - 1: false, most + 1: false} {
			if _, err := s.PayText(t.Context(), "web", amount, [32]byte{1}); (err == nil) != ok {
				t.Errorf("%s: %d msat: %v", when, amount, err)
			} else if err != nil && !errors.Is(err, plan.ErrBounds) {
				t.Errorf("%s: %d msat: %v", when, amount, err)
			}
		}
	}
	check("ordered")
	s.settle(o.Payment, price)
	check("running")
	s.publish(2 * price)
	check("with its plan at another price")
	s.clock.Advance(hour)
	out, err := s.Resources.Execute(t.Context(), "web", stream.Meta{}, resource.Settle{When: resource.When{At: s.clock.Now()}})
	s.must(errors.Join(err, s.views.WaitFor(t.Context(), out.Position)))
	check("exhausted")
	s.clock.Advance(24 * hour)
	if _, _, err := s.Bounds("web"); !errors.Is(err, resource.ErrReleased) {
		t.Errorf("once its grace is over: %v", err)
	}
}

// TestAnInvoiceOfOnesOwn is given to nobody else, before or after, and buys as any other does.
func TestAnInvoiceOfOnesOwn(t *testing.T) {
	s := open(t)
	s.order(billing.OrderRequest{Plan: "small", Time: hour, ID: "web", IdempotencyKey: key})
	shared, err := s.Pay(t.Context(), "web", 2*hour, 0, false)
	s.must(err)
	one, err := s.PayOwn(t.Context(), "web", 2*hour, 0, false)
	s.must(err)
	two, err := s.PayOwn(t.Context(), "web", 0, one.Asked, false)
	s.must(err)
	if shared.Key == one.Key || one.Key == two.Key || two.Key == shared.Key || one.Asked != shared.Asked {
		t.Errorf("%+v, %+v and %+v", shared, one, two)
	}
	if p := s.settle(one, one.Asked); p.Resource != "web" {
		t.Errorf("paid it is %+v", p)
	}
	other, err := s.PayOwn(t.Context(), "web", 4*hour, 0, false)
	s.must(err)
	after, err := s.Pay(t.Context(), "web", 4*hour, 0, false)
	s.must(err)
	again, err := s.Pay(t.Context(), "web", 4*hour, 0, false)
	s.must(err)
	if after.Key == other.Key || again.Key != after.Key {
		t.Errorf("after %+v is given %+v, and then %+v", other, after, again)
	}
}

// TestInvoicesOfOnesOwnAreBounded by themselves: they take no place of the holder's, nor of the others', and have
// none taken by these; of one too many the oldest gives way. They are shown to nobody.
func TestInvoicesOfOnesOwnAreBounded(t *testing.T) {
	s := open(t)
	s.Limits.Open = 700 // and so 7 of one resource
	o := s.order(billing.OrderRequest{Plan: "small", Time: hour, ID: "web", IdempotencyKey: key})
	s.settle(o.Payment, price)
	before, _ := s.store.Head(t.Context())
	pay := func(pay func() (payment.State, error)) payment.Key {
		t.Helper()
		s.clock.Advance(1)
		p, err := pay()
		s.must(err)
		return p.Key
	}
	own := func() (payment.State, error) { return s.PayOwn(t.Context(), "web", hour, 0, false) }
	for range 3 { // visitors of a gate, then as many strangers as may be, and the holder
		pay(own)
	}
	shared := []payment.Key{pay(func() (payment.State, error) { return s.Pay(t.Context(), "web", hour, 0, true) })}
	for i := range instant.Millis(3) {
		shared = append(shared, pay(func() (payment.State, error) { return s.Pay(t.Context(), "web", (2+i)*hour, 0, false) }))
	}
	if len(s.wallet.canceled) > 0 {
		t.Errorf("%d have given way", len(s.wallet.canceled))
	}
	for range 100 {
		pay(own)
	}
	var shown []payment.Key
	for _, p := range s.Payments("web") {
		shown = append(shown, p.Key)
	}
	if !slices.Equal(shown, shared) || len(s.wallet.canceled) != 103-7 || s.Requests.Open().Invoices != 4+7 {
		t.Errorf("%d have given way, %d can be paid; shown are %v, want %v",
			len(s.wallet.canceled), s.Requests.Open().Invoices, shown, shared)
	}
	if head, _ := s.store.Head(t.Context()); head != before {
		t.Errorf("the log went from %d to %d", before, head)
	}
	if oldest := s.wallet.canceled[0]; s.Unlogged(oldest).Status != payment.StatusNone || slices.Contains(shared, oldest) {
		t.Errorf("what gave way is %+v", s.Unlogged(oldest))
	}
}
