// Package holding joins what makes invoices whose money is held, and what carries it to its end.
package holding

import (
	"slices"

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
	}), c.Wallet}
}
