// Package holding joins what makes invoices whose money is held, and what carries it to its end.
package holding

import (
	"slices"
	"strings"

	"sandglass/adapters/httpapi/wire"
	"sandglass/adapters/lnd"
	"sandglass/domain/lightning/hold"
	"sandglass/domain/payment"
	"sandglass/domain/request"
	"sandglass/domain/watch"
	"sandglass/projections"
)

// Config is what a [Holder] is made of. All are needed.
type Config struct {
	Wallet          *lnd.Client
	Node            func() string // identity_pubkey of the wallet
	Booker          *payment.Booker
	Requests        *request.Set
	Signer          request.Signer
	Views           *projections.Views
	Begun           <-chan struct{} // closed once the time is known
	Observer        watch.Observer
	AtOnce, PerHour int // see [hold.Config]
}

// Holder is the loop, and the wallet that makes what it holds.
type Holder struct {
	*hold.Loop
	*lnd.Client
	views *projections.Views
}

// New returns a holder, whose loop is to be run.
func New(c Config) *Holder {
	accepted := func() []payment.State {
		return slices.DeleteFunc(c.Views.OpenPayments(), func(p payment.State) bool { return p.Status != payment.StatusAccepted })
	}
	return &Holder{hold.New(hold.Config{
		Wallet: c.Wallet, Node: c.Node, Booker: c.Booker, Requests: c.Requests, Signer: c.Signer,
		Accepted: accepted, HeldSince: c.Views.HeldSince, Watch: c.Views.Watch,
		Ready:    []<-chan struct{}{c.Views.CaughtUp(), c.Requests.CaughtUp(), c.Begun},
		Observer: c.Observer, Now: c.Booker.Now, AtOnce: c.AtOnce, PerHour: c.PerHour,
	}), c.Wallet, c.Views}
}

// Advice says which rights the wallet's macaroons lack, while a plan whose payments are held is on offer, or one
// is held; it is empty if they lack none.
func (h *Holder) Advice() string {
	if !h.holds() {
		return ""
	}
	err := h.CanHold()
	if err == nil {
		return ""
	}
	return "payments can't be held, taken or given back, as plans of --hold need: " + strings.ReplaceAll(err.Error(), "\n", "; ")
}

// holds reports whether payments are held, or may come to be.
func (h *Holder) holds() bool {
	for _, p := range h.views.Plans() {
		if p.OnOffer && p.Terms.Hold {
			return true
		}
	}
	return len(h.Accepted()) > 0
}

// Health tells of [Holder.Advice], for /readyz: nothing where no payment is held. It does not keep this daemon
// from its other work.
func (h *Holder) Health() []wire.Component {
	if !h.holds() {
		return nil
	}
	c := wire.Component{Name: "holding", Ready: true, State: "able", Advice: h.Advice()}
	if c.Advice != "" {
		c.State = "unable"
	}
	return []wire.Component{c}
}
