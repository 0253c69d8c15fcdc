package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"sandglass/adapters/httpapi/auth"
	"sandglass/adapters/httpapi/middleware"
	"sandglass/adapters/httpapi/problem"
	"sandglass/adapters/httpapi/wire"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
)

// call is one call of the API, as it is documented and guarded.
type call struct {
	name, method, path string
	who                auth.Role
	summary, doc       string
	tag                string
	status             int            // on success, if it is not 200
	also               map[int]string // other statuses of success, with the same body
	refused            []int          // for reasons of its own; the common ones are added
	content            string         // type of an answer that is not JSON
	example            string         // of such an answer
	middleware.Traits
}

// mux gives the root to GET / alone: to net/http "/" is the root of everything.
type mux struct{ *http.ServeMux }

// HandleFunc implements [humago.Mux].
func (m mux) HandleFunc(pattern string, h func(http.ResponseWriter, *http.Request)) {
	m.ServeMux.HandleFunc(exact(pattern), h)
}

func exact(pattern string) string {
	if strings.HasSuffix(pattern, " /") {
		return pattern + "{$}"
	}
	return pattern
}

// definition is the API while it is being defined.
type definition struct {
	huma.API
	s       *Server
	problem *huma.Schema
}

// define registers every call, and returns the OpenAPI document.
func (s *Server) define() ([]byte, error) {
	registry := huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer)
	jsonFormat := huma.Format{Marshal: marshal, Unmarshal: unmarshal}
	d := &definition{s: s, API: humago.New(mux{s.mux}, huma.Config{
		OpenAPI:                      document(registry),
		Formats:                      map[string]huma.Format{"application/json": jsonFormat, "json": jsonFormat},
		DefaultFormat:                "application/json",
		RejectUnknownQueryParameters: true,
		Transformers:                 []huma.Transformer{s.transform},
	})}
	d.problem = registry.Schema(typeOf[wire.Problem](), true, "Problem")
	d.plans()
	d.orders()
	d.resources()
	d.operations()
	d.audit()
	d.daemon()
	// What huma puts in for errors of its own is never answered, since transform turns
	// it into problems.
	delete(registry.Map(), "ErrorModel")
	delete(registry.Map(), "ErrorDetail")
	open(registry)
	doc, err := json.MarshalIndent(d.OpenAPI(), "", "  ")
	if err != nil {
		return nil, fmt.Errorf("httpapi: the OpenAPI document: %w", err)
	}
	return append(doc, '\n'), nil
}

// open lets answers have more fields in versions to come. Requests stay strict, so that
// a field that is misspelt is not passed over.
func open(registry huma.Registry) {
	for name, schema := range registry.Map() {
		if !strings.HasSuffix(name, "Request") && name != "Price" && name != "Warn" && name != "Deep" {
			schema.AdditionalProperties = nil
		}
	}
}

func document(registry huma.Registry) *huma.OpenAPI {
	bearer := func(doc string) *huma.SecurityScheme {
		return &huma.SecurityScheme{Type: "http", Scheme: "bearer", Description: doc}
	}
	return &huma.OpenAPI{
		OpenAPI: "3.1.0",
		Info: &huma.Info{
			Title: "Sandglass", Version: "1",
			Description: "Prepaid billing of resources, paid over Lightning.\n\n" +
				"Amounts (`…_msat`) are whole millisatoshi; lengths of time (`…_ms`) whole milliseconds; instants RFC 3339, UTC, with three decimals. " +
				"All integers are JSON numbers of up to 63 bits: a client whose numbers are doubles must parse those above 2^53 as big integers.\n\n" +
				"Errors are problems (RFC 9457): `code` is for programs, `detail` says what was wrong and what would be right. " +
				"Answers may get more fields; requests are refused if they have fields that are not known.",
		},
		Tags: []*huma.Tag{
			{Name: "buy", Description: "What anyone can do."},
			{Name: "hold", Description: "What the holder of a resource can do, and the operator."},
			{Name: "operate", Description: "What the operator can do."},
			{Name: "audit", Description: "What the auditor can read, and the operator."},
			{Name: "daemon", Description: "How the daemon is."},
		},
		Components: &huma.Components{Schemas: registry, SecuritySchemes: map[string]*huma.SecurityScheme{
			"holder":   bearer("The holder_key of the order."),
			"operator": bearer("The operator's token."),
			"auditor":  bearer("The auditor's token, which reads the log and changes nothing."),
		}},
	}
}

// transform completes what is answered: problems get the id of the request.
func (s *Server) transform(ctx huma.Context, _ string, v any) (any, error) {
	if e, ok := v.(*huma.ErrorModel); ok {
		p := s.ofHuma(e)
		if p.Close {
			ctx.SetHeader("Connection", "close")
		}
		v = p
	}
	if p, ok := v.(*problem.Problem); ok {
		middleware.RequestOf(ctx.Context()).Note(p)
		return p.Problem, nil
	}
	return v, nil
}

// marshal writes v at once. An error of the connection is nobody's to know: the client
// that should be told has gone.
func marshal(w io.Writer, v any) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return err
	}
	_, _ = w.Write(b.Bytes())
	return nil
}

// guard refuses callers that may not do calls of that role, before anything else is looked at.
func guard(need auth.Role) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		r := middleware.RequestOf(ctx.Context())
		if p := r.Caller.Refuse(need); p != nil {
			r.Refuse(p)
			return
		}
		next(ctx)
	}
}

// register adds a call to the API and its document.
func register[I, O any](d *definition, c call, handle func(context.Context, *I) (*O, error)) {
	op := huma.Operation{
		OperationID: c.name, Method: c.method, Path: c.path, Summary: c.summary, Description: c.doc,
		Tags: []string{c.tag}, DefaultStatus: c.status, Middlewares: huma.Middlewares{guard(c.who)},
		MaxBodyBytes: d.s.Limits.Body + 1, BodyReadTimeout: d.s.Limits.Request / 2,
		Responses: map[string]*huma.Response{},
	}
	for _, scheme := range c.who.Schemes() {
		op.Security = append(op.Security, map[string][]string{scheme: {}})
	}
	d.document(&op, c)
	d.s.traits[exact(c.method+" "+c.path)] = c.Traits
	huma.Register(d.API, op, func(ctx context.Context, in *I) (*O, error) {
		if !c.Stream {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, d.s.Limits.Request)
			defer cancel()
		}
		middleware.RequestOf(ctx).AllowTime(2 * d.s.Limits.Request)
		out, err := handle(ctx, in)
		if err != nil {
			return nil, problem.Of(ctx, err)
		}
		return out, nil
	})
	for status, doc := range c.also {
		r := &huma.Response{Description: doc}
		if status != http.StatusNoContent {
			r.Content = op.Responses[strconv.Itoa(max(c.status, http.StatusOK))].Content
		}
		op.Responses[strconv.Itoa(status)] = r
	}
}

// document adds the answers of a call that its types don't tell.
func (d *definition) document(op *huma.Operation, c call) {
	if c.content != "" {
		op.Responses["200"] = &huma.Response{Description: "OK", Content: map[string]*huma.MediaType{
			c.content: {Schema: &huma.Schema{Type: huma.TypeString}, Example: c.example},
		}}
	}
	refused := append([]int{429, 500}, c.refused...)
	switch {
	case c.Free:
		refused = []int{500}
	case strings.HasPrefix(c.path, "/v1/"):
		refused = append(refused, 400, 422, 503)
	}
	if c.method == http.MethodPost {
		refused = append(refused, 413, 415)
	}
	if c.who != auth.Anyone {
		refused = append(refused, 401, 403)
	}
	for _, status := range refused {
		op.Responses[strconv.Itoa(status)] = &huma.Response{
			Description: http.StatusText(status),
			Content:     map[string]*huma.MediaType{"application/problem+json": {Schema: d.problem}},
		}
	}
}
