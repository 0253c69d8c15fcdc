package histories

import (
	"errors"
	"fmt"

	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/payment"
	"sandglass/domain/resource"
)

// deposit lets an output appear that pays the address of a resource.
func (w *World) deposit() {
	r := pick(w, w.resources)
	p := newActor(&w.kinds.payment, payment.ChainKey(w.hash(), uint32(w.rng.IntN(3))))
	must(p.do(w, payment.See{
		At: w.Now, Resource: r.id, Address: "bcrt1q" + string(r.id), Amount: money.Sat * money.Msat(1+w.rng.Int64N(1e7)),
	}))
	w.payments = append(w.payments, p)
}

// chain lets the chain move under one of the outputs that were seen.
func (w *World) chain() {
	for range 20 {
		if len(w.payments) == 0 {
			return
		}
		switch p := pick(w, w.payments); {
		case !p.state.OnChain() || p.state.Final:
		case p.state.Status == payment.StatusSettled:
			w.finish(p)
			return
		case p.state.Status == payment.StatusCredited || p.state.Status == payment.StatusUnallocated:
			w.deepen(p)
			return
		default:
			w.mine(p)
			return
		}
	}
}

// mine lets a block hold the output, deep enough or not yet, or lets it come to nothing.
func (w *World) mine(p *aPayment) {
	w.undo(p) // a daemon that died in a reorg goes on
	w.made++
	switch {
	case p.state.Status == payment.StatusConfirmed && w.chance(20):
		w.reorg(p)
	case p.state.Status == payment.StatusConfirmed:
		must(p.do(w, payment.Settle{At: w.Now, Amount: p.state.Amount, Via: payment.ViaOnChain, Node: "02aa"}))
		if w.chance(80) { // else the daemon dies before
			w.finish(p)
		}
	case p.state.Status != payment.StatusReplaced && w.chance(20):
		must(p.do(w, payment.Replace{At: w.Now, Reason: payment.ReasonConflict}))
	default:
		must(p.do(w, payment.Confirm{At: w.Now, Height: int64(w.made), Block: fmt.Sprintf("%064x", w.made)}))
	}
}

// deepen lets a credited output become final, or its block leave the chain.
func (w *World) deepen(p *aPayment) {
	if w.chance(50) {
		must(p.do(w, payment.Finalize{At: w.Now, Height: int64(w.made) + 100}))
		return
	}
	w.reorg(p)
}

func (w *World) reorg(p *aPayment) {
	must(p.do(w, payment.Reorg{At: w.Now, Block: p.state.Block}))
	if w.chance(80) { // else the daemon dies before
		w.undo(p)
	}
}

// undo takes back what a reorged payment has bought.
func (w *World) undo(p *aPayment) {
	if p.state.Status != payment.StatusReorged {
		return
	}
	for _, r := range w.resources {
		if r.id != p.state.Resource {
			continue
		}
		err := r.do(w, resource.Reverse{
			When:    resource.When{At: w.Now, MaxGap: instant.Day},
			Payment: string(p.id),
			Reason:  resource.ReasonReorged,
		})
		if !errors.Is(err, resource.ErrNoCredit) {
			must(err)
		}
	}
}
