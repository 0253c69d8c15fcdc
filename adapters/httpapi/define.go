package httpapi

import (
	"sandglass/adapters/httpapi/about"
	"sandglass/adapters/httpapi/history"
	"sandglass/adapters/httpapi/holder"
	"sandglass/adapters/httpapi/openapi"
	"sandglass/adapters/httpapi/plans"
	"sandglass/adapters/httpapi/receipts"
	"sandglass/adapters/httpapi/signed"
	"sandglass/adapters/httpapi/wallets"
	"sandglass/adapters/httpapi/wire"
)

// define registers every call.
func (s *Server) define() (err error) {
	a := openapi.New(s.mux, about.Document(s.PublicURL), openapi.Bounds{Body: s.Limits.Body, Request: s.Limits.Request})
	(&plans.Calls{Billing: s.Billing, Views: s.Views, Presenter: s.presenter, Folded: s.folded, Wait: s.wait}).Define(a)
	s.defineOrders(a)
	(&receipts.Calls{Billing: s.Billing, Issuer: s.Receipts, Knows: s.knows}).Define(a)
	s.defineResources(a)
	(&holder.Calls{Billing: s.Billing, Folded: s.folded, Done: s.doneAs, Access: s.Access}).Define(a)
	(&history.Calls{Billing: s.Billing, Store: s.Store, Folded: s.folded, Wait: s.wait}).Define(a)
	s.defineOperator(a)
	(&wallets.Calls{Billing: s.Billing, Views: s.Views, Folded: s.folded, Wait: s.wait}).Define(a)
	s.defineAudit(a)
	(&signed.Calls{Signer: s.Signer}).Define(a)
	s.daemon.Define(a)
	s.mux.Add(s.Mounts, a)
	s.traits = a.Traits()
	s.openapi, err = a.Document(wire.OfRequests)
	return err
}
