// Package history is the call that tells what happened to a resource, one change after the other.
//
// It tells what [wire.Resource] shows, with the instants of it: no secrets, and nothing of who asked.
package history

import (
	"context"
	"fmt"
	"net/http"

	"sandglass/adapters/httpapi/openapi"
	"sandglass/adapters/httpapi/problem"
	"sandglass/adapters/httpapi/view"
	"sandglass/adapters/httpapi/wire"
	"sandglass/domain/billing"
	"sandglass/domain/money"
	"sandglass/domain/resource"
	"sandglass/domain/stream"
)

// Calls answers the call. All fields are required.
type Calls struct {
	Billing *billing.Service
	Store   stream.EventStore
	Folded  func() error                                      // says why the read models are not to be shown yet
	Wait    func(ctx context.Context, p stream.Position) bool // until they hold a position
}

// Define defines the call.
func (c *Calls) Define(a *openapi.API) {
	openapi.Register(a, openapi.Operation{
		Name: "get-history", Method: "GET", Path: "/v1/resources/{id}/history", Tag: "buy", Summary: "What happened to a resource",
		Doc: fmt.Sprintf("The newest %d changes, oldest first; with `payment` those that a payment made. "+
			"That its time was used is none. Of an order that nobody has paid there are none.", Most),
		Refused: []int{404},
	}, c.history)
}

// Most is how many changes are told at most.
const Most = 100

type input struct {
	ID      string `path:"id" maxLength:"64" doc:"The id of the resource." example:"web-1"`
	Payment string `query:"payment" maxLength:"200" doc:"The key of a payment, or nothing." example:"ln-5f3d..."`
}

type output struct{ Body wire.History }

func (c *Calls) history(ctx context.Context, in *input) (*output, error) {
	if err := c.Folded(); err != nil {
		return nil, err
	}
	id := resource.ID(in.ID)
	if _, ok := c.Billing.Resource(id); !ok {
		return nil, problem.New(http.StatusNotFound, "unknown_resource", "no resource %.80q: POST /v1/orders makes one", in.ID)
	}
	out := output{wire.History{Resource: in.ID, Changes: []wire.Change{}}}
	var last stream.Position
	for rec, err := range c.Store.Read(ctx, resource.Prefix+in.ID, 0) {
		if err != nil {
			return nil, fmt.Errorf("httpapi: reading %s%s: %w", resource.Prefix, in.ID, err)
		}
		last = rec.Position
		e, err := resource.Decode(&rec)
		if err != nil {
			return nil, fmt.Errorf("httpapi: %s revision %d: %w", rec.Stream, rec.Revision, err)
		}
		v, ok := change(e)
		if !ok || in.Payment != "" && v.Payment != in.Payment {
			continue
		}
		v.Revision, v.At = int64(rec.Revision), rec.At
		if out.Body.Changes = append(out.Body.Changes, v); len(out.Body.Changes) == 2*Most {
			out.Body.Changes = append(out.Body.Changes[:0], out.Body.Changes[Most:]...)
			out.Body.Older = true
		}
	}
	if n := len(out.Body.Changes) - Most; n > 0 {
		out.Body.Changes, out.Body.Older = out.Body.Changes[n:], true
	}
	c.Wait(ctx, last) // whoever looks at the resource next sees no less than this tells
	return &out, ctx.Err()
}

// change shows an event, if there is something to it besides time that passed.
func change(e resource.Event) (wire.Change, bool) {
	switch e := e.(type) {
	case *resource.Opened:
		return wire.Change{What: "opened", Plan: e.Plan, Price: price(e.Terms.Price)}, true
	case *resource.Credited:
		return wire.Change{
			What: "credited", Payment: e.Payment, Amount: e.Amount, Time: e.Time, Price: price(e.Price),
			DebtPaid: e.DebtPaid, Above: e.Above, AbovePrice: price(e.AbovePrice),
		}, true
	case *resource.Granted:
		return wire.Change{What: "granted", Grant: e.Key, Time: e.Time}, true
	case *resource.Returned:
		return wire.Change{What: "returned", Amount: e.Amount, Time: e.Time}, true
	case *resource.Reversed:
		return wire.Change{What: "reversed", Payment: e.Payment, Amount: e.Amount, Time: e.Time, Reason: string(e.Reason)}, true
	case *resource.Repriced:
		return wire.Change{What: "repriced", Price: price(e.Price)}, true
	case *resource.Placed:
		return wire.Change{What: "placed", Host: e.Host}, true
	}
	return turn(e)
}

// turn shows an event by which a resource is in another state.
func turn(e resource.Event) (wire.Change, bool) {
	switch e := e.(type) {
	case *resource.Starting:
		return wire.Change{What: "starting", Reason: string(e.Reason)}, true
	case *resource.Started:
		return wire.Change{What: "started", Reason: string(e.Reason)}, true
	case *resource.Stopped:
		return wire.Change{What: "stopped"}, true
	case *resource.Paused:
		return wire.Change{What: "paused"}, true
	case *resource.Warned:
		return wire.Change{What: "warned"}, true
	case *resource.Recovered:
		return wire.Change{What: "recovered"}, true
	case *resource.Exhausted:
		return wire.Change{What: "exhausted"}, true
	case *resource.Configured:
		return wire.Change{What: "configured"}, true
	case *resource.Released:
		return wire.Change{What: "released", Reason: string(e.Reason)}, true
	}
	return wire.Change{}, false // debited and held: what is used, and what is on its way, is shown by the resource
}

func price(p money.Price) *wire.Price {
	if p == (money.Price{}) {
		return nil
	}
	v := view.Price(p)
	return &v
}
