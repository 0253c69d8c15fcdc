// Package daemon is the calls that tell how the daemon is: what it is, whether it is alive and ready, its
// metrics, and the document of the API.
package daemon

import (
	"context"
	"encoding/json"
	"net/http"

	"sandglass/adapters/httpapi/auth"
	"sandglass/adapters/httpapi/middleware"
	"sandglass/adapters/httpapi/openapi"
	"sandglass/adapters/httpapi/view"
	"sandglass/adapters/httpapi/wire"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
)

// Calls answers the calls. All fields are required.
type Calls struct {
	About    wire.About
	Ready    func() wire.Ready // in full
	Metrics  http.Handler
	Document func() []byte // the OpenAPI document, once all calls are defined
}

// Define defines the calls.
func (c *Calls) Define(a *openapi.API) {
	openapi.Register(a, openapi.Operation{
		Name: "about", Method: "GET", Path: "/", Tag: "daemon", Summary: "What this is",
	}, c.about)
	openapi.Register(a, openapi.Operation{
		Name: "healthz", Method: "GET", Path: "/healthz", Tag: "daemon", Summary: "Whether the daemon is alive",
		Doc:     "It answers as long as it can answer at all.",
		Content: "text/plain", Example: "alive\n",
		Traits: middleware.Traits{Free: true},
	}, c.healthz)
	openapi.Register(a, openapi.Operation{
		Name: "readyz", Method: "GET", Path: "/readyz", Tag: "daemon", Summary: "Whether the daemon is ready, and what it waits for",
		Doc: "200 if every component is ready, else 503 with the same body. Who shows the auditor's token or the operator's " +
			"is told the state of each too, since when, and what to do.",
		Also:   map[int]string{503: "Not every component is ready."},
		Traits: middleware.Traits{Free: true},
	}, c.readyz)
	openapi.Register(a, openapi.Operation{
		Name: "metrics", Method: "GET", Path: "/metrics", Tag: "daemon", Summary: "Metrics, for Prometheus",
		Who:     auth.Auditor,
		Doc:     "What an operator earns is in them. A daemon may have a listener of its own for them, which asks for no token.",
		Content: "text/plain", Example: "# TYPE sandglass_resources gauge\nsandglass_resources{status=\"running\"} 3\n",
	}, c.metrics)
	openapi.Register(a, openapi.Operation{
		Name: "openapi", Method: "GET", Path: "/openapi.json", Tag: "daemon", Summary: "This document",
		Content: "application/openapi+json",
		Traits:  middleware.Traits{Open: true},
	}, c.document)
}

// Pages returns GET /metrics and /readyz, in full to whoever reaches them: no token is asked for.
func (c *Calls) Pages() http.Handler {
	pages := http.NewServeMux()
	pages.Handle("GET /metrics", c.Metrics)
	pages.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		out := c.Ready()
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(statusOf(out))
		_ = json.NewEncoder(w).Encode(out) // who asked may have gone
	})
	return pages
}

type none struct{}

type aboutOutput struct{ Body wire.About }

func (c *Calls) about(context.Context, *none) (*aboutOutput, error) {
	return &aboutOutput{c.About}, nil
}

// raw is an answer that is not JSON.
type raw struct {
	Type string `header:"Content-Type"`
	Body []byte
}

func (c *Calls) healthz(context.Context, *none) (*raw, error) {
	return &raw{"text/plain; charset=utf-8", []byte("alive\n")}, nil
}

func (c *Calls) document(context.Context, *none) (*raw, error) {
	return &raw{"application/openapi+json", c.Document()}, nil
}

type readyOutput struct {
	Status int
	Body   wire.Ready
}

func (c *Calls) readyz(ctx context.Context, _ *none) (*readyOutput, error) {
	out := c.Ready()
	if !middleware.RequestOf(ctx).Caller.Auditor {
		out = view.ReadyToAnyone(out)
	}
	return &readyOutput{statusOf(out), out}, nil
}

func statusOf(r wire.Ready) int {
	if r.Ready {
		return http.StatusOK
	}
	return http.StatusServiceUnavailable
}

func (c *Calls) metrics(context.Context, *none) (*huma.StreamResponse, error) {
	return &huma.StreamResponse{Body: func(h huma.Context) {
		r, w := humago.Unwrap(h)
		c.Metrics.ServeHTTP(w, r)
	}}, nil
}
