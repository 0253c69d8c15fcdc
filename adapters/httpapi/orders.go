package httpapi

import (
	"context"
	"fmt"
	"net/http"
	"net/url"

	"sandglass/adapters/httpapi/auth"
	"sandglass/adapters/httpapi/middleware"
	"sandglass/adapters/httpapi/openapi"
	"sandglass/adapters/httpapi/plans"
	"sandglass/adapters/httpapi/problem"
	"sandglass/adapters/httpapi/view"
	"sandglass/adapters/httpapi/wire"
	"sandglass/domain/billing"
	"sandglass/domain/billing/keys"
	"sandglass/domain/payment"
	"sandglass/domain/resource"

	"github.com/danielgtaylor/huma/v2"
)

// answer is the answer of a call that has a body and no more.
type answer[T any] struct{ Body T }

// defineOrders defines what anyone can buy.
func (s *Server) defineOrders(a *openapi.API) {
	openapi.Register(a, openapi.Operation{
		Name: "order", Method: "POST", Path: "/v1/orders", Tag: "buy", Summary: "Order a resource",
		Status: http.StatusCreated,
		Also:   map[int]string{200: "The same order as before."},
		Doc: "Makes an invoice for a resource that is opened by its payment: an order that nobody pays leaves nothing. " +
			"With `address=true` there is an address on the chain too, and `uri` has both. " +
			"Give `time_ms` or `amount_msat`, one of them.\n\n" +
			"The same `Idempotency-Key` with the same content gives the same order again, with status 200. " +
			"The same key or `id` with other content is refused with 409, and so is an `id` that the order of another key has.\n\n" +
			"Of a provider with several hosts `host` names one of the plan's; left out, one is chosen. An order with `params` is " +
			"taken by the daemon of its host alone, where they are kept.\n\n" +
			"Of a plan that has a capacity, the invoice of an order that nobody has paid may be canceled, after two minutes or sooner " +
			"if its network has ordered more, for an order of somebody else. Order again then.",
		Refused: []int{404, 409},
	}, s.order)
	openapi.Register(a, openapi.Operation{
		Name: "fund", Method: "POST", Path: "/v1/resources/{id}/payments", Tag: "buy", Summary: "An invoice that funds a resource",
		Status: http.StatusCreated,
		Doc: "Anyone can fund any resource, by the invoice or its address. " +
			"An open invoice of the same amount, if it can be paid for long enough, is given again. " +
			"Of many open ones the oldest is canceled for a newer one; with the holder key they are the holder's own, " +
			"which nobody else's request cancels.",
		Refused: []int{404, 409},
	}, s.fund)
	openapi.Register(a, openapi.Operation{
		Name: "address", Method: "POST", Path: "/v1/resources/{id}/address", Tag: "buy", Summary: "Its address on the chain",
		Doc: "Shows the resource or the order with an address, which is made when it is first asked for, and stays. " +
			"What it receives is credited once enough blocks stand on it, however late it comes.",
		Refused: []int{404, 409},
	}, s.address)
	openapi.Register(a, openapi.Operation{
		Name: "get-payment", Method: "GET", Path: "/v1/payments/{key}", Tag: "buy", Summary: "The life of a payment so far",
		Doc: "Whoever knows the key of a payment can see what became of it. The resource, and all that leads to it or depends on it, " +
			"is shown to those who know it: who name it in `resource`, have its holder key, or the operator's or auditor's token.",
		Refused: []int{404},
	}, s.payment)
}

type orderInput struct {
	Address bool           `query:"address" doc:"Whether an address on the chain is wanted at once, where the daemon takes payments there."`
	Key     idempotencyKey `header:"Idempotency-Key" minLength:"20" maxLength:"128" example:"0b6f9c1e-5d3a-4f6e-9b2a-7c8d9e0f1a2b"`
	Body    wire.OrderRequest
}

type idempotencyKey string

// Schema implements [huma.SchemaProvider].
func (idempotencyKey) Schema(huma.Registry) *huma.Schema {
	const rule = "20 to 128 printable ASCII characters without spaces"
	return &huma.Schema{
		Type:               huma.TypeString,
		Pattern:            "^[!-~]+$",
		PatternDescription: rule,
		Description: "A random secret, such as a UUID of version 4: " + rule + ". " +
			"The order can then be sent again without being made twice. " +
			"The holder key and, if none is given, the id follow from it: " +
			"who knows it holds the resource, so it must be random and kept secret. It is not stored.",
	}
}

type orderOutput struct {
	Status   int
	Location string `header:"Location" doc:"Where the resource is."`
	Body     wire.Order
}

func (s *Server) order(ctx context.Context, in *orderInput) (*orderOutput, error) {
	if err := s.folded(); err != nil {
		return nil, err
	}
	o, err := s.Billing.Order(ctx, middleware.RequestOf(ctx).Meta("anyone"), billing.OrderRequest{
		Plan:           in.Body.Plan,
		Time:           in.Body.Time,
		Amount:         in.Body.Amount,
		ID:             resource.ID(in.Body.ID),
		Host:           in.Body.Host,
		IdempotencyKey: string(in.Key),
		Address:        in.Address,
		Params:         in.Body.Params,
	})
	if err != nil {
		return nil, plans.OfPlan(in.Body.Plan, err)
	}
	out := orderOutput{Status: http.StatusOK, Location: "/v1/resources/" + url.PathEscape(string(o.Resource.ID))}
	if o.New {
		out.Status = http.StatusCreated
	}
	out.Body = wire.Order{Resource: s.shown(ctx, 0, o.Resource), HolderKey: o.HolderKey}
	if o.Payment.Status != payment.StatusNone {
		p := s.presenter.Payment(o.Payment)
		out.Body.Payment = &p
	}
	return &out, nil
}

// address answers with a resource that has an address from now on.
func (s *Server) address(ctx context.Context, in *ResourcePath) (*answer[wire.Resource], error) {
	if err := s.folded(); err != nil {
		return nil, err
	}
	id := resource.ID(in.ID)
	if _, err := s.Billing.Address(ctx, middleware.RequestOf(ctx).Meta("anyone"), id); err != nil {
		return nil, err
	}
	state, _ := s.Billing.Resource(id)
	return &answer[wire.Resource]{s.shown(ctx, 0, state)}, nil
}

type fundInput struct {
	ResourcePath
	Body wire.FundRequest
}

// paymentOutput has the location of the payment, since one that is given again is not new.
type paymentOutput struct {
	Location string `header:"Location" doc:"Where the payment is."`
	Body     wire.Payment
}

func (s *Server) fund(ctx context.Context, in *fundInput) (*paymentOutput, error) {
	if err := s.folded(); err != nil {
		return nil, err
	}
	id := resource.ID(in.ID)
	state, _ := s.Billing.Resource(id)
	var p payment.State
	var err error
	switch byHolder := keys.Holds(state, middleware.RequestOf(ctx).Caller.Token); {
	case in.Body.Own:
		p, err = s.Billing.PayOwn(ctx, id, in.Body.Time, in.Body.Amount, byHolder)
	default:
		p, err = s.Billing.Pay(ctx, id, in.Body.Time, in.Body.Amount, byHolder)
	}
	if err != nil {
		return nil, err
	}
	at := "/v1/payments/" + url.PathEscape(string(p.Key)) + "?resource=" + url.QueryEscape(in.ID)
	return &paymentOutput{Location: at, Body: s.presenter.Payment(p)}, nil
}

// PaymentPath names a payment. It is exported for huma, as [ResourcePath] is.
type PaymentPath struct {
	Key string `path:"key" maxLength:"200" doc:"ln-<payment_hash>, amp-<set_id>, or btc-<txid>-<vout>." example:"ln-5f3d..."`
}

type paymentInput struct {
	PaymentPath
	Resource string `query:"resource" maxLength:"64" doc:"The id of its resource, of which more is shown then." example:"web-1"`
}

func (s *Server) payment(ctx context.Context, in *paymentInput) (*answer[wire.Payment], error) {
	state, err := s.Billing.Payment(ctx, payment.Key(in.Key))
	if err != nil {
		return nil, err
	}
	if state.Status == payment.StatusNone || in.Resource != "" && in.Resource != string(state.Resource) {
		return nil, problem.New(http.StatusNotFound, "unknown_payment", "no payment %.80q%s: a key is in the answer to an order, "+
			"and is ln- and the payment_hash, or btc-, the txid, - and the vout", in.Key, ofResource(in.Resource))
	}
	v := s.presenter.Payment(state)
	if in.Resource == "" && !s.knows(middleware.RequestOf(ctx).Caller, state.Resource) {
		v = view.Anonymous(v)
	}
	return &answer[wire.Payment]{v}, nil
}

func ofResource(id string) string {
	if id == "" {
		return ""
	}
	return fmt.Sprintf(" of the resource %.80q", id)
}

// knows reports whether a caller's token shows that it knows a resource.
func (s *Server) knows(c auth.Caller, id resource.ID) bool {
	if c.Auditor || c.Token == "" {
		return c.Auditor
	}
	state, _, ok := s.Views.Resource(id)
	return ok && keys.Holds(state, c.Token)
}
