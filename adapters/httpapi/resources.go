package httpapi

import (
	"context"
	"net/http"
	"time"

	"sandglass/adapters/httpapi/auth"
	"sandglass/adapters/httpapi/middleware"
	"sandglass/adapters/httpapi/openapi"
	"sandglass/adapters/httpapi/problem"
	"sandglass/adapters/httpapi/view"
	"sandglass/adapters/httpapi/wire"
	"sandglass/domain/billing/keys"
	"sandglass/domain/instant"
	"sandglass/domain/resource"
	"sandglass/domain/stream"
	"sandglass/projections"

	"github.com/danielgtaylor/huma/v2"
)

// ResourcePath names a resource. It is exported since huma looks into no other fields.
type ResourcePath struct {
	ID string `path:"id" maxLength:"64" doc:"The id of the resource." example:"web-1"`
}

// defineResources defines what can be seen of a resource, and what its holder can do.
func (s *Server) defineResources(a *openapi.API) {
	openapi.Register(a, openapi.Operation{
		Name: "get-resource", Method: "GET", Path: "/v1/resources/{id}", Tag: "buy", Summary: "A resource, now or as of an instant",
		Doc: "Whoever knows the id of a resource can see it. There are no secrets in it.", Refused: []int{404},
	}, s.resource)
	s.defineLive(a)
	for _, c := range []struct {
		name, summary, doc string
		do                 command
	}{
		{
			"pause", "Stop the clock",
			"Its time runs no further until it is resumed. What was resumed runs for a minute first: until then it is `too_soon`. " +
				"While a payment of it is held, only the operator can: `held`.",
			s.Billing.Pause,
		},
		{"resume", "Let a paused resource run again", "It needs time that is left.", s.Billing.Resume},
		{
			"release", "End a resource for good",
			"What it still holds is not paid out by this call. Money that comes later is unallocated. While a payment of it is " +
				"held until it is up, only the operator can: `held`.", s.release,
		},
	} {
		openapi.Register(a, openapi.Operation{
			Name: c.name, Method: "POST", Path: "/v1/resources/{id}/" + c.name, Tag: "hold", Who: auth.Holder,
			Summary: c.summary,
			Doc:     c.doc + " Done again it changes nothing.",
			Refused: []int{404, 409},
		}, s.hold(c.do))
	}
}

type resourceInput struct {
	ResourcePath
	AsOf pastInstant `query:"as_of" maxLength:"40" example:"2026-01-02T03:04:05.678Z"`
}

type pastInstant string

// Schema implements [huma.SchemaProvider].
func (pastInstant) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{
		Type: huma.TypeString,
		Description: "An instant that has passed, as RFC 3339: the resource as it stood then, by the events that took " +
			"effect until then. Pending payments, the address and the link are not shown.",
	}
}

func (s *Server) resource(ctx context.Context, in *resourceInput) (*answer[wire.Resource], error) {
	if err := s.folded(); err != nil {
		return nil, err
	}
	v, ok := s.presenter.Resource(resource.ID(in.ID))
	switch {
	case !ok:
		return nil, noResource(in.ID)
	case in.AsOf == "":
		return &answer[wire.Resource]{v}, nil
	}
	t, err := time.Parse(time.RFC3339, string(in.AsOf))
	at := instant.Of(t)
	if err != nil || at < instant.Min || at > s.Now() {
		return nil, problem.New(http.StatusUnprocessableEntity, "invalid_request",
			"as_of is %.40q: want an instant that has passed, such as %s", in.AsOf, v.Since)
	}
	state, err := projections.AsOf(ctx, s.Store, resource.ID(in.ID), at)
	if err != nil {
		return nil, err
	}
	if state.Status == resource.StatusNone {
		return nil, problem.New(http.StatusNotFound, "unknown_resource", "the resource %q was not opened by %s", in.ID, at)
	}
	then := view.Resource(state, at)
	then.AsOf = at
	return &answer[wire.Resource]{then}, nil
}

func noResource(id string) *problem.Problem {
	return problem.New(http.StatusNotFound, "unknown_resource", "no resource %.80q: POST /v1/orders makes one", id)
}

// command is what a holder can do to a resource, or the operator: the actor of meta.
type command func(ctx context.Context, meta stream.Meta, id resource.ID) (resource.Outcome, error)

// hold returns the handler of a command.
func (s *Server) hold(do command) func(context.Context, *ResourcePath) (*answer[wire.Resource], error) {
	return func(ctx context.Context, in *ResourcePath) (*answer[wire.Resource], error) {
		if err := s.folded(); err != nil {
			return nil, err
		}
		id := resource.ID(in.ID)
		state, ok := s.Billing.Resource(id)
		if !ok {
			return nil, noResource(in.ID)
		}
		r := middleware.RequestOf(ctx)
		actor := "operator"
		if !r.Caller.Operator {
			if !keys.Holds(state, r.Caller.Token) {
				return nil, auth.WrongToken(auth.Holder)
			}
			actor = "holder"
		}
		out, err := do(ctx, r.Meta(actor), id)
		return s.done(ctx, out, err)
	}
}

// release ends a resource. The reason is who asked for it.
func (s *Server) release(ctx context.Context, meta stream.Meta, id resource.ID) (resource.Outcome, error) {
	return s.Billing.Release(ctx, meta, id, resource.Reason(meta.Actor))
}

// done returns the answer to a command that was durably done: reads show it from now on.
func (s *Server) done(ctx context.Context, out resource.Outcome, err error) (*answer[wire.Resource], error) {
	shown, err := s.doneAs(ctx, out, err)
	if err != nil {
		return nil, err
	}
	return &answer[wire.Resource]{shown}, nil
}

func (s *Server) doneAs(ctx context.Context, out resource.Outcome, err error) (wire.Resource, error) {
	if err != nil {
		return wire.Resource{}, err
	}
	return s.shown(ctx, out.Position, out.State), nil
}

// shown returns what the read models show of a resource once they hold what was written.
// It was done in any case: where they are late, it is what the command returned.
func (s *Server) shown(ctx context.Context, pos stream.Position, state resource.State) wire.Resource {
	if s.wait(ctx, pos) {
		if v, ok := s.presenter.Resource(state.ID); ok {
			return v
		}
	}
	return view.Resource(state, s.Now())
}

// wait waits until the read models hold what was written, but not for long, and reports
// whether they do.
func (s *Server) wait(ctx context.Context, pos stream.Position) bool {
	ctx, cancel := context.WithTimeout(ctx, s.Limits.Request/6)
	defer cancel()
	return s.Views.WaitFor(ctx, pos) == nil
}

// folded returns an error until the read models have caught up with the log.
func (s *Server) folded() error {
	select {
	case <-s.Views.CaughtUp():
	default:
		return starting()
	}
	select {
	case <-s.Billing.Requests.CaughtUp():
		return nil
	default:
		return starting()
	}
}

// readiness returns how the daemon is, in full.
func (s *Server) readiness() wire.Ready {
	var others []wire.Component
	if s.Components != nil {
		others = s.Components()
	}
	return s.presenter.Ready(s.folded() == nil, others)
}

func starting() *problem.Problem {
	return problem.New(http.StatusServiceUnavailable, "starting",
		"the daemon has just started and is reading its log: try again in a moment").After(2 * time.Second)
}
