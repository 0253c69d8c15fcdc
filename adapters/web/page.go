package web

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"sandglass/adapters/httpapi/client"
	"sandglass/adapters/httpapi/client/inprocess"
	"sandglass/adapters/httpapi/wire"
	"sandglass/adapters/web/assets"
	"sandglass/adapters/web/brand"
	"sandglass/adapters/web/texts"
	"sandglass/adapters/web/units"
)

//go:embed templates
var files embed.FS

// parse returns the template of each page, by its name.
func parse() (map[string]*template.Template, error) {
	pages := map[string]*template.Template{}
	for _, name := range []string{"shop", "order", "resource", "confirm", "problem", "paragraphs", "receipt"} {
		t, err := template.ParseFS(files, "templates/layout.html", "templates/part-*.html", "templates/"+name+".html")
		if err != nil {
			return nil, fmt.Errorf("web: %w", err)
		}
		pages[name] = t
	}
	return pages, nil
}

// page is one answer, and what its template sees. Its methods are for templates.
type page struct {
	site *Site
	w    http.ResponseWriter
	r    *http.Request
	said bool // the language was asked for in the address

	texts.Texts
	units.Format
	Title   string
	Style   string // a stylesheet of the page's own; empty: none
	Refresh string // where a browser without scripts goes on to; empty: nowhere
	After   int    // so many seconds
	Notice  string // what went wrong
	Status  int    // of the answer; 0 is 200
	Body    any    // of the page's own
}

func (s *Site) newPage(w http.ResponseWriter, r *http.Request) *page {
	asked := r.URL.Query().Get("lang")
	t := texts.For(asked, r.Header.Get("Accept-Language"))
	return &page{site: s, w: w, r: r, said: asked == t.Lang(), Texts: t, Format: units.For(t)}
}

// Shop returns the name of the shop.
func (p *page) Shop() string { return p.site.Brand.Name }

// Brand returns what the operator gives the pages.
func (p *page) Brand() *brand.Brand { return &p.site.Brand }

// OfBrand returns the link to a file of the operator's, "" where he gave none.
func (p *page) OfBrand(name string) string {
	if path := p.site.Brand.Path(name); path != "" {
		return p.site.prefix + path
	}
	return ""
}

// Say returns the text of what has a name; "" where there is none.
func (p *page) Say(prefix, name string) string {
	text, _ := p.Find(prefix + name)
	return text
}

// Asset returns the link to a file of the assets.
func (p *page) Asset(name string) string { return p.site.prefix + assets.Path(name) }

// Link returns the link to a path of ours, each of whose parts is escaped, with the query that names and values
// make. The language goes with it if it was asked for.
func (p *page) Link(path string, query ...string) string {
	return p.site.prefix + path + p.query(query)
}

// Resource returns the link to a page or a form of a resource.
func (p *page) Resource(id string, rest ...string) string {
	return p.Link("/r/" + strings.Join(append([]string{url.PathEscape(id)}, rest...), "/"))
}

func (p *page) query(pairs []string) string {
	q := url.Values{}
	if p.said {
		q.Set("lang", p.Lang())
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			q.Set(pairs[i], pairs[i+1])
		}
	}
	if len(q) == 0 {
		return ""
	}
	return "?" + q.Encode()
}

// Other is this page in another language.
type Other struct{ Link, Lang, Name string }

// Others returns this page in the other languages; nothing of what a form was answered with.
func (p *page) Others() (list []Other) {
	for _, lang := range p.Languages() {
		if lang == p.Lang() || p.r.Method == http.MethodPost {
			continue
		}
		q := p.r.URL.Query()
		q.Set("lang", lang)
		list = append(list, Other{p.site.prefix + p.r.URL.EscapedPath() + "?" + q.Encode(), lang, texts.For(lang, "").T("language")})
	}
	return list
}

// Full returns the address of a path for somebody else, or "" where it is not known.
func (p *page) Full(path string) string {
	if p.site.PublicURL == "" {
		return ""
	}
	return p.site.origin + p.site.prefix + path
}

// API returns the path of the API, for the scripts.
func (p *page) API() string { return p.site.prefix + "/v1" }

// form returns a value of the form that was sent, without the spaces around it.
func (p *page) form(name string) string { return strings.TrimSpace(p.r.PostFormValue(name)) }

// render answers with a page.
func (p *page) render(name string) error {
	var b bytes.Buffer
	if err := p.site.templates[name].ExecuteTemplate(&b, "layout", p); err != nil {
		return fmt.Errorf("web: the page %s: %w", name, err)
	}
	h := p.w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Language", p.Lang())
	h.Add("Vary", "Accept-Language")
	p.w.WriteHeader(max(p.Status, http.StatusOK))
	_, _ = p.w.Write(b.Bytes()) // who asked may have gone
	return nil
}

// to goes on to another page by a link that is relative to this one: it names no host, whichever it was
// reached by.
func (p *page) to(relative string, query ...string) error {
	p.w.Header().Set("Location", relative+p.query(query))
	p.w.WriteHeader(http.StatusSeeOther)
	return nil
}

// refused notes what the API refused, to be told on the page that is rendered next. Any other error is returned.
func (p *page) refused(err error) error {
	refusal, ok := errors.AsType[*client.Problem](err)
	if !ok {
		return err
	}
	p.Status, p.Notice = refusal.Status, p.why(refusal)
	if refusal.RetryAfter > 0 {
		p.w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(refusal.RetryAfter.Seconds()))))
	}
	return nil
}

// why says in words of the page's language why something was refused, or else in those of the API, which a text
// may have as its argument.
func (p *page) why(refusal *client.Problem) string {
	if text, ok := p.Find("problem."+refusal.Code, refusal.Detail); ok {
		return text
	}
	return refusal.Detail
}

// fail answers with an error.
func (p *page) fail(err error) {
	if p.refused(err) != nil {
		p.Status, p.Notice = http.StatusInternalServerError, p.T("problem.internal_error")
		inprocess.Note(p.w, wire.Problem{Status: p.Status, Code: "internal_error"}, err) // what the API refuses it notes itself
	}
	if p.Status == http.StatusForbidden || p.Status == http.StatusUnauthorized {
		p.Title = p.T("problem.title.forbidden")
	}
	switch {
	case p.Status == http.StatusNotFound:
		p.Title = p.T("problem.title.not_found")
	case p.Status == http.StatusTooManyRequests || p.Status == http.StatusServiceUnavailable:
		p.Title = p.T("problem.title.later")
	case p.Title == "":
		p.Title = p.T("problem.title.other")
	}
	p.Body = wire.Problem{Status: p.Status, RequestID: p.w.Header().Get("X-Request-Id")}
	if p.render("problem") != nil {
		p.w.WriteHeader(http.StatusInternalServerError)
	}
}
