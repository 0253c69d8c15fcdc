// Package wallets is the operator's calls about the nodes whose wallets the log tells of.
package wallets

import (
	"context"

	"sandglass/adapters/httpapi/auth"
	"sandglass/adapters/httpapi/middleware"
	"sandglass/adapters/httpapi/openapi"
	"sandglass/adapters/httpapi/wire"
	"sandglass/domain/billing"
	"sandglass/domain/stream"
	"sandglass/domain/wallet"
	"sandglass/projections"
)

// Calls answers the calls. All fields are required.
type Calls struct {
	Billing *billing.Service
	Views   *projections.Views
	Folded  func() error                                      // says why the read models are not to be shown yet
	Wait    func(ctx context.Context, p stream.Position) bool // until they hold a position
}

// Define defines the calls.
func (c *Calls) Define(a *openapi.API) {
	openapi.Register(a, openapi.Operation{
		Name: "list-wallets", Method: "GET", Path: "/v1/wallets", Tag: "operate", Who: auth.Operator,
		Summary: "The nodes that were ever watched, and up to when all that came there is known",
		Doc: "What has no time left is released once all is known that came before its grace ended, at each wallet that " +
			"is not retired.",
	}, c.list)
	openapi.Register(a, openapi.Operation{
		Name: "retire-wallet", Method: "POST", Path: "/v1/wallets/{node}/retire", Tag: "operate", Who: auth.Operator,
		Summary: "Say that a node is gone for good",
		Doc: "Releases wait for it no more: who pays an invoice or an address of it that is still open is not seen, and may " +
			"be released. The wallet that this daemon serves is refused with 409. Done again it changes nothing. When a daemon " +
			"watches the node again, it counts again.",
		Refused: []int{404, 409},
	}, c.retire)
}

type none struct{}

type answer[T any] struct{ Body T }

func (c *Calls) list(context.Context, *none) (*answer[wire.Wallets], error) {
	if err := c.Folded(); err != nil {
		return nil, err
	}
	all := c.Views.Wallets()
	out := wire.Wallets{Wallets: make([]wire.Wallet, len(all))}
	for i := range all {
		out.Wallets[i] = c.view(&all[i])
	}
	return &answer[wire.Wallets]{out}, nil
}

type nodePath struct {
	Node string `path:"node" maxLength:"66" doc:"The identity_pubkey of the node." example:"02a1633cafcc01ebfb6d78e39f687a1f0995c62fc95f51ead10a02ee0be551b5dc"`
}

func (c *Calls) retire(ctx context.Context, in *nodePath) (*answer[wire.Wallet], error) {
	if err := c.Folded(); err != nil {
		return nil, err
	}
	known := false // else it may be no name of a stream
	for _, w := range c.Views.Wallets() {
		known = known || w.Node == in.Node
	}
	if !known {
		return nil, wallet.ErrUnknown
	}
	invoices := c.Billing.Requests.PayableAt(in.Node) // none of them is waited for afterwards
	out, err := c.Billing.RetireWallet(ctx, middleware.RequestOf(ctx).Meta("operator"), in.Node)
	if err != nil {
		return nil, err
	}
	c.Wait(ctx, out.Position)
	shown := c.view(&out.State)
	shown.Invoices = max(shown.Invoices, invoices)
	return &answer[wire.Wallet]{shown}, nil
}

func (c *Calls) view(s *wallet.State) wire.Wallet {
	addresses := c.Views.AddressesOf(s.Node) + c.Billing.Requests.AddressesOf(s.Node)
	return wire.Wallet{
		Node: s.Node, Network: s.Network, Adopted: s.Since, Served: s.Node == c.Billing.Node(),
		Swept: s.SweptTo(addresses > 0), Retired: s.Retired,
		Invoices: c.Billing.Requests.PayableAt(s.Node), Addresses: addresses,
	}
}
