package openapi

import (
	"net/http"
	"strings"

	"sandglass/adapters/httpapi/problem"
	"sandglass/adapters/httpapi/wire"

	"github.com/danielgtaylor/huma/v2"
)

// problemOf returns what huma found wrong with a request. Values are not shown again: they
// may be secrets, or the whole body.
func (a *API) problemOf(e *huma.ErrorModel) *problem.Problem {
	switch e.Status {
	case http.StatusRequestEntityTooLarge:
		return problem.TooLarge(a.bounds.Body)
	case http.StatusRequestTimeout:
		return problem.New(e.Status, "incomplete_body", "the body did not arrive whole and in time: send it at once")
	case http.StatusUnsupportedMediaType:
		return problem.New(e.Status, "content_type", "the body is of another type: send JSON with Content-Type: application/json")
	}
	p := problem.New(e.Status, "invalid_request", "%s", e.Detail)
	if e.Status == http.StatusBadRequest {
		p = problem.New(e.Status, "malformed_request", "%s", e.Detail)
	}
	var texts []string
	for _, d := range e.Errors {
		if d == nil {
			continue
		}
		p.Errors = append(p.Errors, wire.Fault{Location: d.Location, Message: d.Message})
		texts = append(texts, strings.TrimPrefix(d.Location+": ", ": ")+d.Message)
	}
	if len(texts) > 0 {
		p.Detail = strings.Join(texts, "; ")
	}
	return p
}
