package httpapi

import (
	"context"
	"net/http"
	"time"

	"sandglass/adapters/httpapi/wire"
	"sandglass/domain/billing"
	"sandglass/domain/instant"
	"sandglass/domain/resource"
	"sandglass/domain/stream"
	"sandglass/projections"
)

// ResourcePath names a resource. It is exported since huma looks into no other fields.
type ResourcePath struct {
	ID string `path:"id" maxLength:"64" doc:"The id of the resource." example:"web-1"`
}

// resources defines what can be seen of a resource, and what its holder can do.
func (d *definition) resources() {
	register(d, call{
		name: "get-resource", method: "GET", path: "/v1/resources/{id}", tag: "buy", summary: "A resource, now or as of an instant",
		doc: "Whoever knows the id of a resource can see it. There are no secrets in it.", refused: []int{404},
	}, d.s.resource)
	d.live()
	for _, c := range []struct {
		name, summary, doc string
		do                 command
	}{
		{"pause", "Stop the clock", "Its time runs no further until it is resumed.", d.s.Billing.Pause},
		{"resume", "Let a paused resource run again", "It needs time that is left.", d.s.Billing.Resume},
		{"release", "End a resource for good", "What it still holds is not paid out by this call. Money that comes later is unallocated.", nil},
	} {
		register(d, call{
			name: c.name, method: "POST", path: "/v1/resources/{id}/" + c.name, tag: "hold", who: holder, summary: c.summary,
			doc: c.doc + " Done again it changes nothing.", refused: []int{404, 409},
		}, d.s.hold(c.do))
	}
}

type resourceInput struct {
	ResourcePath
	AsOf string `query:"as_of" maxLength:"40" doc:"An instant that has passed, as RFC 3339: the resource as it stood then, by the events that took effect until then. Pending payments, the address and the link are not shown." example:"2026-01-02T03:04:05.678Z"`
}

func (s *Server) resource(ctx context.Context, in *resourceInput) (*answer[wire.Resource], error) {
	if err := s.folded(); err != nil {
		return nil, err
	}
	v, ok := s.present(in.ID)
	switch {
	case !ok:
		return nil, noResource(in.ID)
	case in.AsOf == "":
		return &answer[wire.Resource]{v}, nil
	}
	t, err := time.Parse(time.RFC3339, in.AsOf)
	at := instant.Of(t)
	if err != nil || at < instant.Min || at > s.Now() {
		return nil, newProblem(http.StatusUnprocessableEntity, "invalid_request", "as_of is %.40q: want an instant that has passed, such as %s", in.AsOf, v.Since)
	}
	state, err := projections.AsOf(ctx, s.Store, in.ID, at)
	if err != nil {
		return nil, err
	}
	if state.Status == resource.StatusNone {
		return nil, newProblem(http.StatusNotFound, "unknown_resource", "the resource %q was not opened by %s", in.ID, at)
	}
	then := resourceView(state, at)
	then.AsOf = at
	return &answer[wire.Resource]{then}, nil
}

func noResource(id string) *problem {
	return newProblem(http.StatusNotFound, "unknown_resource", "no resource %.80q: POST /v1/orders makes one", id)
}

// command is what a holder can do to a resource.
type command func(ctx context.Context, meta stream.Meta, id string) (resource.State, stream.Position, error)

// hold returns the handler of a command, of which nil is the release.
func (s *Server) hold(do command) func(context.Context, *ResourcePath) (*answer[wire.Resource], error) {
	return func(ctx context.Context, in *ResourcePath) (*answer[wire.Resource], error) {
		if err := s.folded(); err != nil {
			return nil, err
		}
		state, _, ok := s.Views.Resource(in.ID)
		if !ok {
			return nil, noResource(in.ID)
		}
		r := requestOf(ctx)
		actor := "operator"
		if !r.caller.operator {
			if !billing.Holds(state, r.caller.token) {
				return nil, wrongToken(holder)
			}
			actor = "holder"
		}
		if do == nil {
			return s.done(ctx, outcomeOf(s.Billing.Release(ctx, r.meta(actor), in.ID, actor)))
		}
		return s.done(ctx, outcomeOf(do(ctx, r.meta(actor), in.ID)))
	}
}

// outcome is what billing returns of a command on a resource.
type outcome struct {
	state resource.State
	pos   stream.Position
	err   error
}

func outcomeOf(state resource.State, pos stream.Position, err error) outcome {
	return outcome{state, pos, err}
}

// done returns the answer to a command that was durably done: reads show it from now on.
func (s *Server) done(ctx context.Context, o outcome) (*answer[wire.Resource], error) {
	if o.err != nil {
		return nil, o.err
	}
	return &answer[wire.Resource]{s.shown(ctx, o.pos, o.state)}, nil
}

// shown returns what the read models show of a resource once they hold what was written.
// It was done in any case: where they are late, it is what the command returned.
func (s *Server) shown(ctx context.Context, pos stream.Position, state resource.State) wire.Resource {
	if s.wait(ctx, pos) {
		if v, ok := s.present(state.ID); ok {
			return v
		}
	}
	return resourceView(state, s.Now())
}

// wait waits until the read models hold what was written, but not for long, and says
// whether they do.
func (s *Server) wait(ctx context.Context, pos stream.Position) bool {
	ctx, cancel := context.WithTimeout(ctx, s.Limits.Request/6)
	defer cancel()
	return s.Views.WaitFor(ctx, pos) == nil
}

// folded says that the read models show the past only, if they do.
func (s *Server) folded() error {
	select {
	case <-s.Views.CaughtUp():
		return nil
	default:
		return newProblem(http.StatusServiceUnavailable, "starting", "the daemon has just started and is reading its log: try again in a moment").after(2 * time.Second)
	}
}
