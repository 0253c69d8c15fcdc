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
	p := newActor(&w.kinds.payment, payment.LightningKey(w.hash()))
	price := r.state.Terms.Price
	asked, err := price.CostOf(instant.Millis(1 + w.rng.Int64N(int64(3*instant.Day))))
	if err != nil {
		asked = money.BTC
	}
	must(p.do(w, payment.Request{
		At: w.Now, Resource: r.id, Amount: asked, Price: price,
		Expiry: w.Now.Add(instant.Hour), Invoice: "lnbcrt1" + string(p.id[3:]),
	}))
	w.payments = append(w.payments, p)
	if r.state.Terms.Hold && r.state.Status == resource.StatusAwaiting {
		w.accept(r, p)
		return
	}
	if w.chance(60) {
		w.settle(p)
	}
}

// accept lets the wallet hold the money of a resource's first payment, which is to come up before
// it is taken.
func (w *World) accept(r *aResource, p *aPayment) {
	must(p.do(w, payment.Accept{At: w.Now, Amount: p.state.Asked, Node: "02aa"}))
	if w.chance(20) { // the daemon dies before
		return
	}
	order := resource.Order{Plan: r.state.Plan, Terms: r.state.Terms, Holder: r.state.Holder, Request: r.state.Request}
	must(r.do(w, resource.Accept{When: resource.When{At: w.Now}, Order: order}))
}

// giveBack lets money that was held go back to its payer, and ends what it would have opened.
func (w *World) giveBack(p *aPayment) {
	for _, r := range w.resources {
		if r.id == p.state.Resource && r.state.Unpaid() {
			must(r.do(w, resource.Release{When: resource.When{At: w.Now}, Reason: resource.ReasonNotDelivered}))
		}
	}
	if w.chance(80) { // else the daemon dies before
		must(p.do(w, payment.Cancel{At: w.Now, Reason: payment.ReasonNotDelivered}))
	}
}

// settle lets the money arrive: what was asked for, or less, or more.
func (w *World) settle(p *aPayment) {
	amount := max(1, p.state.Asked)
	if w.chance(20) {
		amount = 1 + money.Msat(w.rng.Int64N(int64(2*amount)))
	}
	w.made++
	must(p.do(w, payment.Settle{
		At: w.Now, Amount: min(amount, 100*money.BTC), Via: payment.ViaBOLT11, Node: "02aa", Index: int64(w.made),
	}))
	if w.chance(80) { // else the daemon dies before
		w.finish(p)
	}
}

// keysend lets money arrive that nobody asked for.
func (w *World) keysend() {
	p := newActor(&w.kinds.payment, payment.LightningKey(w.hash()))
	to := resource.ID("")
	switch {
	case w.chance(60):
		to = pick(w, w.resources).id
	case w.chance(50):
		to = "nobody"
	}
	must(p.do(w, payment.Settle{
		At: w.Now, Amount: 1 + money.Msat(w.rng.Int64N(1e9)), Via: payment.ViaKeysend, Node: "02aa", Resource: to,
	}))
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
			must(p.do(w, payment.Expire{At: w.Now, Reason: payment.ReasonCanceled}))
			return
		}
		w.settle(p)
	case payment.StatusExpired:
		if w.chance(20) {
			w.settle(p)
		}
	case payment.StatusAccepted:
		if w.chance(50) {
			w.giveBack(p)
			return
		}
		w.settle(p)
	case payment.StatusSettled:
		w.finish(p)
	case payment.StatusUnallocated:
		if w.chance(80) {
			return
		}
		must(p.do(w, payment.Allocate{At: w.Now, Resource: pick(w, w.resources).id}))
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
	reason := w.credit(p)
	if reason != "" {
		must(p.do(w, payment.Unallocate{At: w.Now, Resource: p.state.Resource, Reason: reason}))
		return
	}
	if w.chance(90) { // else the daemon dies before
		must(p.do(w, payment.Credit{At: w.Now, Resource: p.state.Resource}))
	}
}

func (w *World) credit(p *aPayment) (reason payment.Reason) {
	for _, r := range w.resources {
		if r.id != p.state.Resource {
			continue
		}
		err := r.do(w, resource.Credit{
			When: resource.When{At: w.Now, MaxGap: instant.Day}, Payment: string(p.id),
			Amount: p.state.Amount, Paid: p.state.SettledAt, Price: p.state.Price, Quoted: p.state.Asked,
		})
		if refused(err) {
			return payment.ReasonReleased
		}
		must(err)
		return ""
	}
	return payment.ReasonUnknownResource
}
