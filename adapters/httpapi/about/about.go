// Package about says what the API is as a whole, at its root and in its document. What each
// call is stands beside its handler.
package about

import (
	"sandglass/adapters/httpapi/wire"

	"github.com/danielgtaylor/huma/v2"
)

// Root returns what / answers. Of publicURL see Options of httpapi: it may be empty.
func Root(version, publicURL string) wire.About {
	document := publicURL + "/openapi.json"
	return wire.About{
		Name: "sandglass", Version: version, OpenAPI: document,
		Description: "Prepaid billing of resources, paid over Bitcoin and Lightning. " +
			"The calls are described in " + document + "; GET " + publicURL + "/v1/plans lists what is on offer.",
	}
}

// Document returns what the OpenAPI document says of the API as a whole.
func Document(publicURL string) *huma.OpenAPI {
	var servers []*huma.Server
	if publicURL != "" {
		servers = []*huma.Server{{URL: publicURL}}
	}
	bearer := func(doc string) *huma.SecurityScheme {
		return &huma.SecurityScheme{Type: "http", Scheme: "bearer", Description: doc}
	}
	return &huma.OpenAPI{
		OpenAPI: "3.1.0",
		Servers: servers,
		Info: &huma.Info{
			Title:   "Sandglass",
			Version: "1",
			Description: "Prepaid billing of resources, paid over Lightning.\n\n" +
				"Amounts (`…_msat`) are whole millisatoshi; lengths of time (`…_ms`) whole milliseconds; " +
				"instants RFC 3339, UTC, with three decimals. " +
				"All integers are JSON numbers of up to 63 bits: a client whose numbers are doubles must parse " +
				"those above 2^53 as big integers.\n\n" +
				"Errors are problems (RFC 9457): `code` is for programs, `detail` says what was wrong and what would be right. " +
				"Answers may get more fields; requests are refused if they have fields that are not known.\n\n" +
				"Pages of any origin may make the calls of `buy` and `hold` from a browser (CORS), without credentials: " +
				"a holder key is sent by the page that has it. Those of `operate`, `audit` and `daemon` they may not make.",
		},
		Tags: []*huma.Tag{
			{Name: "buy", Description: "What anyone can do."},
			{Name: "hold", Description: "What the holder of a resource can do, and the operator."},
			{Name: "operate", Description: "What the operator can do."},
			{Name: "audit", Description: "What the auditor can read, and the operator."},
			{Name: "daemon", Description: "How the daemon is."},
		},
		Components: &huma.Components{SecuritySchemes: map[string]*huma.SecurityScheme{
			"holder":   bearer("The holder_key of the order."),
			"operator": bearer("The operator's token."),
			"auditor":  bearer("The auditor's token, which reads the log and changes nothing."),
		}},
	}
}
