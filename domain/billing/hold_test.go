package billing_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"testing"

	"sandglass/domain/billing"
	"sandglass/domain/billing/held"
	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/payment"
	"sandglass/domain/plan"
	"sandglass/domain/plan/param"
	"sandglass/domain/resource"
	"sandglass/domain/stream"
)

// holding makes invoices that are held, and remembers them.
type holding struct {
	shop  *shop
	made  []string
	asked billing.InvoiceRequest
	given int
	full  bool
	may   error
}

func (h *holding) HoldInvoice(
	_ context.Context, hash [32]byte, r billing.InvoiceRequest,
) (billing.Invoice, error) {
	preimage := h.shop.Signer.Preimage(r.Description)
	if sha256.Sum256(preimage[:]) != hash {
		h.shop.t.Errorf("the preimage of %q does not follow from it", r.Description)
	}
	text := hex.EncodeToString(hash[:])
	h.made, h.asked = append(h.made, text), r
	return billing.Invoice{
		Key: payment.LightningKey(text), Hash: text, Request: "lnbc" + text, Amount: r.Amount, Expiry: h.shop.clock.Now().Add(r.Expiry),
	}, nil
}

func (h *holding) CanHold() error { return h.may }
func (h *holding) Given()         { h.given++ }
func (h *holding) Full() bool     { return h.full }

// holdPlan is what is offered with its first payment held.
func holdPlan() plan.Offer {
	return plan.Offer{
		Terms: resource.Terms{Price: money.Price{Msat: 1000, Per: 1000}, Grace: hour, Uptime: true, Hold: true},
		Min:   1000, Max: 100 * hour, Enforcer: "web",
	}
}

// TestTheFirstPaymentIsHeld holds that an order of a plan that says so has an invoice that is held
// and nothing else, that while it is held nothing more is taken, and that it is paid as any other
// once it was up.
func TestTheFirstPaymentIsHeld(t *testing.T) {
	s := open(t)
	ctx := t.Context()
	if _, err := s.Publish(ctx, stream.Meta{}, "held", holdPlan()); !errors.Is(err, plan.ErrInvalid) {
		t.Errorf("without a wallet that holds it is published: %v", err)
	}
	h := &holding{shop: s}
	s.Holding = h
	h.may = errors.New("the macaroon may not")
	if _, err := s.Publish(ctx, stream.Meta{}, "held", holdPlan()); !errors.Is(err, h.may) {
		t.Errorf("without the right to it is published: %v", err)
	}
	h.may = nil
	bad := holdPlan()
	bad.Terms.Uptime = false
	if _, err := s.Publish(ctx, stream.Meta{}, "held", bad); !errors.Is(err, plan.ErrInvalid) {
		t.Errorf("without anybody who says up it is published: %v", err)
	}
	out, err := s.Publish(ctx, stream.Meta{}, "held", holdPlan())
	s.must(err)
	s.must(s.views.WaitFor(ctx, out.Position))
	order := billing.OrderRequest{Plan: "held", Time: hour, ID: "vm-9"}
	h.full = true
	if _, err := s.Order(ctx, stream.Meta{}, order); !errors.Is(err, billing.ErrFull) {
		t.Errorf("with no room: %v", err)
	}
	h.full = false
	o, err := s.Order(ctx, stream.Meta{}, order)
	s.must(err)
	if len(h.made) != 1 || h.given != 1 || s.wallet.made != 0 || o.Payment.Key != payment.LightningKey(h.made[0]) {
		t.Errorf("%d are held, %d given, %d others", len(h.made), h.given, s.wallet.made)
	}
	if _, err := s.Address(ctx, stream.Meta{}, "vm-9"); !errors.Is(err, billing.ErrNoChain) && !errors.Is(err, billing.ErrNotHeld) {
		t.Errorf("it has an address: %v", err)
	}
	r := s.Requests.Of("vm-9")[0]
	accepted, err := s.Booker.Payments.Execute(ctx, r.Key, stream.Meta{}, payment.Accept{
		At: s.clock.Now(), Amount: r.Amount, Node: "02aa", Request: &r.Request,
	})
	s.must(err)
	s.must(s.views.WaitFor(ctx, accepted.Position))
	again := order
	again.Time = 2 * hour
	if _, err := s.Order(ctx, stream.Meta{}, again); !errors.Is(err, resource.ErrExists) {
		t.Errorf("its id is free while its payment is held: %v", err)
	}
	opened, err := s.Resources.Execute(ctx, "vm-9", stream.Meta{}, resource.Accept{
		When: resource.When{At: s.clock.Now()}, Order: *r.Order,
	})
	s.must(err)
	s.must(s.views.WaitFor(ctx, opened.Position))
	if _, err := s.Pay(ctx, "vm-9", hour, 0, true); !errors.Is(err, billing.ErrHeld) {
		t.Errorf("while it is held another invoice is given: %v", err)
	}
	if o, err := s.Order(ctx, stream.Meta{}, order); err != nil || o.Payment.Key != "" || len(h.made) != 1 {
		t.Errorf("the order again: %+v, %v", o.Payment, err)
	}
	_, err = s.Booker.Book(ctx, stream.Meta{}, r.Key, payment.Settle{
		At: s.clock.Now(), Amount: r.Amount, Via: payment.ViaBOLT11, Node: "02aa", Index: 1,
	})
	s.must(err)
	if _, err := s.Pay(ctx, "vm-9", hour, 0, true); err != nil || s.wallet.made != 1 || len(h.made) != 1 {
		t.Errorf("a top-up is held, or refused: %v", err)
	}
}

// TestItsHolderDoesNotHaveItBack holds that while a payment is held nothing that its holder can do keeps
// what it is for from coming up: not even once something else has given it time. The operator can.
func TestItsHolderDoesNotHaveItBack(t *testing.T) {
	s := open(t)
	s.keeps()
	ctx := t.Context()
	s.Holding = &holding{shop: s}
	offer := holdPlan()
	offer.Params = "name:max=80"
	out, err := s.Publish(ctx, stream.Meta{}, "held", offer)
	s.must(errors.Join(err, s.views.WaitFor(ctx, out.Position)))
	holder, operator := stream.Meta{Actor: "holder"}, stream.Meta{Actor: "operator"}
	refused := func(when string) {
		t.Helper()
		for what, do := range map[string]func() (resource.Outcome, error){
			"release": func() (resource.Outcome, error) { return s.Release(ctx, holder, "vm-9", resource.ReasonHolder) },
			"pause":   func() (resource.Outcome, error) { return s.Pause(ctx, holder, "vm-9") },
			"set": func() (resource.Outcome, error) {
				return s.Params.Set(ctx, holder, "vm-9", param.Values{"name": "other"})
			},
			"delete": func() (resource.Outcome, error) { return s.Params.Delete(ctx, holder, "vm-9") },
		} {
			if _, err := do(); !errors.Is(err, held.Err) {
				t.Errorf("%s: %s: %v", when, what, err)
			}
		}
	}
	s.order(billing.OrderRequest{Plan: "held", Time: hour, ID: "vm-9", Params: param.Values{"name": "mine"}})
	r := s.Requests.Of("vm-9")[0]
	accepted, err := s.Booker.Payments.Execute(ctx, r.Key, stream.Meta{}, payment.Accept{
		At: s.clock.Now(), Amount: r.Amount, Node: "02aa", Request: &r.Request,
	})
	s.must(errors.Join(err, s.views.WaitFor(ctx, accepted.Position)))
	if _, err := s.Release(ctx, holder, "vm-9", resource.ReasonHolder); !errors.Is(err, held.Err) {
		t.Errorf("before it is opened: %v", err)
	}
	opened, err := s.Resources.Execute(ctx, "vm-9", stream.Meta{}, resource.Accept{
		When: resource.When{At: s.clock.Now()}, Order: *r.Order,
	})
	s.must(errors.Join(err, s.views.WaitFor(ctx, opened.Position)))
	refused("held")
	credited, err := s.Resources.Execute(ctx, "vm-9", stream.Meta{}, resource.Credit{
		When: resource.When{At: s.clock.Now()}, Payment: "keysend", Amount: 1, Paid: s.clock.Now(),
	})
	s.must(errors.Join(err, s.views.WaitFor(ctx, credited.Position)))
	refused("held, and given a moment")
	s.clock.Advance(instant.Minute)
	if _, err := s.Params.Set(ctx, operator, "vm-9", param.Values{"name": "other"}); err != nil {
		t.Errorf("the operator sets: %v", err)
	}
	if out, err := s.Pause(ctx, operator, "vm-9"); err != nil || out.State.Status != resource.StatusPaused {
		t.Errorf("the operator pauses: %s, %v", out.State.Status, err)
	}
	released, err := s.Release(ctx, operator, "vm-9", resource.ReasonOperator)
	if err != nil || released.State.Status != resource.StatusReleased {
		t.Errorf("the operator releases: %s, %v", released.State.Status, err)
	}
}

// TestWhatWasPaidIsReleased holds that once the payment is taken its holder can do as he likes.
func TestWhatWasPaidIsReleased(t *testing.T) {
	s := open(t)
	ctx := t.Context()
	s.Holding = &holding{shop: s}
	out, err := s.Publish(ctx, stream.Meta{}, "held", holdPlan())
	s.must(errors.Join(err, s.views.WaitFor(ctx, out.Position)))
	s.order(billing.OrderRequest{Plan: "held", Time: hour, ID: "vm-9"})
	r := s.Requests.Of("vm-9")[0]
	s.settle(r.State(), r.Amount)
	if out, err := s.Release(ctx, stream.Meta{Actor: "holder"}, "vm-9", resource.ReasonHolder); err != nil ||
		out.State.Status != resource.StatusReleased {
		t.Errorf("%s, %v", out.State.Status, err)
	}
}
