package httpapi

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"sandglass/adapters/httpapi/feed"
	"sandglass/adapters/httpapi/middleware"
	"sandglass/adapters/httpapi/openapi"
	"sandglass/adapters/httpapi/wire"
	"sandglass/domain/resource"

	"github.com/danielgtaylor/huma/v2"
)

// defineLive defines the stream of a resource's life.
func (s *Server) defineLive(a *openapi.API) {
	openapi.Register(a, openapi.Operation{
		Name: "live", Method: "GET", Path: "/v1/resources/{id}/live", Tag: "buy", Summary: "A resource's life, as server-sent events",
		Doc: "An event `resource` at once and then whenever the resource or a payment for it changes, " +
			"or soon after a pending payment has another confirmation; its data is the resource as GET /v1/resources/{id} shows it. " +
			"Changes that come fast may be shown as one. A comment comes every 15 s as a sign of life. " +
			"The stream ends once the resource is released; who comes back with the `Last-Event-ID` of that event is answered 204, " +
			"upon which a browser's EventSource stops.",
		Refused: []int{404},
		Also:    map[int]string{204: "The resource is released, which the client has seen."},
		Content: "text/event-stream",
		Example: "retry: 3000\nid: 42\nevent: resource\ndata: {\"id\":\"web-1\",\"status\":\"running\",…}\n\n: alive\n\n",
		Traits:  middleware.Traits{Stream: true},
	}, s.liveStream)
}

type liveInput struct {
	ResourcePath
	Last string `header:"Last-Event-ID" maxLength:"30" doc:"The id of the last event that the client has seen, as browsers send it."`
}

func (s *Server) liveStream(ctx context.Context, in *liveInput) (*huma.StreamResponse, error) {
	if err := s.folded(); err != nil {
		return nil, err
	}
	id := resource.ID(in.ID)
	v, ok := s.presenter.Resource(id)
	if !ok {
		return nil, noResource(in.ID)
	}
	if v.Status == released && strings.HasSuffix(in.Last, theEnd) {
		return &huma.StreamResponse{Body: func(c huma.Context) { c.SetStatus(http.StatusNoContent) }}, nil
	}
	done, p := s.admit(middleware.RequestOf(ctx))
	if p != nil {
		return nil, p
	}
	return feed.Answer(s.stopping, s.Limits.Write, "text/event-stream", done, func(ctx context.Context, w *feed.Writer) error {
		s.show(ctx, id, w)
		return nil
	}), nil
}

const (
	released = "released"
	theEnd   = "-end" // of the id of the event that shows it: who has another has not seen it
)

// show writes the resource and its changes, until it is released, ctx ends or the client
// is lost: none of these is an error.
func (s *Server) show(ctx context.Context, id resource.ID, w *feed.Writer) {
	changed, stop := s.Billing.Watch(id) // before the first look
	defer stop()
	alive := time.NewTicker(s.Limits.Heartbeat)
	defer alive.Stop()
	text := []byte("retry: 3000\n")
	for {
		tip := s.presenter.Height() // before the look, which then is as new
		v, ok := s.presenter.Resource(id)
		if !ok || w.Send(event(text, v)) != nil || v.Status == released {
			return
		}
		grown := func() bool { return anyMined(&v) && s.presenter.Height() != tip }
		if !idle(ctx, changed, alive.C, grown, w) {
			return
		}
		text = text[:0]
	}
}

// idle waits for a change, with signs of life, and reports whether there was one. What grown
// reports, which nobody announces, is a change that is looked for at each sign of life.
func idle(ctx context.Context, changed <-chan struct{}, alive <-chan time.Time, grown func() bool, w *feed.Writer) bool {
	for {
		select {
		case <-ctx.Done():
			return false
		case <-changed:
			return true
		case <-alive:
			if grown() {
				return true
			}
			if w.Send([]byte(": alive\n\n")) != nil {
				return false
			}
		}
	}
}

// anyMined reports whether a block of the chain changes what v shows: a pending payment lies
// in one.
func anyMined(v *wire.Resource) bool {
	return slices.ContainsFunc(v.Pending, func(p wire.Payment) bool { return p.Height > 0 })
}

// event appends an event that shows v.
func event(b []byte, v wire.Resource) []byte {
	data, _ := json.Marshal(v) // plain values, in one line
	b = strconv.AppendUint(append(b, "id: "...), v.Position, 10)
	if v.Status == released {
		b = append(b, theEnd...)
	}
	b = append(append(b, "\nevent: resource\ndata: "...), data...)
	return append(b, "\n\n"...)
}
