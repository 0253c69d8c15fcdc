package web

import (
	"net/http"

	"sandglass/adapters/httpapi/client"
	"sandglass/adapters/httpapi/wire"
	"sandglass/adapters/web/brand"
)

// imprint answers with who offers this.
func (s *Site) imprint(p *page) error { return p.paragraphs("imprint.title", s.Brand.Imprint) }

// terms answers with the terms.
func (s *Site) terms(p *page) error { return p.paragraphs("terms.title", s.Brand.Terms) }

// paragraphs answers with a text of the operator's.
func (p *page) paragraphs(title string, text []brand.Paragraph) error {
	if text == nil {
		return &client.Problem{Problem: wire.Problem{Status: http.StatusNotFound, Code: "no_text", Detail: "the operator gave none"}}
	}
	p.Title, p.Body = p.T(title), text
	return p.render("paragraphs")
}
