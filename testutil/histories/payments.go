package histories

import (
	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/payment"
	"sandglass/domain/resource"
)

// request makes an invoice for a resource.
func (w *World) request() {
	r := pick(w, w.resources)
	if r.state.Status == resource.StatusReleased && w.chance(80) {
		return
	}
	p := newActor(&w.kinds.payment, w.key())
	price := r.state.Terms.Price
	asked, err := price.CostOf(instant.Millis(1 + w.rng.Int64N(int64(3*instant.Day))))
	if err != nil {
		asked = money.BTC
	}
	must(p.do(w, payment.Request{Requested: payment.Requested{
		At: payment.At{At: w.Now}, Resource: r.id, Amount: asked, Price: price,
		Expiry: w.Now.Add(instant.Hour), Invoice: "lnbcrt1" + p.id[3:],
	}}))
	w.payments = append(w.payments, p)
	if w.chance(60) {
		w.settle(p)
	}
}

// settle lets the money arrive: what was asked for, or less, or more.
func (w *World) settle(p *aPayment) {
	amount := max(1, p.state.Asked)
	if w.chance(20) {
		amount = 1 + money.Msat(w.rng.Int64N(int64(2*amount)))
	}
	w.made++
	must(p.do(w, payment.Settle{Settled: payment.Settled{
		At: payment.At{At: w.Now}, Amount: min(amount, 100*money.BTC), Via: "bolt11", Node: "02aa", Index: int64(w.made),
	}}))
	if w.chance(80) { // else the daemon dies before
		w.finish(p)
	}
}

// keysend lets money arrive that nobody asked for.
func (w *World) keysend() {
	p := newActor(&w.kinds.payment, w.key())
	to := ""
	switch {
	case w.chance(60):
		to = pick(w, w.resources).id
	case w.chance(50):
		to = "nobody"
	}
	must(p.do(w, payment.Settle{Settled: payment.Settled{
		At: payment.At{At: w.Now}, Amount: 1 + money.Msat(w.rng.Int64N(1e9)), Via: "keysend", Node: "02aa", Resource: to,
	}}))
	w.payments = append(w.payments, p)
	if w.chance(80) {
		w.finish(p)
	}
}

// pay carries on one of the payments that were made, from where it stands.
func (w *World) pay() {
	if len(w.payments) == 0 {
		return
	}
	i := w.rng.IntN(len(w.payments))
	p := w.payments[i]
	switch p.state.Status {
	case payment.StatusRequested:
		if w.chance(50) {
			must(p.do(w, payment.Expire{Expired: payment.Expired{At: payment.At{At: w.Now}, Reason: "canceled"}}))
			return
		}
		w.settle(p)
	case payment.StatusExpired:
		if w.chance(20) {
			w.settle(p)
		}
	case payment.StatusSettled:
		w.finish(p)
	case payment.StatusUnallocated:
		if w.chance(80) {
			return
		}
		must(p.do(w, payment.Allocate{Allocated: payment.Allocated{At: payment.At{At: w.Now}, Resource: pick(w, w.resources).id}}))
	case payment.StatusSeen, payment.StatusConfirmed, payment.StatusReorged, payment.StatusReplaced:
		w.mine(p)
	case payment.StatusCredited:
		if p.state.OnChain() && !p.state.Final {
			w.deepen(p)
			return
		}
		w.payments[i] = w.payments[len(w.payments)-1]
		w.payments = w.payments[:len(w.payments)-1]
	}
}

// finish does what [payment.Booker] does, but for dying on the way.
func (w *World) finish(p *aPayment) {
	at := payment.At{At: w.Now}
	reason := w.credit(p)
	if reason != "" {
		must(p.do(w, payment.Unallocate{Unallocated: payment.Unallocated{At: at, Resource: p.state.Resource, Reason: reason}}))
		return
	}
	if w.chance(90) { // else the daemon dies before
		must(p.do(w, payment.Credit{Credited: payment.Credited{At: at, Resource: p.state.Resource}}))
	}
}

func (w *World) credit(p *aPayment) (reason string) {
	for _, r := range w.resources {
		if r.id != p.state.Resource {
			continue
		}
		err := r.do(w, resource.Credit{
			When: resource.When{At: w.Now, MaxGap: instant.Day}, Payment: p.id,
			Amount: p.state.Amount, Paid: p.state.Settled, Price: p.state.Price,
		})
		if refused(err) {
			return "released"
		}
		must(err)
		return ""
	}
	return "unknown_resource"
}
