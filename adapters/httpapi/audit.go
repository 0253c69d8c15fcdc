package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"reflect"

	"sandglass/adapters/httpapi/auth"
	"sandglass/adapters/httpapi/feed"
	"sandglass/adapters/httpapi/middleware"
	"sandglass/adapters/httpapi/openapi"
	"sandglass/adapters/httpapi/problem"
	"sandglass/adapters/httpapi/view"
	"sandglass/adapters/httpapi/wire"
	"sandglass/domain/stream"

	"github.com/danielgtaylor/huma/v2"
)

// defineAudit defines what the auditor can read.
func (s *Server) defineAudit(a *openapi.API) {
	openapi.Register(a, openapi.Operation{
		Name: "read-events", Method: "GET", Path: "/v1/events", Tag: "audit", Who: auth.Auditor,
		Summary: "The log, as lines of JSON",
		Doc: "Every record after a position, in the order of commits, one JSON object a line: the schema Event. " +
			"With `follow=true` it goes on with what is new, and does not end; " +
			"an empty line comes every 15 s, as a sign of life. " +
			"An answer that breaks off was broken off: go on from the last position that was read.",
		Content: "application/x-ndjson",
		Example: `{"position":1,"stream":"plan-vm-small","revision":0,"id":"6f2a5c1e-7a0b-5d3c-9e4f-0a1b2c3d4e5f",` +
			`"type":"plan.published.v1","at":"2026-01-02T03:04:05.678Z","recorded_at":"2026-01-02T03:04:05.690Z",` +
			`"data":{},"meta":{}}` + "\n",
		Traits: middleware.Traits{Stream: true},
	}, s.events)
	a.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[wire.Event](), true, "Event")
	openapi.Register(a, openapi.Operation{
		Name: "dump", Method: "GET", Path: "/v1/audit/dump", Tag: "audit", Who: auth.Auditor,
		Summary: "Every figure of the read models, as lines of JSON",
		Doc: "As they stand at one position of the log, to be compared with a replay of it. " +
			"One JSON object a line, sorted by its stream.",
		Content: "application/x-ndjson",
		Example: `{"stream":"$views","position":42}` + "\n",
		Traits:  middleware.Traits{Stream: true},
	}, s.dump)
}

type eventsInput struct {
	From   uint64 `query:"from" doc:"A position: show what comes after it. 0 is the beginning." example:"42"`
	Follow bool   `query:"follow" doc:"Go on with what is new."`
}

func (s *Server) events(ctx context.Context, in *eventsInput) (*huma.StreamResponse, error) {
	head, err := s.Store.Head(ctx)
	if err != nil {
		return nil, err
	}
	from := stream.Position(in.From)
	if from > head {
		return nil, problem.New(http.StatusUnprocessableEntity, "out_of_bounds",
			"the log ends at position %d: give one that is no greater as from", head)
	}
	return s.lines(func(ctx context.Context, w *feed.Writer) error {
		if from == head && !in.Follow {
			return nil
		}
		if err := w.Send(nil); err != nil { // so that the client knows that it is let in
			return nil
		}
		if in.Follow {
			defer w.Beat([]byte("\n"), s.Limits.Heartbeat)()
		}
		return s.follow(ctx, w, from, head, in.Follow)
	}), nil
}

// lines returns lines of JSON as an answer that lasts.
func (s *Server) lines(body func(context.Context, *feed.Writer) error) *huma.StreamResponse {
	return feed.Answer(s.stopping, s.Limits.Write, "application/x-ndjson", func() {}, body)
}

// follow writes the records after a position, up to the head or without end.
func (s *Server) follow(ctx context.Context, w *feed.Writer, from, head stream.Position, on bool) error {
	var b bytes.Buffer
	lines := json.NewEncoder(&b)
	lines.SetEscapeHTML(false)
	for run, err := range s.Store.Subscribe(ctx, from) {
		if ctx.Err() != nil {
			return s.cut(on)
		}
		if err != nil {
			return err
		}
		for i := range run {
			if !on && run[i].Position > head {
				break
			}
			if err := lines.Encode(view.Event(&run[i])); err != nil {
				return err
			}
			if b.Len() >= chunk || i == len(run)-1 || !on && run[i].Position == head {
				if w.Send(b.Bytes()) != nil {
					return nil // the client is gone
				}
				b.Reset()
			}
		}
		if !on && run[len(run)-1].Position >= head {
			return nil
		}
	}
	return s.cut(on)
}

// chunk is how many bytes of events are written at once, or a little more.
const chunk = 64 << 10

// cut says how a stream of events ends that ctx has ended: one that follows has no other
// end; one with an end must not be taken for whole.
func (s *Server) cut(on bool) error {
	if on {
		return nil
	}
	return context.Canceled
}

func (s *Server) dump(context.Context, *struct{}) (*huma.StreamResponse, error) {
	if err := s.folded(); err != nil {
		return nil, err
	}
	return s.lines(func(ctx context.Context, w *feed.Writer) error {
		err := s.Views.Dump(w.Until(ctx))
		if err != nil && ctx.Err() == nil {
			return nil // the client is gone: nothing else can fail
		}
		return err
	}), nil
}
