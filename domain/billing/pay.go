package billing

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"

	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/payment"
	"sandglass/domain/plan"
	"sandglass/domain/request"
	"sandglass/domain/resource"
)

// Pay asks the wallet for another invoice of a resource or of an order. An open one of the same
// amount that lasts for at least half its time is given again. byHolder says that whoever holds
// the resource asks: then no stranger's request makes the invoice give way.
func (b *Service) Pay(
	ctx context.Context, id resource.ID, time instant.Millis, amount money.Msat, byHolder bool,
) (payment.State, error) {
	return b.pay(ctx, id, wish{Quote: plan.Quote{Time: time, Amount: amount}, byHolder: byHolder})
}

// PayText is Pay for a stranger who was shown a text: the invoice has its SHA-256 in place of a description.
func (b *Service) PayText(ctx context.Context, id resource.ID, amount money.Msat, text [32]byte) (payment.State, error) {
	return b.pay(ctx, id, wish{Quote: plan.Quote{Amount: amount}, text: text[:]})
}

// PayOwn is Pay for whom a payment is to be told from all others: the invoice is new, and given to nobody else.
func (b *Service) PayOwn(ctx context.Context, id resource.ID, t instant.Millis, a money.Msat, holds bool) (payment.State, error) {
	return b.pay(ctx, id, wish{Quote: plan.Quote{Time: t, Amount: a}, own: true, byHolder: holds})
}

// wish is an invoice that is asked for: its quote, of which a time or an amount stands for the
// others until it is quoted.
type wish struct {
	plan.Quote
	byHolder bool
	own      bool   // given to nobody else
	text     []byte // of [InvoiceRequest]
}

func (b *Service) pay(ctx context.Context, id resource.ID, w wish) (payment.State, error) {
	if err := b.Reading(); err != nil {
		return payment.State{}, err
	}
	defer b.lock(id)()
	s, err := b.find(ctx, id)
	if err == nil {
		err = b.payable(&s.State, s.order != nil)
	}
	var p plan.State
	if err == nil {
		p, err = b.planOf(&s.State)
	}
	if err == nil {
		w.Quote, err = p.Quote(s.Terms.Price, w.Time, w.Amount)
	}
	if err != nil {
		return payment.State{}, err
	}
	return b.invoice(ctx, &s, w)
}

// Bounds returns the least and the most that one payment of a resource or of an order can be now,
// in whole satoshi, or why nothing can be paid for it.
func (b *Service) Bounds(id resource.ID) (least, most money.Msat, err error) {
	s, ok := b.Resource(id)
	if !ok {
		return 0, 0, resource.ErrNotOpened
	}
	if err := b.payable(&s, s.Status == resource.StatusAwaiting); err != nil {
		return 0, 0, err
	}
	p, err := b.planOf(&s)
	if err != nil {
		return 0, 0, err
	}
	return p.Bounds(s.Terms.Price)
}

// payable returns why nothing can be paid for a resource now, or for what is only ordered. An invoice
// that is given out puts a release off: strangers could do so for ever, so none is once it is due.
func (b *Service) payable(s *resource.State, ordered bool) error {
	end, ends := s.ReleaseAt()
	switch {
	case s.Status == resource.StatusReleased:
		return resource.ErrReleased
	case s.Unpaid():
		return ErrHeld
	case !ordered && ends && end <= b.Now():
		return fmt.Errorf("%w: its grace is over, and it is about to be released", resource.ErrReleased)
	}
	return nil
}

// Required returns how many confirmations a payment needs to be credited, while a reorg can take
// that sum of its resource: see [plan.ConfirmationRule]. What pays an order needs what that order's
// plan asks for, whatever its id was ordered for since.
func (b *Service) Required(of *payment.State, sum money.Msat) int {
	r, _ := b.Resource(of.Resource)
	if of.Order != nil {
		r.Plan = of.Order.Plan
	}
	p, _ := b.Views.Plan(r.Plan) // where there is none, nothing asks for more
	return p.Large.Required(sum, b.Confirmations)
}

// invoice gives an open invoice for w, or makes one. The caller holds the lock of s. While the
// log takes nothing, no invoice is given and the wallet is asked for none: money that is paid
// then could not be recorded.
func (b *Service) invoice(ctx context.Context, s *subject, w wish) (payment.State, error) {
	if err := b.writable(); err != nil {
		return payment.State{}, err
	}
	open := b.open(s.ID)
	for _, r := range open {
		lasts := r.Expiry.Sub(b.Now()) > b.Limits.Expiry/2
		if w.own || r.Own || r.Cash.Quote != "" || !lasts || !w.fits(r) || !sameOrder(r.Order, s.order) {
			continue
		}
		switch ok, err := b.Wallet.IsOpen(ctx, r.Key); { // it may just have been paid
		case err != nil:
			return payment.State{}, fmt.Errorf("%w: %w", ErrWallet, err)
		case ok:
			return r.State(), nil
		}
	}
	if holds(s) && (b.Holding == nil || b.Holding.Full()) {
		return payment.State{}, ErrFull
	}
	if err := b.takeOrdered(ctx, s, true); err != nil {
		return payment.State{}, err
	}
	if err := b.admit(ctx, Ask{Resource: s.ID, Unpaid: s.order != nil, ByHolder: w.byHolder}); err != nil {
		return payment.State{}, err
	}
	if err := b.makeRoom(ctx, open, &w); err != nil {
		return payment.State{}, err
	}
	n := b.Requests.Open()
	if s.order != nil && n.Orders >= b.Limits.Awaiting || s.order == nil && !w.byHolder && n.Invoices >= b.Limits.Open {
		return payment.State{}, ErrTooManyOpen
	}
	b.rooms.Asked(s.ID)
	p, err := payment.State{}, b.clear(ctx, s)
	if err == nil {
		p, err = b.newInvoice(ctx, s, w)
	}
	if err != nil && ctx.Err() == nil { // else whoever hangs up in time would take places away for nothing
		b.rooms.Failed(s.ID)
	}
	return p, err
}

// fits reports whether an invoice that was given out is what is wished for.
func (w *wish) fits(r *request.Record) bool {
	return r.Amount == w.Amount && r.Price == w.Price && r.Text == hex.EncodeToString(w.text) && (r.ByHolder || !w.byHolder)
}

func (b *Service) newInvoice(ctx context.Context, s *subject, w wish) (payment.State, error) {
	var nonce [8]byte
	if _, err := io.ReadFull(b.Random, nonce[:]); err != nil {
		return payment.State{}, fmt.Errorf("billing: reading random bytes: %w", err)
	}
	inv, err := b.make(ctx, s, InvoiceRequest{
		Amount: w.Amount, Description: b.Signer.Describe(s.ID, w.Time, nonce), Text: w.text, Expiry: b.Limits.Expiry,
	})
	if err != nil {
		return payment.State{}, fmt.Errorf("%w: %w", ErrWallet, err)
	}
	r := &request.Record{
		Key: inv.Key, Node: b.node(), ByHolder: w.byHolder, Own: w.own, Text: hex.EncodeToString(w.text),
		Request: payment.Request{
			At: b.Now(), Resource: s.ID, Amount: w.Amount, Price: w.Price, Expiry: inv.Expiry, Invoice: inv.Request, Order: s.order,
		},
	}
	if s.kept != nil {
		if err := b.Params.Keep(s.kept); err != nil {
			return payment.State{}, err
		}
	}
	if err := b.Requests.Keep(ctx, r); err != nil {
		return payment.State{}, err // the invoice was shown to nobody, and will expire
	}
	if holds(s) {
		b.Holding.Given()
	}
	return r.State(), nil
}

// make asks the wallet for an invoice. That of an order whose plan says so is held.
func (b *Service) make(ctx context.Context, s *subject, r InvoiceRequest) (Invoice, error) {
	if !holds(s) {
		return b.Wallet.Invoice(ctx, r)
	}
	preimage := b.Signer.Preimage(r.Description)
	return b.Holding.HoldInvoice(ctx, sha256.Sum256(preimage[:]), r)
}

// holds reports whether the next payment is held until what it is for is up: the first.
func holds(s *subject) bool { return s.order != nil && s.order.Terms.Hold }

func sameOrder(a, b *resource.Order) bool {
	return a == nil && b == nil || a != nil && b != nil && a.Same(b)
}

// makeRoom sees to it that another invoice can be had: the holder and the others have as many each, whoever wants
// his own takes none of these but one of the hundredth of all, and of theirs the oldest gives way, once it can't be paid.
func (b *Service) makeRoom(ctx context.Context, open []*request.Record, w *wish) error {
	theirs := slices.DeleteFunc(open, func(r *request.Record) bool { return r.ByHolder != w.byHolder || r.Own != w.own })
	most := b.Limits.OpenPerResource
	if w.own {
		most = max(most, b.Limits.Open/100)
	}
	for n := len(theirs); n >= most; n-- {
		oldest := theirs[len(theirs)-n]
		if err := b.cancel(ctx, oldest); err != nil && !errors.Is(err, ErrPaid) {
			return fmt.Errorf("%w: the oldest can't be canceled: %w", ErrTooManyOpen, err)
		}
	}
	return nil
}

// cancel cancels an invoice at the wallet. One that was paid is [ErrPaid].
func (b *Service) cancel(ctx context.Context, r *request.Record) error {
	if err := b.Wallet.Cancel(ctx, r.Key); err != nil {
		return err
	}
	b.Requests.Canceled(ctx, r.Name())
	return nil
}
