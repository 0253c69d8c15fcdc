package httpapi_test

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sandglass/adapters/httpapi"
	"sandglass/adapters/httpapi/client"
	"sandglass/adapters/httpapi/wire"
	"sandglass/domain/instant"
)

// TestWhoMayDoWhat tries each call of the document with every token. What a call takes,
// the document says; whether it is the right thing, the table below.
func TestWhoMayDoWhat(t *testing.T) {
	s := open(t, nil)
	o := s.running("web-1")
	other := s.running("web-2")
	tokens := map[string]string{
		"nobody":   "",
		"holder":   o.HolderKey,
		"other":    other.HolderKey,
		"auditor":  auditorToken,
		"operator": operatorToken,
		"guess":    strings.Repeat("x", 32),
	}
	for path, calls := range documentOf(t, s).Paths {
		for method, c := range calls {
			may := []string{}
			for _, scheme := range c.Security {
				for name := range scheme {
					may = append(may, name)
				}
			}
			if len(may) == 0 || path == "/v1/resources/{id}/release" {
				continue
			}
			path := strings.NewReplacer("{id}", "web-1", "{key}", "ln-00", "{name}", "none").Replace(path)
			for who, token := range tokens {
				headers := []string{"Content-Type: application/json"}
				if token != "" {
					headers = append(headers, bearer(token))
				}
				body := ""
				if method == "patch" { // whose resource it is is asked once it is known what is wanted
					body = `{"params":{}}`
				}
				got := s.send(strings.ToUpper(method), path, body, headers...)
				want := 403
				switch {
				case who == "nobody":
					want = 401
				case slices.Contains(may, who):
					want = 0 // anything else
				}
				if want == 0 && (got.status == 401 || got.status == 403) || want != 0 && got.status != want {
					t.Errorf("%s %s as %s: %d %s", method, path, who, got.status, got.body)
				}
				if got.status == 401 && got.header.Get("WWW-Authenticate") == "" {
					t.Errorf("%s %s: 401 without a challenge", method, path)
				}
			}
		}
	}
}

// TestTheRolesOfTheCalls is the table of the design.
func TestTheRolesOfTheCalls(t *testing.T) {
	got := map[string]string{}
	for path, calls := range documentOf(t, open(t, nil)).Paths {
		for method, c := range calls {
			who := []string{}
			for _, scheme := range c.Security {
				for name := range scheme {
					who = append(who, name)
				}
			}
			slices.Sort(who)
			got[strings.ToUpper(method)+" "+path] = strings.Join(who, " ")
		}
	}
	for call, want := range map[string]string{
		"GET /v1/plans":                       "",
		"GET /v1/plans/{name}":                "",
		"GET /v1/quotes":                      "",
		"POST /v1/orders":                     "",
		"GET /v1/resources/{id}":              "",
		"GET /v1/resources/{id}/live":         "",
		"GET /v1/resources/{id}/history":      "",
		"POST /v1/resources/{id}/address":     "",
		"POST /v1/resources/{id}/payments":    "",
		"GET /v1/payments/{key}":              "",
		"GET /v1/payments/{key}/receipt":      "",
		"POST /v1/resources/{id}/pause":       "holder operator",
		"POST /v1/resources/{id}/resume":      "holder operator",
		"POST /v1/resources/{id}/release":     "holder operator",
		"PATCH /v1/resources/{id}/params":     "holder operator",
		"DELETE /v1/resources/{id}/params":    "holder operator",
		"POST /v1/plans":                      "operator",
		"DELETE /v1/plans/{name}":             "operator",
		"GET /v1/resources":                   "operator",
		"POST /v1/resources/{id}/grants":      "operator",
		"POST /v1/resources/{id}/reprice":     "operator",
		"POST /v1/resources/{id}/move":        "operator",
		"GET /v1/resources/{id}/access":       "holder operator",
		"GET /v1/unallocated":                 "operator",
		"POST /v1/unallocated/{key}/allocate": "operator",
		"POST /v1/addresses/{address}/adopt":  "operator",
		"GET /v1/log":                         "",
		"POST /v1/log/fork":                   "operator",
		"GET /v1/wallets":                     "operator",
		"POST /v1/wallets/{node}/retire":      "operator",
		"GET /v1/events":                      "auditor operator",
		"GET /v1/audit/dump":                  "auditor operator",
		"GET /":                               "",
		"GET /healthz":                        "",
		"GET /readyz":                         "",
		"GET /metrics":                        "auditor operator",
		"GET /openapi.json":                   "",
	} {
		if who, ok := got[call]; !ok || who != want {
			t.Errorf("%s is for %q, want %q", call, who, want)
		}
		delete(got, call)
	}
	if len(got) > 0 {
		t.Errorf("calls of which the table says nothing: %v", got)
	}
}

// TestWithoutTokensNobodyOperates configures none: then no token is the right one, not
// even none.
func TestWithoutTokensNobodyOperates(t *testing.T) {
	s := open(t, func(o *httpapi.Options) { o.Operator, o.Auditor = httpapi.TokenHash{}, httpapi.TokenHash{} })
	for _, header := range []string{
		"Authorization: Bearer ", "Authorization: Bearer", "Authorization: Basic Og==", bearer(operatorToken), "X: y",
	} {
		for _, path := range []string{"/v1/resources", "/v1/events"} {
			if got := s.send("GET", path, "", header); got.status != 401 && got.status != 403 {
				t.Errorf("GET %s with %q: %d", path, header, got.status)
			}
		}
	}
}

func TestTheOperatorHoldsEveryResource(t *testing.T) {
	s := open(t, nil)
	s.running("web-1")
	c := s.client(operatorToken)
	if r, err := c.Pause(t.Context(), "web-1"); err != nil || r.Status != "paused" {
		t.Errorf("pause: %+v, %v", r, err)
	}
	if r, err := c.Release(t.Context(), "web-1"); err != nil || r.Status != "released" {
		t.Errorf("release: %+v, %v", r, err)
	}
	var actors []string
	for e, err := range c.Events(t.Context(), 0, false) {
		s.must(err)
		if strings.HasPrefix(e.Type, "resource.paused") || strings.HasPrefix(e.Type, "resource.released") {
			actors = append(actors, string(e.Data)+string(e.Meta))
		}
	}
	if len(actors) != 2 || !strings.Contains(actors[0], `"actor":"operator","$correlationId":"`) ||
		!strings.Contains(actors[1], `{"reason":"operator"}`) {
		t.Errorf("recorded: %v", actors)
	}
}

func TestOperating(t *testing.T) {
	s := open(t, nil)
	c := s.client(operatorToken)
	p, err := c.Publish(t.Context(), wire.PublishRequest{
		Name:     "large",
		Title:    "A <large> one",
		Price:    wire.Price{Msat: 5, Per: 2},
		Min:      1,
		Max:      instant.Day,
		Grace:    hour,
		Warn:     &wire.Warn{Share: 100_000},
		Enforcer: "none",
	})
	s.must(err)
	if !p.OnOffer || p.Title != "A <large> one" || p.Warn == nil || p.Warn.Share != 100_000 || p.Enforcer != "none" {
		t.Errorf("published: %+v", p)
	}
	withdrawn, err := c.Withdraw(t.Context(), "large")
	s.must(err)
	plans, err := c.Plans(t.Context())
	s.must(err)
	if withdrawn.OnOffer || len(plans) != 1 {
		t.Errorf("withdrawn: %+v; on offer: %+v", withdrawn, plans)
	}
	if _, err := c.Quote(t.Context(), "large", hour, 0); client.Code(err) != "withdrawn_plan" {
		t.Errorf("quoting what is withdrawn: %v", err)
	}
	s.running("web-1")
	r, err := c.Grant(t.Context(), "web-1", wire.GrantRequest{Key: "outage", Time: hour, Reason: "outage"})
	s.must(err)
	if r.Remaining != 3*hour || len(r.Lots) != 2 || r.Lots[1].Grant != "outage" || r.Lots[1].Payment != "" {
		t.Errorf("granted: %+v", r)
	}
	if _, err := c.Grant(t.Context(), "web-1", wire.GrantRequest{Key: "outage", Time: 2 * hour}); client.Code(err) != "conflict" {
		t.Errorf("the same grant of another time: %v", err)
	}
	r, err = c.Reprice(t.Context(), "web-1", wire.Price{Msat: 2 * price, Per: hour})
	s.must(err)
	if r.Price.Msat != 2*price || r.Remaining != 3*hour {
		t.Errorf("repriced: %+v", r)
	}
}

func TestUnallocatedMoneyIsGiven(t *testing.T) {
	s := open(t, nil)
	c := s.client(operatorToken)
	o := s.running("web-1")
	if _, err := c.Release(t.Context(), "web-1"); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"ln-aa", "ln-bb"} {
		s.settle(key, price)
	}
	page, err := c.Unallocated(t.Context(), "", 1)
	s.must(err)
	if len(page.Payments) != 1 || page.Payments[0].Key != "ln-aa" || page.Next != "ln-aa" || page.Payments[0].Reason == "" {
		t.Errorf("the first page: %+v", page)
	}
	if page, err = c.Unallocated(t.Context(), page.Next, 2); err != nil || len(page.Payments) != 1 || page.Next != "" {
		t.Errorf("the last page: %+v, %v", page, err)
	}
	if _, err := c.Allocate(t.Context(), "ln-aa", wire.AllocateRequest{Resource: o.Resource.ID}); client.Code(err) != "released" {
		t.Errorf("to a released resource: %v", err)
	}
	s.order("web-2")
	_, err = c.Allocate(t.Context(), "ln-aa", wire.AllocateRequest{Resource: "web-2"})
	if client.Code(err) != "which_order" {
		t.Fatalf("to an order that it is not for: %v", err)
	}
	order := regexp.MustCompile(`[0-9a-f]{8} \(plan`).FindString(err.Error())[:8]
	p, err := c.Allocate(t.Context(), "ln-aa", wire.AllocateRequest{Resource: "web-2", Order: order})
	s.must(err)
	if p.Status != "credited" || p.Resource != "web-2" || p.Opened == nil || p.Opened.Order != order || p.Opened.At == 0 {
		t.Errorf("allocated: %+v", p)
	}
	r, err := c.Resource(t.Context(), "web-2")
	s.must(err)
	if r.Status != "running" || r.Remaining != hour {
		t.Errorf("the resource: %+v", r)
	}
}

func TestListsGoPageByPage(t *testing.T) {
	s := open(t, nil)
	for _, id := range []string{"a", "b", "c", "d", "e"} {
		s.order(id)
	}
	s.running("f")
	var ids []string
	c, after := s.client(operatorToken), ""
	for {
		page, err := c.Resources(t.Context(), after, 2, client.Filter{Status: "awaiting"})
		s.must(err)
		for _, r := range page.Resources {
			ids = append(ids, r.ID)
		}
		if after = page.Next; after == "" {
			break
		}
	}
	if !slices.Equal(ids, []string{"a", "b", "c", "d", "e"}) {
		t.Errorf("ids: %v", ids)
	}
}

// TestHeads asks for heads, which no call has of its own.
func TestHeads(t *testing.T) {
	s := open(t, nil)
	s.order("web-1")
	for _, path := range []string{
		"/v1/plans", "/v1/resources/web-1", "/v1/resources/web-1/live", "/v1/events?follow=true", "/v1/audit/dump",
		"/healthz", "/metrics",
	} {
		if got := s.send(http.MethodHead, path, "", bearer(auditorToken)); got.status != 200 || got.body != "" {
			t.Errorf("HEAD %s: %d %q", path, got.status, got.body)
		}
	}
}
