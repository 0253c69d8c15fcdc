package httpapi

import (
	"context"
	"net/http"

	"sandglass/adapters/httpapi/about"
	"sandglass/adapters/httpapi/auth"
	"sandglass/adapters/httpapi/middleware"
	"sandglass/adapters/httpapi/openapi"
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
		Doc:    "200 if every component is ready, else 503 with the same body.",
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

func (s *Server) readyz(context.Context, *none) (*readyOutput, error) {
	now := s.Now()
	views := wire.Component{Name: "views", Ready: true, State: "ready"}
	if s.folded() != nil {
		views = wire.Component{Name: "views", State: "folding", Advice: "the daemon reads its log: wait"}
	}
	out := readyOutput{Status: http.StatusOK, Body: wire.Ready{
		Ready:      true,
		Position:   uint64(s.Views.Position()),
		Components: []wire.Component{views},
	}}
	if s.Components != nil {
		out.Body.Components = append(out.Body.Components, s.Components()...)
	}
	for i := range out.Body.Components {
		c := &out.Body.Components[i]
		if c.Since != 0 {
			c.Age = max(0, now.Sub(c.Since))
		}
		if !c.Ready {
			out.Body.Ready, out.Status = false, http.StatusServiceUnavailable
		}
	}
	return &out, nil
}

func (s *Server) metricsPage(context.Context, *none) (*huma.StreamResponse, error) {
	return &huma.StreamResponse{Body: func(c huma.Context) {
		r, w := humago.Unwrap(c)
		s.metrics.page.ServeHTTP(w, r)
	}}, nil
}
