package holder

import (
	"context"

	"sandglass/adapters/httpapi/auth"
	"sandglass/adapters/httpapi/openapi"
	"sandglass/domain/enforce/access"
	"sandglass/domain/resource"

	"github.com/danielgtaylor/huma/v2"
)

// asJSON is the type of an answer that is an object or a list of JSON.
const asJSON = "application/json"

func (c *Calls) defineAccess(a *openapi.API) {
	const path = "/v1/resources/{id}/access"
	openapi.Register(a, openapi.Operation{
		Name: "access", Method: "GET", Path: path, Tag: "hold", Who: auth.Holder,
		Summary: "How a resource is reached",
		Doc: "What its enforcer says of that, such as an address or a configuration: up to 16 KiB of text, or an object or a " +
			"list of JSON, which is then of type " + asJSON + ". It is asked anew each time, and is nowhere kept: what is asked " +
			"for again while the answer is under way, or within a second, is refused as too_soon. `no_access`: nothing says how; " +
			"`not_up`: it is not up; `no_keeper`: its host does not answer. Only the daemon of its host can ask.",
		Refused: []int{404, 409, 502},
		Content: "text/plain", Example: "203.0.113.7\n",
	}, c.access)
	a.OpenAPI().Paths[path].Get.Responses["200"].Content[asJSON] = &huma.MediaType{Schema: &huma.Schema{}}
}

// reached is an answer as an enforcer gave it.
type reached struct {
	Type string `header:"Content-Type"`
	Body []byte
}

func (c *Calls) access(ctx context.Context, in *path) (*reached, error) {
	id := resource.ID(in.ID)
	if _, err := c.actor(ctx, id); err != nil {
		return nil, err
	}
	if c.Access == nil {
		return nil, access.ErrNoKeeper
	}
	text, err := c.Access(ctx, id)
	if err != nil {
		return nil, err
	}
	kind := "text/plain; charset=utf-8"
	if access.IsJSON(text) {
		kind = asJSON
	}
	return &reached{kind, []byte(text)}, nil
}
