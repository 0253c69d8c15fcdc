package openapi

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"sandglass/adapters/httpapi/auth"
	"sandglass/adapters/httpapi/middleware"
	"sandglass/adapters/httpapi/problem"

	"github.com/danielgtaylor/huma/v2"
)

// Operation is one call of the API, as it is documented and guarded.
type Operation struct {
	Name, Method, Path string
	Who                auth.Role
	Tag, Summary, Doc  string
	Status             int            // on success, if it is not 200
	Also               map[int]string // other statuses of success, with the same body
	Refused            []int          // for reasons of its own; the common ones are added
	Content            string         // type of an answer that is not JSON
	Example            string         // of such an answer
	middleware.Traits
}

// Register adds a call to an API and its document.
func Register[I, O any](a *API, o Operation, handle func(context.Context, *I) (*O, error)) {
	op := huma.Operation{
		OperationID:     o.Name,
		Method:          o.Method,
		Path:            o.Path,
		Summary:         o.Summary,
		Description:     o.Doc,
		Tags:            []string{o.Tag},
		DefaultStatus:   o.Status,
		Middlewares:     huma.Middlewares{guard(o.Who)},
		MaxBodyBytes:    a.bounds.Body + 1,
		BodyReadTimeout: a.bounds.Request / 2,
		Responses:       map[string]*huma.Response{},
	}
	for _, scheme := range o.Who.Schemes() {
		op.Security = append(op.Security, map[string][]string{scheme: {}})
	}
	a.documentAnswers(&op, o)
	o.Open = o.Open || strings.HasPrefix(o.Path, "/v1/") && (o.Who == auth.Anyone || o.Who == auth.Holder)
	a.traits[exact(o.Method+" "+o.Path)] = o.Traits
	huma.Register(a.API, op, func(ctx context.Context, in *I) (*O, error) {
		if !o.Stream {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, a.bounds.Request)
			defer cancel()
		}
		middleware.RequestOf(ctx).AllowTime(2 * a.bounds.Request)
		out, err := handle(ctx, in)
		if err != nil {
			return nil, problem.Of(ctx, err)
		}
		return out, nil
	})
	for status, doc := range o.Also {
		r := &huma.Response{Description: doc}
		if status != http.StatusNoContent {
			r.Content = op.Responses[strconv.Itoa(max(o.Status, http.StatusOK))].Content
		}
		op.Responses[strconv.Itoa(status)] = r
	}
}

// Describe adds to the document of an API a call that is not one of its own, but answers like them.
func Describe[I, O any](a *API, o Operation) {
	beside := New(http.NewServeMux(), &huma.OpenAPI{Components: &huma.Components{}}, a.bounds)
	beside.OpenAPI().Components.Schemas = a.OpenAPI().Components.Schemas
	Register(beside, o, func(context.Context, *I) (*O, error) { return nil, errors.New("openapi: it is not served here") })
	for path, item := range beside.OpenAPI().Paths {
		a.OpenAPI().Paths[path] = item
	}
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

// documentAnswers adds the answers of a call that its types don't tell.
func (a *API) documentAnswers(op *huma.Operation, o Operation) {
	if o.Content != "" {
		op.Responses["200"] = &huma.Response{Description: "OK", Content: map[string]*huma.MediaType{
			o.Content: {Schema: &huma.Schema{Type: huma.TypeString}, Example: o.Example},
		}}
	}
	refused := append([]int{429, 500}, o.Refused...)
	switch {
	case o.Free:
		refused = []int{500}
	case strings.HasPrefix(o.Path, "/v1/"):
		refused = append(refused, 400, 422, 503)
	}
	if o.Method == http.MethodPost {
		refused = append(refused, 413, 415)
	}
	if o.Who != auth.Anyone {
		refused = append(refused, 401, 403)
	}
	for _, status := range refused {
		op.Responses[strconv.Itoa(status)] = &huma.Response{
			Description: http.StatusText(status),
			Content:     map[string]*huma.MediaType{"application/problem+json": {Schema: a.problem}},
		}
	}
}
