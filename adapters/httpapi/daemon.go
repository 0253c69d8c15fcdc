package httpapi

import (
	"context"
	"encoding/json"
	"net/http"

	"sandglass/adapters/httpapi/about"
	"sandglass/adapters/httpapi/auth"
	"sandglass/adapters/httpapi/middleware"
	"sandglass/adapters/httpapi/openapi"
	"sandglass/adapters/httpapi/view"
	"sandglass/adapters/httpapi/wire"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
)

// defineDaemon defines what tells how the daemon is.
func (s *Server) defineDaemon(a *openapi.API) {
	openapi.Register(a, openapi.Operation{
		Name: "about", Method: "GET", Path: "/", Tag: "daemon", Summary: "What this is",
	}, s.about)
	openapi.Register(a, openapi.Operation{
		Name: "healthz", Method: "GET", Path: "/healthz", Tag: "daemon", Summary: "Whether the daemon is alive",
		Doc:     "It answers as long as it can answer at all.",
		Content: "text/plain", Example: "alive\n",
		Traits: middleware.Traits{Free: true},
	}, s.healthz)
	openapi.Register(a, openapi.Operation{
		Name: "readyz", Method: "GET", Path: "/readyz", Tag: "daemon", Summary: "Whether the daemon is ready, and what it waits for",
		Doc: "200 if every component is ready, else 503 with the same body. Who shows the auditor's token or the operator's " +
			"is told the state of each too, since when, and what to do.",
		Also:   map[int]string{503: "Not every component is ready."},
		Traits: middleware.Traits{Free: true},
	}, s.readyz)
	openapi.Register(a, openapi.Operation{
		Name: "metrics", Method: "GET", Path: "/metrics", Tag: "daemon", Summary: "Metrics, for Prometheus",
		Who:     auth.Auditor,
		Doc:     "What an operator earns is in them. A daemon may have a listener of its own for them, which asks for no token.",
		Content: "text/plain", Example: "# TYPE sandglass_resources gauge\nsandglass_resources{status=\"running\"} 3\n",
	}, s.metricsPage)
	openapi.Register(a, openapi.Operation{
		Name: "openapi", Method: "GET", Path: "/openapi.json", Tag: "daemon", Summary: "This document",
		Content: "application/openapi+json",
		Traits:  middleware.Traits{Open: true},
	}, s.document)
}

func (s *Server) about(context.Context, *none) (*answer[wire.About], error) {
	return &answer[wire.About]{about.Root(s.Version, s.PublicURL)}, nil
}

// raw is an answer that is not JSON.
type raw struct {
	Type string `header:"Content-Type"`
	Body []byte
}

func (s *Server) healthz(context.Context, *none) (*raw, error) {
	return &raw{"text/plain; charset=utf-8", []byte("alive\n")}, nil
}

func (s *Server) document(context.Context, *none) (*raw, error) {
	return &raw{"application/openapi+json", s.openapi}, nil
}

type readyOutput struct {
	Status int
	Body   wire.Ready
}

func (s *Server) readyz(ctx context.Context, _ *none) (*readyOutput, error) {
	out := s.readiness()
	if !middleware.RequestOf(ctx).Caller.Auditor {
		out.Body = view.ReadyToAnyone(out.Body)
	}
	return out, nil
}

func (s *Server) readiness() *readyOutput {
	var others []wire.Component
	if s.Components != nil {
		others = s.Components()
	}
	out := &readyOutput{http.StatusOK, s.presenter.Ready(s.folded() == nil, others)}
	if !out.Body.Ready {
		out.Status = http.StatusServiceUnavailable
	}
	return out
}

// readyPage answers /readyz in full to whoever reaches it.
func (s *Server) readyPage(w http.ResponseWriter, _ *http.Request) {
	out := s.readiness()
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(out.Status)
	_ = json.NewEncoder(w).Encode(out.Body) // who asked may have gone
}

func (s *Server) metricsPage(context.Context, *none) (*huma.StreamResponse, error) {
	return &huma.StreamResponse{Body: func(c huma.Context) {
		r, w := humago.Unwrap(c)
		s.metrics.page.ServeHTTP(w, r)
	}}, nil
}
