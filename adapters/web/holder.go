package web

import (
	"context"
	"net/url"
	"strings"

	"sandglass/adapters/httpapi/wire"
)

// do has the API do what a holder asks for, and goes back to the page of the resource, which says so.
func (p *page) do(call func(ctx context.Context, id string) (wire.Resource, error), back, done string) error {
	id := p.r.PathValue("id")
	if _, err := call(p.r.Context(), id); err != nil {
		return p.withProblem(err)
	}
	return p.to(back+url.PathEscape(id), "done", done)
}

func (s *Site) pause(p *page) error  { return p.do(p.api(p.form("key")).Pause, "../", "pause") }
func (s *Site) resume(p *page) error { return p.do(p.api(p.form("key")).Resume, "../", "resume") }

// release ends a resource once that was confirmed.
func (s *Site) release(p *page) error {
	if p.form("confirm") == "yes" {
		return p.do(p.api(p.form("key")).Release, "../", "release")
	}
	r, err := p.api("").Resource(p.r.Context(), p.r.PathValue("id"))
	if err != nil {
		return err
	}
	p.Title = p.T("release.title", r.ID)
	p.Body = struct {
		wire.Resource
		Key string
	}{r, p.form("key")}
	return p.render("confirm")
}

// access shows how a resource is reached.
func (s *Site) access(p *page) error {
	text, err := p.api(p.form("key")).Access(p.r.Context(), p.r.PathValue("id"))
	if err != nil {
		return p.withProblem(err)
	}
	return p.resourcePage(func(v *resourceView) { v.Access = text })
}

// setParams sets the parameters that were filled in; the others stay.
func (s *Site) setParams(p *page) error {
	values := p.params()
	return p.do(func(ctx context.Context, id string) (wire.Resource, error) {
		return p.api(p.form("key")).SetParams(ctx, id, values)
	}, "../", "params")
}

func (s *Site) deleteParams(p *page) error {
	return p.do(p.api(p.form("key")).DeleteParams, "../../", "params_deleted")
}

// params returns the parameters that a form has a value for. Browsers end lines otherwise than files do.
func (p *page) params() map[string]string {
	_ = p.r.ParseForm() // what can't be read has no values
	values := map[string]string{}
	for name := range p.r.PostForm {
		if param, ok := strings.CutPrefix(name, "param."); ok && p.form(name) != "" {
			values[param] = strings.ReplaceAll(p.form(name), "\r\n", "\n")
		}
	}
	return values
}
