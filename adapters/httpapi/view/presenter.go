package view

import (
	"sandglass/adapters/httpapi/bip21"
	"sandglass/adapters/httpapi/wire"
	"sandglass/domain/billing"
	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/payment"
	"sandglass/domain/resource"
	"sandglass/projections"
)

// Presenter shows resources and payments as they are now. Views, Billing and Now are required.
type Presenter struct {
	Views   *projections.Views
	Billing *billing.Service
	Now     func() instant.Time

	// Tip returns the height of the chain, 0 if it is not known. It may be nil.
	Tip func() int64

	// Required returns how many confirmations a payment needs where a reorg can take that sum
	// of its resource, the payment included. It may be nil: then nothing is said of them.
	Required func(p *payment.State, sum money.Msat) int

	// Found returns what the keeper of this host found of a resource, nil if it said nothing. It
	// may be nil.
	Found func(resource.ID) *wire.Found

	// Links returns by what people reach a resource. It may be nil.
	Links func(resource.ID) Links
}

// Links are by what people reach a resource, and their wallets; each is empty where they can not.
type Links struct{ Page, LNURL, LightningAddress string }

// Resource shows a resource as it is now, or nothing of one that there is not.
func (p *Presenter) Resource(id resource.ID) (wire.Resource, bool) {
	position := p.Views.Position() // before the state, which then has it in it
	state, ok := p.Billing.Resource(id)
	if !ok {
		return wire.Resource{}, false
	}
	v := Resource(state, p.Now())
	v.Position = uint64(position)
	if p.Found != nil {
		v.Found = p.Found(id)
	}
	if p.Links != nil {
		to := p.Links(id)
		v.Page = to.Page
		if state.Status != resource.StatusReleased { // what can't be paid is only looked at
			v.LNURL, v.LightningAddress = to.LNURL, to.LightningAddress
		}
	}
	l := p.look(&state)
	v.Address, v.URI = l.address, bip21.URI(l.address, 0, "")
	for _, s := range p.Billing.Payments(id) {
		if s.Status == payment.StatusCredited || s.Status == payment.StatusReplaced {
			continue // watched on: it is a lot for long, or will not come
		}
		shown := l.payment(&s)
		v.Pending = append(v.Pending, shown)
		if shown.URI != "" && state.Status != resource.StatusReleased {
			v.URI = shown.URI // of the latest
		}
	}
	return v, true
}

// Payment shows a payment as it is now.
func (p *Presenter) Payment(s payment.State) wire.Payment {
	r, ok := p.Billing.Resource(s.Resource)
	if !ok {
		r = resource.New(s.Resource)
	}
	return p.look(&r).payment(&s)
}

// Anonymous returns what is shown of a payment to those who don't know its resource: payment
// hashes are known on the way of a payment, and outputs to everybody. Neither leads to the
// resource, nor one of its payments to another: an invoice has an address, and in its text the
// id; what a payment needs and buys depends on what else the resource has.
func Anonymous(p wire.Payment) wire.Payment {
	v := wire.Payment{
		Key:           p.Key,
		Status:        p.Status,
		Asked:         p.Asked,
		Amount:        p.Amount,
		TxID:          p.TxID,
		Vout:          p.Vout,
		Confirmations: p.Confirmations,
		Height:        p.Height,
		Block:         p.Block,
		Final:         p.Final,
		RequestedAt:   p.RequestedAt,
		ExpiresAt:     p.ExpiresAt,
		AcceptedAt:    p.AcceptedAt,
		HeldUntil:     p.HeldUntil,
		SettledAt:     p.SettledAt,
		Via:           p.Via,
		Reason:        p.Reason,
		ChangedAt:     p.ChangedAt,
	}
	if p.TxID != "" {
		v.Address = p.Address // which the output tells
	}
	return v
}

// Height returns the height of the chain, 0 if it is not known.
func (p *Presenter) Height() int64 {
	if p.Tip == nil {
		return 0
	}
	return p.Tip()
}

// look is what the views of a resource's payments take besides their own states.
type look struct {
	*Presenter
	resource *resource.State // of status none if there is no such one
	address  string          // to be paid: empty once it is released, since money would be unallocated
	tip      int64
	risk     money.Msat // what a reorg can take of the resource
}

func (p *Presenter) look(r *resource.State) look {
	l := look{Presenter: p, resource: r, tip: p.Height()}
	if r.Status != resource.StatusReleased && p.Billing.OnChain() {
		l.address, _ = p.Billing.AddressOf(r.ID)
	}
	if p.Required != nil {
		l.risk = payment.Risk(p.Views.PaymentsOf(r.ID))
	}
	return l
}

func (l look) payment(p *payment.State) wire.Payment {
	v := wire.Payment{
		Key:         string(p.Key),
		Status:      p.Status.String(),
		Resource:    string(p.Resource),
		Asked:       p.Asked,
		Amount:      p.Amount,
		RequestedAt: p.Requested,
		ExpiresAt:   p.Expiry,
		AcceptedAt:  p.AcceptedAt,
		SettledAt:   p.SettledAt,
		Via:         string(p.Via),
		Reason:      string(p.Reason),
		ChangedAt:   p.Last,
	}
	v.Hold = p.Order != nil && p.Order.Terms.Hold && (p.Status == payment.StatusRequested || p.Status == payment.StatusAccepted)
	if v.Hold && p.Status == payment.StatusAccepted {
		v.HeldUntil = p.AcceptedAt.Add(p.Order.Terms.HeldFor())
	}
	if p.Price != (money.Price{}) {
		price := Price(p.Price)
		v.Price = &price
	}
	switch {
	case p.OnChain():
		l.onChain(&v, p)
	case p.Status == payment.StatusRequested && p.Invoice != "":
		v.Request = p.Invoice
		if !bip21.IsDust(p.Asked) {
			v.Address = l.address
		}
		v.URI = bip21.URI(v.Address, p.Asked, p.Invoice)
		v.CoveredBy = l.coveredBy(p)
	}
	return v
}

// coveredBy returns the payment on the chain that was credited last, if it was seen after an invoice was made.
func (l look) coveredBy(p *payment.State) string {
	if len(l.resource.Lots) == 0 {
		return ""
	}
	last := payment.Key(l.resource.Lots[len(l.resource.Lots)-1].Key)
	if !last.OnChain() {
		return ""
	}
	if paid, _, ok := l.Views.Payment(last); !ok || paid.Status != payment.StatusCredited || paid.Requested < p.Requested {
		return ""
	}
	return string(last)
}

// onChain adds what a payment on the chain has.
func (l look) onChain(v *wire.Payment, p *payment.State) {
	if txid, vout, ok := p.Key.Outpoint(); ok {
		v.TxID, v.Vout = txid, &vout
	}
	v.Address, v.Height, v.Block, v.Final = p.Address, p.Height, p.Block, p.Final
	if n, ok := confirmations(p, l.tip); ok {
		v.Confirmations = &n
	}
	switch p.Status {
	case payment.StatusSeen, payment.StatusConfirmed, payment.StatusSettled, payment.StatusReorged:
	default:
		return
	}
	if l.Required != nil {
		risk := l.risk
		if !p.AtRisk() { // it will be, with what is there by then
			risk = min(risk+p.Amount, money.MaxMsat)
		}
		v.Required = int64(l.Required(p, risk))
	}
	if s := l.resource.Status; s != resource.StatusNone && s != resource.StatusReleased && p.Meant == "" {
		v.ExpectedTime, _ = l.resource.Terms.Price.TimeFor(max(0, p.Amount-l.resource.Debt))
	}
}

// confirmations returns how many blocks stand on a payment, if that can be told. One
// that was just confirmed may be ahead of the tip that we know.
func confirmations(p *payment.State, tip int64) (n int64, ok bool) {
	switch {
	case p.Status == payment.StatusReplaced:
		return 0, false
	case p.Height == 0:
		return 0, true
	case tip == 0:
		return 0, false
	}
	return max(1, tip-p.Height+1), true
}
