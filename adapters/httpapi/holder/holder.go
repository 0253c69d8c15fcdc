// Package holder is the calls of whoever holds a resource about what it is told, and how it is reached.
package holder

import (
	"context"
	"fmt"

	"sandglass/adapters/httpapi/auth"
	"sandglass/adapters/httpapi/middleware"
	"sandglass/adapters/httpapi/openapi"
	"sandglass/adapters/httpapi/wire"
	"sandglass/domain/billing"
	"sandglass/domain/billing/keys"
	"sandglass/domain/plan/param"
	"sandglass/domain/resource"
	"sandglass/domain/stream"
)

// Calls answers the calls. All fields but Access are required.
type Calls struct {
	Billing *billing.Service
	Folded  func() error // says why the read models are not to be shown yet
	// Done shows a resource once the read models hold what a command came to.
	Done func(ctx context.Context, out resource.Outcome, err error) (wire.Resource, error)
	// Access asks the keeper how a resource is reached; nil where there is none.
	Access func(context.Context, resource.ID) (string, error)
}

// Define defines the calls.
func (c *Calls) Define(a *openapi.API) {
	openapi.Register(a, openapi.Operation{
		Name: "set-params", Method: "PATCH", Path: "/v1/resources/{id}/params", Tag: "hold", Who: auth.Holder,
		Summary: "Set parameters of a resource",
		Doc: "Changes those that are named, as the plan declares them by now; an empty text takes one away. What runs is told " +
			"when it is started the next time. The log has a hash of them alone, and they can be set once a minute. Only the " +
			"daemon of its host takes them, and while a payment of it is held from the operator alone. The same again changes nothing.",
		Refused: []int{404, 409},
	}, c.set)
	openapi.Register(a, openapi.Operation{
		Name: "delete-params", Method: "DELETE", Path: "/v1/resources/{id}/params", Tag: "hold", Who: auth.Holder,
		Summary: "Delete the parameters of a resource",
		Doc: "What is kept of them is deleted. What runs was told them: what starts and stops it remembers them until it is " +
			"gone, or its host is booted. They are deleted at its release, too. While a payment of it is held only the operator can. " +
			"Done again it changes nothing.",
		Refused: []int{404, 409},
	}, c.clear)
	c.defineAccess(a)
}

type answer[T any] struct{ Body T }

// path names a resource.
type path struct {
	ID string `path:"id" maxLength:"64" doc:"The id of the resource." example:"web-1"`
}

// actor returns who holds a resource, holder or operator, or why it is not the caller.
func (c *Calls) actor(ctx context.Context, id resource.ID) (string, error) {
	if err := c.Folded(); err != nil {
		return "", err
	}
	caller := middleware.RequestOf(ctx).Caller
	state, ok := c.Billing.Resource(id)
	switch {
	case !ok:
		return "", resource.ErrNotOpened
	case caller.Operator:
		return "operator", nil
	case !keys.Holds(state, caller.Token):
		return "", auth.WrongToken(auth.Holder)
	}
	return "holder", nil
}

type setInput struct {
	ID   string `path:"id" maxLength:"64" doc:"The id of the resource." example:"web-1"`
	Body wire.Params
}

func (c *Calls) set(ctx context.Context, in *setInput) (*answer[wire.Resource], error) {
	return c.do(ctx, in.ID, func(meta stream.Meta, id resource.ID) (resource.Outcome, error) {
		return c.Billing.Params.Set(ctx, meta, id, param.Values(in.Body.Params))
	})
}

func (c *Calls) clear(ctx context.Context, in *path) (*answer[wire.Resource], error) {
	return c.do(ctx, in.ID, func(meta stream.Meta, id resource.ID) (resource.Outcome, error) {
		return c.Billing.Params.Delete(ctx, meta, id)
	})
}

// do has the holder do something that is settled first, which must not end the time of somebody whose
// payment is still to be found.
func (c *Calls) do(
	ctx context.Context, id string, do func(stream.Meta, resource.ID) (resource.Outcome, error),
) (*answer[wire.Resource], error) {
	actor, err := c.actor(ctx, resource.ID(id))
	if err == nil {
		err = c.Billing.Reading()
	}
	if err == nil && c.Billing.Params == nil {
		err = fmt.Errorf("%w: no parameters are kept here", billing.ErrInvalid)
	}
	if err != nil {
		return nil, err
	}
	out, err := do(middleware.RequestOf(ctx).Meta(actor), resource.ID(id))
	shown, err := c.Done(ctx, out, err)
	if err != nil {
		return nil, err
	}
	return &answer[wire.Resource]{shown}, nil
}
