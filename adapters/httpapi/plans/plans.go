// Package plans is the calls about what is on offer: anyone's, and the operator's.
package plans

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"sandglass/adapters/httpapi/auth"
	"sandglass/adapters/httpapi/middleware"
	"sandglass/adapters/httpapi/openapi"
	"sandglass/adapters/httpapi/problem"
	"sandglass/adapters/httpapi/view"
	"sandglass/adapters/httpapi/wire"
	"sandglass/domain/billing"
	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/plan"
	"sandglass/domain/plan/param"
	"sandglass/domain/resource"
	"sandglass/domain/stream"
	"sandglass/projections"
)

// Calls answers the calls. All fields are required.
type Calls struct {
	Billing   *billing.Service
	Views     *projections.Views
	Presenter *view.Presenter
	Folded    func() error                                      // says why the read models are not to be shown yet
	Wait      func(ctx context.Context, p stream.Position) bool // until they hold a position
}

type none struct{}

type answer[T any] struct{ Body T }

// Define defines the calls.
func (c *Calls) Define(a *openapi.API) {
	openapi.Register(a, openapi.Operation{
		Name: "list-plans", Method: "GET", Path: "/v1/plans", Tag: "buy", Summary: "What is on offer",
		Doc: "Lists the plans that are on offer, by name.",
	}, c.list)
	openapi.Register(a, openapi.Operation{
		Name: "get-plan", Method: "GET", Path: "/v1/plans/{name}", Tag: "buy", Summary: "A plan",
		Doc: "Also one that was withdrawn: `on_offer` is false then.", Refused: []int{404},
	}, c.get)
	openapi.Register(a, openapi.Operation{
		Name: "quote", Method: "GET", Path: "/v1/quotes", Tag: "buy", Summary: "What a time costs, or an amount buys",
		Doc: "Makes nothing. Give `time_ms` or `amount_msat`, one of them.", Refused: []int{404, 409},
	}, c.quote)
	openapi.Register(a, openapi.Operation{
		Name: "publish-plan", Method: "POST", Path: "/v1/plans", Tag: "operate", Who: auth.Operator,
		Summary: "Put a plan on offer, or change it",
		Doc: "What is changed holds for later orders: a resource keeps the terms that it was opened with. " +
			"The same again changes nothing.",
	}, c.publish)
	openapi.Register(a, openapi.Operation{
		Name: "withdraw-plan", Method: "DELETE", Path: "/v1/plans/{name}", Tag: "operate", Who: auth.Operator,
		Summary: "Take a plan off the offer",
		Doc:     "What was sold runs on, and can be paid for. Done again it changes nothing.",
		Refused: []int{404},
	}, c.withdraw)
}

func (c *Calls) list(context.Context, *none) (*answer[wire.Plans], error) {
	if err := c.Folded(); err != nil {
		return nil, err
	}
	out := answer[wire.Plans]{wire.Plans{Plans: []wire.Plan{}}}
	for _, p := range c.Views.Plans() {
		if p.OnOffer {
			out.Body.Plans = append(out.Body.Plans, c.Presenter.Plan(p))
		}
	}
	return &out, nil
}

func (c *Calls) get(_ context.Context, in *planPath) (*answer[wire.Plan], error) {
	if err := c.Folded(); err != nil {
		return nil, err
	}
	p, ok := c.Views.Plan(in.Name)
	if !ok {
		return nil, OfPlan(in.Name, plan.ErrUnknown)
	}
	return &answer[wire.Plan]{c.Presenter.Plan(p)}, nil
}

type quoteInput struct {
	Plan   string         `query:"plan" required:"true" maxLength:"64" doc:"A name from GET /v1/plans." example:"vm-small"`
	Time   instant.Millis `query:"time_ms" minimum:"1" maximum:"7889400000000" doc:"The time to buy, in milliseconds." example:"86400000"`
	Amount money.Msat     `query:"amount_msat" minimum:"1" maximum:"2100000000000000000" doc:"The amount to pay, in millisatoshi."`
}

func (c *Calls) quote(_ context.Context, in *quoteInput) (*answer[wire.Quote], error) {
	if err := c.Folded(); err != nil {
		return nil, err
	}
	q, err := c.Billing.Quote(in.Plan, in.Time, in.Amount)
	if err != nil {
		return nil, OfPlan(in.Plan, err)
	}
	p, _ := c.Views.Plan(in.Plan)
	return &answer[wire.Quote]{wire.Quote{
		Plan: q.Plan, Price: view.Price(q.Price), Amount: q.Amount, Time: q.Time, Available: c.Presenter.Available(&p),
	}}, nil
}

// OfPlan returns err, with the name of the plan if it is the plan that is wrong.
func OfPlan(name string, err error) error {
	switch {
	case errors.Is(err, plan.ErrUnknown):
		return problem.New(http.StatusNotFound, "unknown_plan",
			"no plan %.80q: GET /v1/plans lists what is on offer", name)
	case errors.Is(err, plan.ErrWithdrawn):
		return problem.New(http.StatusConflict, "withdrawn_plan",
			"the plan %.80q is withdrawn: GET /v1/plans lists what is on offer", name)
	}
	return err
}

func (c *Calls) publish(ctx context.Context, in *answer[wire.PublishRequest]) (*answer[wire.Plan], error) {
	b := in.Body
	o := plan.Offer{
		Terms: resource.Terms{
			Price: money.Price{Msat: b.Price.Msat, Per: b.Price.Per}, Grace: b.Grace,
			Uptime: b.Bill == "uptime", Hold: b.Hold, StartWithin: b.StartWithin, MaxOutage: b.MaxOutage, MaxPause: b.MaxPause,
		},
		Min: b.Min, Max: b.Max, Enforcer: b.Enforcer, Title: b.Title, Hosts: plan.HostsOf(b.Hosts...), Capacity: b.Capacity,
	}
	declared, err := params(b.Params)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", plan.ErrInvalid, err)
	}
	o.Params = declared
	if w := b.Warn; w != nil {
		o.Terms.Warn = resource.Warn{Time: w.Time, Amount: w.Amount, Share: w.Share}
	}
	if d := b.Deep; d != nil {
		o.Large = plan.ConfirmationRule{Above: d.Above, Confirmations: d.Confirmations}
	}
	out, err := c.Billing.Publish(ctx, middleware.RequestOf(ctx).Meta("operator"), b.Name, o)
	if err != nil {
		return nil, err
	}
	c.Wait(ctx, out.Position)
	return &answer[wire.Plan]{c.Presenter.Plan(out.State)}, nil
}

// params returns what is declared.
func params(list []wire.Param) (param.Spec, error) {
	all := make([]param.Param, len(list))
	for i, p := range list {
		all[i] = param.Param{
			Name: p.Name, Required: p.Required, Max: p.Max, Lines: p.Lines, Choices: p.Choices, Default: p.Default,
		}
		if p.Max == 0 && len(p.Choices) == 0 {
			all[i].Max = param.DefaultMax
		}
		if err := all[i].Check(); err != nil { // before it is a text
			return "", err
		}
	}
	return param.SpecOf(all...), nil
}

type planPath struct {
	Name string `path:"name" maxLength:"64" doc:"The name of the plan." example:"vm-small"`
}

func (c *Calls) withdraw(ctx context.Context, in *planPath) (*answer[wire.Plan], error) {
	if plan.CheckName(in.Name) != nil { // else it would be no name of a stream
		return nil, OfPlan(in.Name, plan.ErrUnknown)
	}
	out, err := c.Billing.Withdraw(ctx, middleware.RequestOf(ctx).Meta("operator"), in.Name)
	if err != nil {
		return nil, OfPlan(in.Name, err)
	}
	c.Wait(ctx, out.Position)
	return &answer[wire.Plan]{c.Presenter.Plan(out.State)}, nil
}
