package web_test

import (
	"html"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"sandglass/adapters/httpapi"
	"sandglass/adapters/httpapi/middleware"
	"sandglass/adapters/web"
	"sandglass/domain/instant"
	"sandglass/domain/plan"
	"sandglass/domain/plan/param"
	"sandglass/domain/resource"
	"sandglass/testutil/shop"
)

// front is the pages beside a real API, as a browser without JavaScript sees them.
type front struct {
	*shop.Shop
	t *testing.T
}

// open returns the pages of a shop that sells "small", whose title is hostile and which has parameters.
func open(t *testing.T, publicURL string, change func(*httpapi.Options)) *front {
	t.Helper()
	s := shop.Open(t, func(s *shop.Shop, o *httpapi.Options) {
		site, err := web.New(web.Options{API: s, Now: s.Clock.Now, PublicURL: publicURL, Chain: true})
		if err != nil {
			t.Fatal(err)
		}
		o.PublicURL = publicURL
		for _, r := range site.Routes() {
			o.Mounts = append(o.Mounts, httpapi.Mount{Pattern: r.Pattern, Handler: r.Handler, Traits: middleware.Traits{Free: true}})
		}
		if change != nil {
			change(o)
		}
	})
	s.Publish("small", func(o *plan.Offer) {
		o.Title, o.Enforcer, o.Capacity = title, "process", 9
		o.Terms.Warn = resource.Warn{Time: instant.Hour}
		o.Params = param.SpecOf(
			param.Param{Name: "ssh_key", Required: true, Max: 80},
			param.Param{Name: "notes", Max: 80, Lines: true},
			param.Param{Name: "image", Choices: []string{"debian", "alpine"}, Default: "debian"},
		)
	})
	return &front{s, t}
}

const title = `</title><script>alert(1)</script>"'&{{.}}`

// answer is what a browser has in its window.
type answer struct {
	status int
	header http.Header
	body   string
	at     string // the path that it was asked at
}

// send asks for a path, with a form if there is one, and headers that are "Name: value".
func (f *front) send(method, path string, form url.Values, headers ...string) answer {
	f.t.Helper()
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	r := httptest.NewRequest(method, path, body)
	r.Header.Set("Accept", "text/html,*/*;q=0.8")
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		if r.Header.Set(name, value); name == "Host" {
			r.Host = value
		}
	}
	w := httptest.NewRecorder()
	f.ServeHTTP(w, r)
	return answer{w.Code, w.Header(), w.Body.String(), path}
}

func (f *front) get(path string, headers ...string) answer {
	return f.send("GET", path, nil, headers...)
}

// follow goes where an answer leads to, which is relative to where it was asked for.
func (f *front) follow(a answer) answer {
	f.t.Helper()
	from, _ := url.Parse(a.at)
	to, err := from.Parse(a.header.Get("Location"))
	if a.status != http.StatusSeeOther || err != nil || strings.HasPrefix(a.header.Get("Location"), "/") {
		f.t.Fatalf("%d to %q: %v\n%s", a.status, a.header.Get("Location"), err, text(a.body))
	}
	return f.get(to.String())
}

var (
	inputs = regexp.MustCompile(`<(?:input|button)[^>]* name="([^"]+)"[^>]* value="([^"]*)"`)
	tags   = regexp.MustCompile(`<[^>]*>`)
	spaces = regexp.MustCompile(`[\s\x{202f}]+`)
)

// hidden returns the values that the forms of a page have already, but for choices.
func hidden(a answer) url.Values {
	values := url.Values{}
	for _, m := range inputs.FindAllStringSubmatch(a.body, -1) {
		if !strings.Contains(m[0], `type="radio"`) && m[2] != "" {
			values.Set(m[1], html.UnescapeString(m[2]))
		}
	}
	return values
}

// text returns what is to be read of a page.
func text(body string) string {
	return strings.TrimSpace(spaces.ReplaceAllString(html.UnescapeString(tags.ReplaceAllString(body, " ")), " "))
}

// says fails unless a page has a status and says all of these.
func (f *front) says(a answer, status int, all ...string) {
	f.t.Helper()
	if a.status != status {
		f.t.Errorf("%s: status %d, not %d", a.at, a.status, status)
	}
	for _, want := range all {
		if !strings.Contains(text(a.body), want) {
			f.t.Errorf("%s says nothing of %q:\n%s", a.at, want, text(a.body))
		}
	}
}

var (
	keyOf  = regexp.MustCompile(`data-key="([^"]+)"`)
	pageOf = regexp.MustCompile(`data-page="([^"]+)"`)
	payOf  = regexp.MustCompile(`[?&]pay=([^&"]+)`)
)

// first returns what a pattern finds first.
func (f *front) first(of *regexp.Regexp, a answer) string {
	f.t.Helper()
	m := of.FindStringSubmatch(a.body)
	if m == nil {
		f.t.Fatalf("%s has no %s:\n%s", a.at, of, text(a.body))
	}
	return html.UnescapeString(m[1])
}

// order orders by the forms, and returns the page that shows the key, the key and the page of the resource.
func (f *front) order(hours string) (a answer, key, page string) {
	f.t.Helper()
	form := hidden(f.get("/order?plan=small"))
	form.Set("n", hours)
	form.Set("unit", "h")
	form.Set("param.ssh_key", "ssh-ed25519 AAAA")
	form.Set("param.image", "alpine")
	a = f.send("POST", "/order", form)
	f.says(a, 200, "Your key: keep it now", "Pay with Lightning")
	return a, f.first(keyOf, a), f.first(pageOf, a)
}

// running orders, and pays.
func (f *front) running(hours string) (key, page string) {
	f.t.Helper()
	a, key, page := f.order(hours)
	f.Pay(f.first(payOf, a))
	page, _, _ = strings.Cut(page, "?")
	return key, page
}
