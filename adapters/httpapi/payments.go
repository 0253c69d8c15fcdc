package httpapi

import (
	"sandglass/adapters/httpapi/bip21"
	"sandglass/adapters/httpapi/wire"
	"sandglass/domain/money"
	"sandglass/domain/payment"
	"sandglass/domain/resource"
)

// present shows a resource as it is now, or nothing of one that there is not.
func (s *Server) present(id resource.ID) (wire.Resource, bool) {
	position := s.Views.Position() // before the state, which then has it in it
	state, _, ok := s.Views.Resource(id)
	if !ok {
		return wire.Resource{}, false
	}
	v := resourceView(state, s.Now())
	v.Position = uint64(position)
	look := s.look(&state)
	v.Address, v.URI = look.address, bip21.URI(look.address, 0, "")
	for _, p := range s.Views.PaymentsOf(id) {
		if p.Status == payment.StatusCredited {
			continue // watched until it is final, and a lot for long
		}
		shown := look.payment(&p)
		v.Pending = append(v.Pending, shown)
		if shown.URI != "" && state.Status != resource.StatusReleased {
			v.URI = shown.URI // of the latest
		}
	}
	return v, true
}

// paymentView shows a payment as it is now.
func (s *Server) paymentView(p payment.State) wire.Payment {
	state, _, ok := s.Views.Resource(p.Resource)
	if !ok {
		state = resource.New(p.Resource)
	}
	return s.look(&state).payment(&p)
}

// tip returns the height of the chain, 0 if it is not known.
func (s *Server) tip() int64 {
	if s.Tip == nil {
		return 0
	}
	return s.Tip()
}

// look is what the views of a resource's payments take beside their own states.
type look struct {
	*Server
	resource *resource.State // of status none if there is no such one
	address  string          // empty once it is released: what came would find no home
	tip      int64
}

func (s *Server) look(r *resource.State) look {
	l := look{Server: s, resource: r, tip: s.tip()}
	if r.Status != resource.StatusReleased {
		l.address, _ = s.Views.AddressOf(r.ID)
	}
	return l
}

func (l look) payment(p *payment.State) wire.Payment {
	v := wire.Payment{
		Key: string(p.Key), Status: p.Status.String(), Resource: string(p.Resource), Asked: p.Asked, Amount: p.Amount,
		RequestedAt: p.Requested, ExpiresAt: p.Expiry, SettledAt: p.SettledAt,
		Via: string(p.Via), Reason: string(p.Reason), ChangedAt: p.Last,
	}
	if p.Price != (money.Price{}) {
		price := priceView(p.Price)
		v.Price = &price
	}
	switch {
	case p.OnChain():
		l.onChain(&v, p)
	case p.Status == payment.StatusRequested && p.Invoice != "":
		v.Request, v.Address, v.URI = p.Invoice, l.address, bip21.URI(l.address, p.Asked, p.Invoice)
	}
	return v
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
		v.Required = int64(l.Required(p.Resource, p.Amount))
	}
	if s := l.resource.Status; s != resource.StatusNone && s != resource.StatusReleased {
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
