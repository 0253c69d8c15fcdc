// Package web is the pages by which people order, pay and hold resources, with and without JavaScript.
//
// It is a client of the API in the same process: each page asks the API's own handler, in the name of who
// asked, and renders what that says. So a page tells nobody more than the API does, and every limit and every
// refusal is the API's. No rule is written here, nothing is kept, and no cookie is set: the key of a holder
// comes with each form, from who typed it or from the script that found it in the fragment of the address.
//
// One file is one page. A page is whole as it comes from here; the scripts among the assets do no more than
// send its forms, put what comes back in its place, and count down.
package web

import (
	"errors"
	"html/template"
	"net/http"
	"net/url"
	"strings"

	"sandglass/adapters/httpapi/client"
	"sandglass/adapters/httpapi/client/inprocess"
	"sandglass/adapters/web/assets"
	"sandglass/adapters/web/brand"
	"sandglass/domain/instant"
)

// Options are what pages are made of. API and Now are required.
type Options struct {
	API       http.Handler        // answers the calls
	Now       func() instant.Time // of the daemon
	PublicURL string              // where people reach the pages; its path begins every link; it may be empty
	Brand     brand.Brand         // without a name it is Sandglass
	Chain     bool                // whether payments on the chain are taken
}

// Site answers with the pages.
type Site struct {
	Options
	origin    string // of PublicURL
	prefix    string // its path
	templates map[string]*template.Template
}

// New returns the pages.
func New(o Options) (*Site, error) {
	if o.API == nil || o.Now == nil {
		return nil, errors.New("web: pages need the API and a clock")
	}
	if o.Brand.Name == "" {
		o.Brand.Name = "Sandglass"
	}
	s := &Site{Options: o}
	if u, err := url.Parse(o.PublicURL); err == nil && u.Host != "" {
		s.origin, s.prefix = u.Scheme+"://"+u.Host, strings.TrimSuffix(u.Path, "/")
	}
	var err error
	s.templates, err = parse()
	return s, err
}

// Route is what is served at a pattern of [http.ServeMux].
type Route struct {
	Pattern string
	Handler http.Handler
}

// Routes returns what there is. GET / is a call of the API too, for who does not ask for HTML.
func (s *Site) Routes() []Route {
	routes := []Route{
		{"GET /assets/{hash}/{file}", assets.Handler()},
		{"GET /brand/{hash}/{file}", s.Brand.Handler()},
	}
	for pattern, answer := range map[string]func(*page) error{
		"GET /{$}":                   s.shop,
		"GET /order":                 s.orderForm,
		"POST /order":                s.order,
		"GET /r/{id}":                s.byEnding,
		"POST /r/{id}/pay":           s.topUp,
		"POST /r/{id}/address":       s.address,
		"POST /r/{id}/pause":         s.pause,
		"POST /r/{id}/resume":        s.resume,
		"POST /r/{id}/release":       s.release,
		"POST /r/{id}/access":        s.access,
		"POST /r/{id}/params":        s.setParams,
		"POST /r/{id}/params/delete": s.deleteParams,
		"GET /imprint":               s.imprint,
		"GET /terms":                 s.terms,
		"GET /p/{payment}":           s.receipt,
		"GET /p/{payment}/receipt":   s.proof,
	} {
		routes = append(routes, Route{pattern, s.handler(answer)})
	}
	return routes
}

// handler answers with a page: with what an error says where there is one.
func (s *Site) handler(answer func(*page) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		guard(w.Header())
		p := s.newPage(w, r)
		if r.Method == http.MethodPost && !s.sameSite(r) {
			p.fail(errForeign)
			return
		}
		if err := answer(p); err != nil {
			p.fail(err)
		}
	})
}

// api returns the API in the name of who asked, with the key of a holder, which may be empty.
func (p *page) api(key string) *client.Client { return inprocess.Client(p.site.API, p.r, p.w, key) }
