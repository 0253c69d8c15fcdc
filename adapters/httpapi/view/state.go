// Package view shows states of the domain as the structs of package wire.
//
// [Resource], [Plan], [Price] and [Event] are pure: they show what they are handed. A
// [Presenter] adds what lies in other places and changes by itself: the payments that a
// resource waits for, its address, how many blocks stand on a payment.
//
// What is read from where, and who may see it, is left to the caller.
package view

import (
	"encoding/hex"

	"sandglass/adapters/httpapi/wire"
	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/opening"
	"sandglass/domain/plan"
	"sandglass/domain/request"
	"sandglass/domain/resource"
	"sandglass/domain/resource/config"
	"sandglass/domain/resource/lots"
	"sandglass/domain/stream"
	"sandglass/projections"
)

// Price shows a price.
func Price(p money.Price) wire.Price { return wire.Price{Msat: p.Msat, Per: p.Per} }

// Plan shows a plan.
func Plan(s plan.State) wire.Plan {
	v := wire.Plan{
		Name:      s.Name,
		Title:     s.Title,
		OnOffer:   s.OnOffer,
		Price:     Price(s.Terms.Price),
		Min:       s.Min,
		Max:       s.Max,
		Grace:     s.Terms.Grace,
		Enforcer:  s.Enforcer,
		Hosts:     s.Hosts.Names(),
		Capacity:  s.Capacity,
		ChangedAt: s.Last,

		Bill: bill(&s.Terms), StartWithin: s.Terms.StartWithin, MaxOutage: s.Terms.MaxOutage, MaxPause: s.Terms.MaxPause,
		Hold: s.Terms.Hold,
	}
	if w := s.Terms.Warn; w != (resource.Warn{}) {
		v.Warn = &wire.Warn{Time: w.Time, Amount: w.Amount, Share: w.Share}
	}
	for _, p := range s.Params.Params() {
		v.Params = append(v.Params, wire.Param{
			Name: p.Name, Required: p.Required, Max: p.Max, Lines: p.Lines, Choices: p.Choices, Default: p.Default,
		})
	}
	if d := s.Large; d.Confirmations > 0 {
		v.Deep = &wire.Deep{Above: d.Above, Confirmations: d.Confirmations}
	}
	return v
}

func bill(t *resource.Terms) string {
	if t.Uptime {
		return "uptime"
	}
	return "wall"
}

// uptime shows how a resource did by an instant, nil if it is not billed by its uptime.
func uptime(s *resource.State, at instant.Time) *wire.Uptime {
	if !s.Terms.Uptime || s.Uptime == nil {
		return nil
	}
	v := &wire.Uptime{Returned: s.Uptime.Returned}
	if by, ok := s.StartBy(); ok {
		v.StartBy = by
	}
	v.Outage, _ = s.Stood(at)
	return v
}

// Resource shows a resource as it stands at an instant. s is changed.
func Resource(s resource.State, at instant.Time) wire.Resource {
	v := wire.Resource{
		ID:        string(s.ID),
		Plan:      s.Plan,
		Host:      s.Host,
		Status:    s.Status.String(),
		Since:     s.Since,
		At:        at,
		Remaining: s.Remaining(at),
		Warned:    s.Warned,
		Price:     Price(s.Terms.Price),
		Grace:     s.Terms.Grace,
		Debt:      s.Debt,
		Credited:  s.Credited,
		Lots:      make([]wire.Lot, len(s.Lots)),
		Pending:   []wire.Payment{},
	}
	v.Uptime = uptime(&s, at)
	if hash := s.Config.Of(); hash != (config.Hash{}) {
		v.ParamsHash = hex.EncodeToString(hash[:])
	}
	var runs bool
	if v.PaidUntil, runs = projections.PaidUntil(&s); runs {
		v.WarnAt, _ = s.WarnsAt()
	}
	if end, ok := s.ReleaseAt(); ok && (s.Status != resource.StatusAwaiting || end > at) { // an order may be paid later too
		v.ReleaseAt = end
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
		v.Lots[i] = lot(&s.Lots[i], i >= int(s.First))
	}
	return v
}

// Ordered shows an order, nil where there is none.
func Ordered(r *request.Record) *wire.Ordered {
	if r == nil {
		return nil
	}
	return &wire.Ordered{Order: opening.NameOf(r.Order), Plan: r.Order.Plan, At: r.At}
}

// lot shows a lot; open tells of one that is not drawn to its end.
func lot(l *lots.Lot, open bool) wire.Lot {
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

// Event shows a record of the log.
func Event(r *stream.Record) wire.Event {
	return wire.Event{
		Position:   uint64(r.Position),
		Stream:     r.Stream,
		Revision:   int64(r.Revision),
		ID:         r.ID.String(),
		Type:       r.Type,
		At:         r.At,
		RecordedAt: r.RecordedAt,
		Data:       r.Data,
		Meta:       r.Meta,
	}
}
