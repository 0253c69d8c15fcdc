package httpapi

import (
	"context"
	"net/http"

	"sandglass/adapters/httpapi/middleware"
	"sandglass/adapters/httpapi/wire"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// daemon defines what tells how the daemon is.
func (d *definition) daemon() {
	register(d, call{
		name: "about", method: "GET", path: "/", tag: "daemon", summary: "What this is",
	}, d.s.about)
	register(d, call{
		name: "healthz", method: "GET", path: "/healthz", tag: "daemon", summary: "Whether the daemon is alive",
		doc: "It answers as long as it can answer at all.", content: "text/plain", example: "alive\n", Traits: middleware.Traits{Free: true},
	}, d.s.healthz)
	register(d, call{
		name: "readyz", method: "GET", path: "/readyz", tag: "daemon", summary: "Whether the daemon is ready, and what it waits for",
		doc: "200 if every component is ready, else 503 with the same body.", also: map[int]string{503: "Not every component is ready."},
		Traits: middleware.Traits{Free: true},
	}, d.s.readyz)
	register(d, call{
		name: "metrics", method: "GET", path: "/metrics", tag: "daemon", summary: "Metrics, for Prometheus",
		content: "text/plain", example: "# TYPE sandglass_resources gauge\nsandglass_resources{status=\"running\"} 3\n",
	}, d.s.metricsPage)
	register(d, call{
		name: "openapi", method: "GET", path: "/openapi.json", tag: "daemon", summary: "This document",
		content: "application/openapi+json",
	}, d.s.document)
}

func (s *Server) about(context.Context, *none) (*answer[wire.About], error) {
	return &answer[wire.About]{wire.About{
		Name: "sandglass", Version: s.Version, OpenAPI: "/openapi.json",
		Description: "Prepaid billing of resources, paid over Bitcoin and Lightning. The calls are described in /openapi.json; GET /v1/plans lists what is on offer.",
	}}, nil
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
	out := readyOutput{Status: http.StatusOK, Body: wire.Ready{Ready: true, Position: uint64(s.Views.Position()), Components: []wire.Component{views}}}
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
	page := promhttp.HandlerFor(s.Registry, promhttp.HandlerOpts{})
	return &huma.StreamResponse{Body: func(c huma.Context) {
		r, w := humago.Unwrap(c)
		page.ServeHTTP(w, r)
	}}, nil
}
