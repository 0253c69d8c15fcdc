package httpapi_test

import (
	"crypto/rand"
	"net/http"
	"strings"
	"testing"

	"sandglass/adapters/httpapi"
	"sandglass/adapters/httpapi/client"
	"sandglass/adapters/httpapi/wire"
	"sandglass/adapters/paramfiles"
	"sandglass/domain/billing/params"
	"sandglass/domain/instant"
	"sandglass/domain/resource"
)

// keeping lets a shop keep the values of parameters.
func keeping(t *testing.T) func(*httpapi.Options) {
	files, err := paramfiles.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return func(o *httpapi.Options) {
		o.Billing.Params = &params.Service{
			Store: files, Views: o.Views, Requests: o.Billing.Requests, Resources: o.Billing.Resources, Random: rand.Reader,
			When: func() resource.When { return resource.When{At: o.Now()} },
		}
	}
}

// A plan declares parameters, an order and its holder say them, and nobody is shown them.
func TestParams(t *testing.T) {
	s := open(t, keeping(t))
	c := s.client(operatorToken)
	request := wire.PublishRequest{
		Name: "app", Price: wire.Price{Msat: price, Per: hour}, Min: 1, Max: instant.Day, Grace: hour, Enforcer: "process",
		Params: []wire.Param{
			{Name: "ssh_key", Required: true, Max: 80}, {Name: "image", Choices: []string{"debian", "alpine"}, Default: "debian"},
		},
	}
	p, err := c.Publish(t.Context(), request)
	s.must(err)
	if len(p.Params) != 2 || p.Params[0].Name != "image" || !p.Params[1].Required || p.Params[1].Max != 80 {
		t.Errorf("it declares %+v", p.Params)
	}
	for _, bad := range []wire.Param{{Name: "A"}, {Name: "a", Max: 5000}, {Name: "a", Choices: []string{"b c"}}, {Name: "ssh_key"}} {
		r := request
		r.Params = append([]wire.Param{bad}, r.Params...)
		if _, err := c.Publish(t.Context(), r); client.Code(err) != "invalid_request" {
			t.Errorf("%+v is declared: %v", bad, err)
		}
	}
	order := func(said map[string]string) (wire.Order, error) {
		return s.client("").Order(t.Context(), wire.OrderRequest{Plan: "app", Time: hour, ID: "web-1", Params: said}, key)
	}
	if _, err := order(map[string]string{"ssh_key": "a\nb"}); client.Code(err) != "invalid_parameter" ||
		!strings.Contains(err.Error(), "ssh_key") {
		t.Errorf("two lines: %v", err)
	}
	bad := s.send("POST", "/v1/orders", `{"plan":"app","time_ms":3600000,"params":{"ssh_key":"k","image":"arch"}}`,
		"Content-Type: application/json")
	if bad.status != http.StatusUnprocessableEntity || !strings.Contains(bad.body, `"location":"body.params.image"`) ||
		strings.Contains(bad.body, "arch") {
		t.Errorf("no choice: %d %s", bad.status, bad.body)
	}
	o, err := order(map[string]string{"ssh_key": "the-secret"})
	s.must(err)
	s.settle(o.Payment.Key, price)
	s.settled("web-1")
	shown := s.send("GET", "/v1/resources/web-1", "")
	if strings.Contains(shown.body, "the-secret") || !strings.Contains(shown.body, `"params_hash":"`) {
		t.Errorf("it is shown as %s", shown.body)
	}
	holder := s.client(o.HolderKey)
	if _, err := s.client("guess").SetParams(t.Context(), "web-1", map[string]string{}); client.Code(err) != "wrong_token" {
		t.Errorf("by a stranger: %v", err)
	}
	if _, err := holder.SetParams(t.Context(), "web-1", map[string]string{"image": "alpine"}); client.Code(err) != "too_soon" {
		t.Errorf("at once: %v", err)
	}
	s.clock.Advance(instant.Minute)
	if _, err := holder.SetParams(t.Context(), "web-1", map[string]string{"b": ""}); client.Code(err) != "invalid_parameter" {
		t.Errorf("an unknown one: %v", err)
	}
	r, err := holder.SetParams(t.Context(), "web-1", map[string]string{"image": "alpine"})
	s.must(err)
	if r.ParamsHash == "" || r.ParamsHash == o.Resource.ParamsHash {
		t.Errorf("the hash is %q", r.ParamsHash)
	}
	if r, err = holder.DeleteParams(t.Context(), "web-1"); err != nil || r.ParamsHash != "" {
		t.Errorf("deleted: %q, %v", r.ParamsHash, err)
	}
	if _, err := c.SetParams(t.Context(), "web-2", map[string]string{}); client.Code(err) != "unknown_resource" {
		t.Errorf("of none: %v", err)
	}
	if strings.Contains(s.log.String(), "the-secret") {
		t.Error("it is in the daemon's own log")
	}
}
