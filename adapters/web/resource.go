package web

import "sandglass/adapters/httpapi/wire"

// resourceView is a resource as its page shows it.
type resourceView struct {
	wire.Resource
	Name     string
	Headline string
}

// resource answers with the page of a resource.
func (s *Site) resource(p *page) error {
	r, err := p.api("").Resource(p.r.Context(), p.r.PathValue("id"))
	if err != nil {
		return err
	}
	p.Title, p.Body = r.ID, &resourceView{Resource: r, Name: r.ID, Headline: p.T("status." + r.Status)}
	return p.render("resource")
}
