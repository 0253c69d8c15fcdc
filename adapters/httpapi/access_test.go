package httpapi_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"sandglass/adapters/httpapi"
	"sandglass/domain/billing/params"
	"sandglass/domain/enforce/access"
	"sandglass/domain/resource"
)

// The holder learns how a resource is reached, and nobody else; what keeps him from it has a code.
func TestAccess(t *testing.T) {
	var says string
	var fails error
	s := open(t, func(o *httpapi.Options) {
		o.Access = func(_ context.Context, id resource.ID) (string, error) {
			if id != "web-1" {
				t.Errorf("it asks for %q", id)
			}
			return says, fails
		}
	})
	o := s.order("web-1")
	const path = "/v1/resources/web-1/access"
	holder := "Authorization: Bearer " + o.HolderKey
	s.settle(o.Payment.Key, price)
	s.settled("web-1")
	for text, kind := range map[string]string{
		"the-secret\n": "text/plain; charset=utf-8", "22": "text/plain; charset=utf-8", `{"password":"the-secret"}`: "application/json",
	} {
		says = text
		for _, who := range []string{holder, "Authorization: Bearer " + operatorToken} {
			a := s.send("GET", path, "", who)
			if a.status != 200 || a.body != text || a.header.Get("Content-Type") != kind || a.header.Get("Cache-Control") != "no-store" {
				t.Errorf("%q is answered as %d %q %v", text, a.status, a.body, a.header)
			}
		}
		if got, err := s.client(o.HolderKey).Access(t.Context(), "web-1"); err != nil || got != text {
			t.Errorf("its client reads %q, %v", got, err)
		}
	}
	for token, want := range map[string]int{"": 401, "guess": 403, auditorToken: 403} {
		var who []string
		if token != "" {
			who = []string{"Authorization: Bearer " + token}
		}
		if a := s.send("GET", path, "", who...); a.status != want || strings.Contains(a.body, "the-secret") {
			t.Errorf("%q is answered %d %s, want %d", token, a.status, a.body, want)
		}
	}
	for _, test := range []struct {
		err    error
		status int
		code   string
	}{
		{access.ErrNone, 404, "no_access"}, {access.ErrNotUp, 409, "not_up"}, {access.ErrTooSoon, 429, "too_soon"},
		{access.ErrBusy, 503, "busy"}, {access.ErrFailed, 502, "access_failed"},
		{fmt.Errorf("%w: dial unix /run", access.ErrNoKeeper), 503, "no_keeper"}, {params.ErrElsewhere, 409, "other_host"},
	} {
		fails = test.err
		a := s.send("GET", path, "", holder)
		if a.status != test.status || a.problem.Code != test.code || strings.Contains(a.body, "/run") {
			t.Errorf("%v is answered as %d %s", test.err, a.status, a.body)
		}
	}
	if strings.Contains(s.log.String(), "the-secret") {
		t.Error("it is in the daemon's own log")
	}
}

// Where there is no keeper, nobody can be asked.
func TestAccessWithoutAKeeper(t *testing.T) {
	s := open(t, nil)
	o := s.running("web-1")
	a := s.send("GET", "/v1/resources/web-1/access", "", "Authorization: Bearer "+o.HolderKey)
	if a.status != http.StatusServiceUnavailable || a.problem.Code != "no_keeper" {
		t.Errorf("%d %s", a.status, a.body)
	}
}
