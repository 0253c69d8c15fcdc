// Package openapi makes calls of typed functions: one definition of a call is its route, its
// validation, its guard and its part of the OpenAPI document.
//
// [Register] takes an [Operation] and a function of an input and an output; huma reads from
// their fields what a request may be and what the answer is. Whatever goes wrong is answered
// as a problem. JSON is read more strictly than the standard library reads it.
//
// Which calls there are, and what they do, is not known here.
package openapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strings"
	"time"

	"sandglass/adapters/httpapi/middleware"
	"sandglass/adapters/httpapi/problem"
	"sandglass/adapters/httpapi/wire"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
)

// API is an API while it is being defined.
type API struct {
	huma.API
	bounds  Bounds
	traits  map[string]middleware.Traits
	problem *huma.Schema
}

// Bounds are those of every call.
type Bounds struct {
	Body    int64         // bytes of a request's body
	Request time.Duration // for one request that is not a stream
}

// New returns an API whose calls are added to a mux, and to a document that has none yet.
func New(m humago.Mux, doc *huma.OpenAPI, b Bounds) *API {
	schemas := huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer)
	doc.Components.Schemas = schemas
	a := &API{bounds: b, traits: map[string]middleware.Traits{}}
	jsonFormat := huma.Format{Marshal: marshal, Unmarshal: unmarshal}
	a.API = humago.New(mux{m}, huma.Config{
		OpenAPI:                      doc,
		Formats:                      map[string]huma.Format{"application/json": jsonFormat, "json": jsonFormat},
		DefaultFormat:                "application/json",
		RejectUnknownQueryParameters: true,
		Transformers:                 []huma.Transformer{a.transform},
	})
	a.problem = schemas.Schema(reflect.TypeFor[wire.Problem](), true, "Problem")
	return a
}

// Traits returns those of each call, by its pattern in the mux.
func (a *API) Traits() map[string]middleware.Traits { return a.traits }

// Document returns the OpenAPI document of the calls that were registered. Answers may have
// more fields in versions to come; requests are made of the schemas that are strict, so that
// a field that is misspelt is not passed over.
func (a *API) Document(strict func(schema string) bool) ([]byte, error) {
	schemas := a.OpenAPI().Components.Schemas.Map()
	// What huma puts in for errors of its own is never answered, since transform turns
	// it into problems.
	delete(schemas, "ErrorModel")
	delete(schemas, "ErrorDetail")
	for name, schema := range schemas {
		if !strict(name) {
			schema.AdditionalProperties = nil
		}
	}
	if err := complete(schemas); err != nil {
		return nil, err
	}
	doc, err := json.MarshalIndent(a.OpenAPI(), "", "  ")
	if err != nil {
		return nil, fmt.Errorf("httpapi: the OpenAPI document: %w", err)
	}
	return append(doc, '\n'), nil
}

// transform completes what is answered: problems get the id of the request.
func (a *API) transform(ctx huma.Context, _ string, v any) (any, error) {
	if e, ok := v.(*huma.ErrorModel); ok {
		p := a.problemOf(e)
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

// mux gives the root to GET / alone: to net/http "/" is the root of everything.
type mux struct{ humago.Mux }

// HandleFunc implements [humago.Mux].
func (m mux) HandleFunc(pattern string, h func(http.ResponseWriter, *http.Request)) {
	m.Mux.HandleFunc(exact(pattern), h)
}

func exact(pattern string) string {
	if strings.HasSuffix(pattern, " /") {
		return pattern + "{$}"
	}
	return pattern
}
