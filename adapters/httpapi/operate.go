package httpapi

import (
	"cmp"
	"context"
	"slices"

	"sandglass/adapters/httpapi/auth"
	"sandglass/adapters/httpapi/middleware"
	"sandglass/adapters/httpapi/openapi"
	"sandglass/adapters/httpapi/view"
	"sandglass/adapters/httpapi/wire"
	"sandglass/domain/billing"
	"sandglass/domain/money"
	"sandglass/domain/payment"
	"sandglass/domain/plan"
	"sandglass/domain/resource"
)

// defineOperator defines what the operator can do.
func (s *Server) defineOperator(a *openapi.API) {
	openapi.Register(a, openapi.Operation{
		Name: "list-resources", Method: "GET", Path: "/v1/resources", Tag: "operate", Who: auth.Operator,
		Summary: "All resources, by id, page by page",
		Doc:     "Pending payments, addresses and links are not shown in a list.",
	}, s.listResources)
	openapi.Register(a, openapi.Operation{
		Name: "grant", Method: "POST", Path: "/v1/resources/{id}/grants", Tag: "operate", Who: auth.Operator,
		Summary: "Give time for nothing",
		Doc:     "Once for each key: the same again changes nothing, the same key with another time is refused with 409.",
		Refused: []int{404, 409},
	}, s.grant)
	openapi.Register(a, openapi.Operation{
		Name: "reprice", Method: "POST", Path: "/v1/resources/{id}/reprice", Tag: "operate", Who: auth.Operator,
		Summary: "Set the price of a resource's later payments",
		Doc:     "Time that was bought is kept, and an open invoice keeps its price until it expires.",
		Refused: []int{404, 409},
	}, s.reprice)
	openapi.Register(a, openapi.Operation{
		Name: "move", Method: "POST", Path: "/v1/resources/{id}/move", Tag: "operate", Who: auth.Operator,
		Summary: "Give a resource to another host",
		Doc: "From then on that host's daemon meters it. What was used until then is debited first. " +
			"Done again it changes nothing.",
		Refused: []int{404, 409},
	}, s.move)
	openapi.Register(a, openapi.Operation{
		Name: "list-unallocated", Method: "GET", Path: "/v1/unallocated", Tag: "operate", Who: auth.Operator,
		Summary: "Money that no resource has, by key, page by page",
		Doc:     "Payments that found no open resource, and why.",
	}, s.unallocated)
	openapi.Register(a, openapi.Operation{
		Name: "allocate", Method: "POST", Path: "/v1/unallocated/{key}/allocate", Tag: "operate", Who: auth.Operator,
		Summary: "Give unallocated money to a resource",
		Doc: "It buys time at the resource's price. One that is only ordered is opened by the order that the payment is for, " +
			"or by the one that is named: `which_order` says whose orders there are, where neither can be.",
		Refused: []int{404, 409},
	}, s.allocate)
	openapi.Register(a, openapi.Operation{
		Name: "adopt-address", Method: "POST", Path: "/v1/addresses/{address}/adopt", Tag: "operate", Who: auth.Operator,
		Summary: "Give an address of the wallet to a resource",
		Doc: "What it received is credited, and what it will receive: as if it had been issued for the resource, which a log that " +
			"was restored from a backup may not tell any more. Done again it changes nothing. The wallet is searched: that can " +
			"take some seconds.",
		Refused: []int{404, 409},
	}, s.adopt)
}

func price(p wire.Price) money.Price { return money.Price{Msat: p.Msat, Per: p.Per} }

// Page says which part of a list to show. It is exported for huma, as [ResourcePath] is.
type Page struct {
	After string `query:"after" maxLength:"200" doc:"Show what comes after this one: the next of the page before."`
	Limit int    `query:"limit" minimum:"1" maximum:"500" default:"100" doc:"So many at most."`
}

type listInput struct {
	Page
	Status   string `query:"status" enum:"awaiting,starting,running,paused,suspended,released" doc:"Only those of this status."`
	Host     string `query:"host" maxLength:"64" doc:"Only those of this host." example:"rack-1"`
	Unplaced bool   `query:"unplaced" doc:"Only those of no host."`
	Opened   bool   `query:"opened" doc:"Only those that are opened: no orders that nobody has paid yet."`
}

// takes reports whether a resource is asked for.
func (in *listInput) takes(r *resource.State) bool {
	return (in.Status == "" || r.Status.String() == in.Status) &&
		(in.Host == "" || r.Host == in.Host) &&
		(!in.Unplaced || r.Host == "")
}

func (s *Server) listResources(_ context.Context, in *listInput) (*answer[wire.Resources], error) {
	if err := s.folded(); err != nil {
		return nil, err
	}
	list := s.list(in)
	out := wire.Resources{Resources: make([]wire.Resource, len(list))}
	now := s.Now()
	for i, state := range list {
		out.Resources[i] = view.Resource(state, now)
	}
	if len(list) == in.Limit {
		out.Next = string(list[len(list)-1].ID)
	}
	return &answer[wire.Resources]{out}, nil
}

// list returns a page of the resources, with the orders that nobody has paid yet, by id.
func (s *Server) list(in *listInput) []resource.State {
	after := resource.ID(in.After)
	list := s.Views.Resources(after, in.Limit, in.takes)
	for n := len(list); !in.Opened && len(list)-n < in.Limit; {
		ids := s.Billing.Requests.Orders(after, in.Limit)
		if len(ids) == 0 {
			break
		}
		after = ids[len(ids)-1]
		for _, id := range ids {
			_, _, logged := s.Views.Resource(id)
			if _, ordered, ok := s.Billing.Requests.Order(id); ok && !logged && in.takes(&ordered) {
				list = append(list, ordered)
			}
		}
	}
	slices.SortFunc(list, func(a, b resource.State) int { return cmp.Compare(a.ID, b.ID) })
	return list[:min(len(list), in.Limit)]
}

type grantInput struct {
	ResourcePath
	Body wire.GrantRequest
}

func (s *Server) grant(ctx context.Context, in *grantInput) (*answer[wire.Resource], error) {
	b := in.Body
	out, err := s.Billing.Grant(ctx, middleware.RequestOf(ctx).Meta("operator"), resource.ID(in.ID), b.Key, b.Time, b.Reason)
	return s.opened(ctx, out, err)
}

type repriceInput struct {
	ResourcePath
	Body wire.RepriceRequest
}

func (s *Server) reprice(ctx context.Context, in *repriceInput) (*answer[wire.Resource], error) {
	out, err := s.Billing.Reprice(ctx, middleware.RequestOf(ctx).Meta("operator"), resource.ID(in.ID), price(in.Body.Price))
	return s.opened(ctx, out, err)
}

type moveInput struct {
	ResourcePath
	Body wire.MoveRequest
}

func (s *Server) move(ctx context.Context, in *moveInput) (*answer[wire.Resource], error) {
	out, err := s.Billing.Move(ctx, middleware.RequestOf(ctx).Meta("operator"), resource.ID(in.ID), in.Body.Host)
	return s.opened(ctx, out, err)
}

// opened is done for what may have opened an order, which is told.
func (s *Server) opened(
	ctx context.Context, out billing.Outcome[resource.State], err error,
) (*answer[wire.Resource], error) {
	a, err := s.done(ctx, out.Outcome, err)
	if err == nil {
		a.Body.Opened = view.Ordered(out.Opened)
	}
	return a, err
}

func (s *Server) unallocated(_ context.Context, in *Page) (*answer[wire.Payments], error) {
	if err := s.folded(); err != nil {
		return nil, err
	}
	list := s.Views.Unallocated(payment.Key(in.After), in.Limit)
	out := wire.Payments{Payments: make([]wire.Payment, len(list))}
	for i, p := range list {
		out.Payments[i] = s.presenter.Payment(p)
		out.Payments[i].Order = view.Ordered(s.Billing.OtherOrder(&p))
	}
	if len(list) == in.Limit {
		out.Next = string(list[len(list)-1].Key)
	}
	return &answer[wire.Payments]{out}, nil
}

type adoptInput struct {
	Address string `path:"address" maxLength:"100" doc:"The address." example:"bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"`
	Body    wire.AdoptRequest
}

func (s *Server) adopt(ctx context.Context, in *adoptInput) (*answer[wire.Address], error) {
	id := resource.ID(in.Body.Resource)
	if plan.CheckName(in.Body.Resource) != nil {
		return nil, noResource(in.Body.Resource)
	}
	a, err := s.Billing.Adopt(ctx, middleware.RequestOf(ctx).Meta("operator"), in.Address, id, in.Body.Lost)
	if err != nil {
		return nil, err
	}
	return &answer[wire.Address]{wire.Address{
		Address: a.State.Address, Resource: string(a.State.Resource), Height: a.State.Height, Node: a.State.Node,
		Opened: view.Ordered(a.Opened),
	}}, nil
}

type allocateInput struct {
	PaymentPath
	Body wire.AllocateRequest
}

func (s *Server) allocate(ctx context.Context, in *allocateInput) (*answer[wire.Payment], error) {
	key := payment.Key(in.Key)
	if !key.Valid() {
		return nil, payment.ErrUnknown
	}
	if plan.CheckName(in.Body.Resource) != nil {
		return nil, noResource(in.Body.Resource)
	}
	meta, to := middleware.RequestOf(ctx).Meta("operator"), resource.ID(in.Body.Resource)
	out, err := s.Billing.Allocate(ctx, meta, key, to, in.Body.Order)
	if err != nil {
		return nil, err
	}
	s.wait(ctx, out.Position)
	v := s.presenter.Payment(out.State)
	v.Opened = view.Ordered(out.Opened)
	return &answer[wire.Payment]{v}, nil
}
