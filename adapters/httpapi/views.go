package httpapi

import (
	"sandglass/adapters/httpapi/wire"
	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/plan"
	"sandglass/domain/resource"
	"sandglass/projections"
)

func priceView(p money.Price) wire.Price { return wire.Price{Msat: p.Msat, Per: p.Per} }

func planView(s plan.State) wire.Plan {
	v := wire.Plan{
		Name: s.Name, Title: s.Title, OnOffer: s.OnOffer, Price: priceView(s.Terms.Price), Min: s.Min, Max: s.Max,
		Grace: s.Terms.Grace, Enforcer: s.Enforcer, Hosts: s.Hosts.Names(), ChangedAt: s.Last,
	}
	if w := s.Terms.Warn; w != (resource.Warn{}) {
		v.Warn = &wire.Warn{Time: w.Time, Amount: w.Amount, Share: w.Share}
	}
	if d := s.Large; d.Confirmations > 0 {
		v.Deep = &wire.Deep{Above: d.Above, Confirmations: d.Confirmations}
	}
	return v
}

// resourceView shows a resource as it stands at an instant. s is changed.
func resourceView(s resource.State, at instant.Time) wire.Resource {
	v := wire.Resource{
		ID: string(s.ID), Plan: s.Plan, Host: s.Host, Status: s.Status.String(), Since: s.Since, At: at, Remaining: s.Remaining(at),
		Warned: s.Warned, Price: priceView(s.Terms.Price), Grace: s.Terms.Grace, Debt: s.Debt, Credited: s.Credited,
		Lots: make([]wire.Lot, len(s.Lots)), Pending: []wire.Payment{},
	}
	v.PaidUntil, _ = projections.PaidUntil(&s)
	if s.Status == resource.StatusAwaiting || s.Status == resource.StatusSuspended {
		v.ReleaseAt, _ = s.Deadline(0)
		if held := s.HeldUntil(); held > at {
			v.HeldUntil = held
		}
	}
	// The use since the last debit is drawn as the next debit will draw it, so that the
	// lots add up to what remains.
	if used := s.Remaining(s.DebitedTo) - v.Remaining; used > 0 {
		s = resource.Evolve(s, &resource.Debited{At: resource.At{At: at}, From: s.DebitedTo, Time: used})
	}
	for i := range s.Lots {
		v.Lots[i] = lotView(&s.Lots[i], i >= int(s.First))
	}
	return v
}

// lotView shows a lot; open says that it is not drawn to its end.
func lotView(l *resource.Lot, open bool) wire.Lot {
	v := wire.Lot{Amount: l.Amount, Time: l.Time, Left: l.Left()}
	if l.Grant() {
		v.Grant = l.Key
	} else {
		v.Payment = l.Key
	}
	switch {
	case open && l.Time > 0:
		v.Held = l.Amount - money.Share(l.Amount, l.Used, l.Time)
	case open:
		v.Held = l.Amount
	}
	return v
}
