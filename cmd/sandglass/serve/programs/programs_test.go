package programs_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"sandglass/adapters/httpapi"
	"sandglass/cmd/sandglass/config"
	"sandglass/cmd/sandglass/serve/programs"
	"sandglass/testutil/shop"
)

// call is one in the document.
type call struct {
	OperationID string
	Parameters  []struct{ Name, In string }
	Security    []map[string][]string
	Responses   map[string]struct {
		Headers map[string]any
		Content map[string]struct {
			Schema struct {
				Ref string `json:"$ref"`
			}
		}
	}
}

// TestTheDocumentHasWhatProgramsBuyBy, and says of it what is answered.
func TestTheDocumentHasWhatProgramsBuyBy(t *testing.T) {
	s := shop.Open(t, func(s *shop.Shop, o *httpapi.Options) { programs.Mount(o, s, [32]byte{1}, &config.Config{}, nil) })
	s.Publish("small", nil)
	send := func(method, path, body string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequestWithContext(context.Background(), method, path, strings.NewReader(body)))
		return w
	}
	var doc struct {
		Paths      map[string]map[string]call
		Components struct {
			Schemas map[string]struct {
				Required             []string
				AdditionalProperties any
			}
			SecuritySchemes map[string]any
		}
	}
	if err := json.Unmarshal(send("GET", "/openapi.json", "").Body.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		method, path, asks, body, nothing string
		asked, refused                    int
		in                                []string
	}{
		{"POST", "/v1/buy", "", `{"plan":"small","time_ms":3600000}`, "{}", 402, 422, []string{"X-Cashu", "Idempotency-Key"}},
		{
			"GET", "/v1/auth", "?plan=small&time_ms=3600000", "", "", 401, 422,
			[]string{"plan", "resource", "time_ms", "amount_msat", "status"},
		},
		{
			"GET", "/v1/auth", "?plan=small&time_ms=3600000&status=402", "", "", 402, 422,
			[]string{"plan", "resource", "time_ms", "amount_msat", "status"},
		},
	} {
		c := doc.Paths[test.path][strings.ToLower(test.method)]
		var in []string
		for _, p := range c.Parameters {
			in = append(in, p.Name)
		}
		scheme := doc.Components.SecuritySchemes["credential"]
		if c.OperationID == "" || !slices.Equal(in, test.in) || len(c.Security) != 2 || scheme == nil {
			t.Errorf("%s is described as %+v", test.path, c)
		}
		asked := send(test.method, test.path+test.asks, test.body)
		of := c.Responses[fmt.Sprint(test.asked)]
		schema := of.Content[asked.Header().Get("Content-Type")].Schema.Ref
		var has map[string]any
		if err := json.Unmarshal(asked.Body.Bytes(), &has); err != nil || asked.Code != test.asked ||
			schema != "#/components/schemas/PaymentRequired" || of.Headers["WWW-Authenticate"] == nil {
			t.Errorf("%s: %v; %d by %q: %+v", test.path, err, asked.Code, schema, of)
		}
		for _, name := range doc.Components.Schemas["PaymentRequired"].Required {
			if has[name] == nil {
				t.Errorf("%s answers no %s: %v", test.path, name, has)
			}
		}
		if r := send(test.method, test.path, test.nothing); r.Code != test.refused || c.Responses[fmt.Sprint(r.Code)].Content == nil {
			t.Errorf("%s refuses with %d, which is not described: %+v", test.path, r.Code, c)
		}
		if c.Responses[fmt.Sprint(http.StatusOK)].Headers == nil {
			t.Errorf("%s: %+v", test.path, c.Responses)
		}
	}
	if strict := doc.Components.Schemas["BuyRequest"].AdditionalProperties; strict != false {
		t.Errorf("fields that a request does not know: %v", strict)
	}
}
