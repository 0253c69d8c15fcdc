package web_test

import (
	"bytes"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sandglass/adapters/httpapi"
	"sandglass/adapters/httpapi/middleware"
	"sandglass/adapters/web"
	"sandglass/domain/instant"
	"sandglass/testutil/shop"

	"github.com/rs/zerolog"
)

// pages returns each page that there is, of a shop all of whose texts are hostile.
func (f *front) pages() map[string]answer {
	f.t.Helper()
	ordered, key, page := f.order("2")
	path, _, _ := strings.Cut(page, "?")
	all := map[string]answer{
		"shop": f.get("/"), "form": f.get("/order?plan=small"), "ordered": ordered, "awaiting": f.get(page),
		"unknown": f.get("/r/<b>"), "foreign": f.send("POST", path+"/pay", url.Values{}, "Origin: https://evil.example"),
		"refused": f.send("POST", path+"/pay", url.Values{"n": {`"><script>`}}),
		"german":  f.get(page, "Accept-Language: de"), "said": f.get(path + "?lang=de&pay=%22%3E%3Cscript%3E&done=<script>"),
	}
	f.Pay(f.first(payOf, ordered))
	all["paid"] = f.get(page)
	all["confirm"] = f.send("POST", path+"/release", url.Values{"key": {`"><script>` + key}})
	f.follow(f.send("POST", path+"/pause", url.Values{"key": {key}}))
	all["paused"] = f.get(path)
	f.Clock.Advance(2 * instant.Minute)
	f.follow(f.send("POST", path+"/resume", url.Values{"key": {key}}))
	f.Clock.Advance(90 * instant.Minute)
	f.Settle(path[len("/r/"):])
	all["low"] = f.get(path)
	f.Clock.Advance(instant.Hour)
	f.Settle(path[len("/r/"):])
	all["suspended"] = f.get(path)
	f.send("POST", path+"/release", url.Values{"key": {key}, "confirm": {"yes"}})
	all["released"] = f.get(path)
	return all
}

var (
	// What a page may have of these is its own alone: a script from a file, and no handler or style in a tag.
	scripts   = regexp.MustCompile(`<script[^>]*>`)
	inline    = regexp.MustCompile(`<[^>]* (?:on[a-z]+|style)=|<style|javascript:`)
	missing   = regexp.MustCompile(`\b(?:status|why|problem|done|pay|coming|holder|key|amount|state|unit|topup|lots)\.[a-z_.]+\b`)
	elsewhere = regexp.MustCompile(`(?:href|src|action|formaction)="(?:[a-z]+:)?//[^"]*"`)
)

// TestEveryPageIsGuarded: what others wrote is text, and nothing is loaded, framed or told to another site.
func TestEveryPageIsGuarded(t *testing.T) {
	f := open(t, "", nil)
	all := f.pages()
	for _, name := range slices.Sorted(maps.Keys(all)) {
		a := all[name]
		h := a.header
		policy := h.Get("Content-Security-Policy")
		for _, want := range []string{"default-src 'none'", "script-src 'self';", "frame-ancestors 'none'", "form-action 'self'"} {
			if !strings.Contains(policy, want) {
				t.Errorf("%s: the policy has no %s: %s", name, want, policy)
			}
		}
		if h.Get("X-Frame-Options") != "DENY" || h.Get("Referrer-Policy") != "no-referrer" || h.Get("Cache-Control") != "no-store" ||
			h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Set-Cookie") != "" {
			t.Errorf("%s: %v", name, h)
		}
		if found := scripts.FindAllString(a.body, -1); len(found) != 1 || !strings.Contains(found[0], `type="module" src="/assets/`) {
			t.Errorf("%s: %v", name, found)
		}
		for _, bad := range []*regexp.Regexp{inline, elsewhere} {
			if found := bad.FindString(a.body); found != "" {
				t.Errorf("%s: %s", name, found)
			}
		}
		if found := missing.FindString(text(a.body)); found != "" {
			t.Errorf("%s has no text for %s", name, found)
		}
		if !strings.Contains(a.body, "</html>") || strings.Count(a.body, "<h1>") != 1 || strings.Count(a.body, "</title>") != 1 {
			t.Errorf("%s is not whole:\n%s", name, a.body)
		}
	}
	for name, want := range map[string]string{
		"awaiting": "Waiting for your payment", "low": "Running low", "suspended": "Stopped: the time is used up",
		"released": "Ended for good",
		"paused":   "Paused", "german": "Wartet auf die Zahlung", "unknown": "There is nothing here",
	} {
		if !strings.Contains(text(all[name].body), want) {
			t.Errorf("%s does not say %q:\n%s", name, want, text(all[name].body))
		}
	}
}

// TestAForgedHostIsNotBelieved: links are made of the path of SANDGLASS_PUBLIC_URL, and a form leads on by a
// relative link, which stays where the browser is.
func TestAForgedHostIsNotBelieved(t *testing.T) {
	f := open(t, "https://pay.example.org/shop/", nil)
	evil := []string{"Host: evil.example", "X-Forwarded-Host: evil.example"}
	a, _, page := f.order("2")
	page = strings.TrimPrefix(page, "/shop") // as the proxy does
	path, _, _ := strings.Cut(page, "?")
	for _, got := range []answer{f.get("/", evil...), f.get(page, evil...), a, f.get("/r/none", evil...)} {
		if strings.Contains(got.body, "evil.example") {
			t.Errorf("%s believes it:\n%s", got.at, got.body)
		}
		for _, link := range regexp.MustCompile(`(?:href|src|action|formaction)="([^"]*)"`).FindAllStringSubmatch(got.body, -1) {
			own := strings.HasPrefix(link[1], "/shop/") || strings.HasPrefix(link[1], "#") || strings.HasPrefix(link[1], "lightning:") ||
				strings.HasPrefix(link[1], "data:text/plain") || strings.HasPrefix(link[1], "webcal://pay.example.org/shop/")
			if !own {
				t.Errorf("%s links to %s", got.at, link[1])
			}
		}
	}
	f.says(f.get(page), 200, "https://pay.example.org/shop"+path)
	more := f.send("POST", path+"/pay", url.Values{"time": {"3600000"}}, evil...)
	if to := more.header.Get("Location"); more.status != 303 || !strings.HasPrefix(to, ".."+path[2:]+"?pay=") {
		t.Errorf("%d to %s", more.status, to)
	}
	assets := regexp.MustCompile(`(?:href|src)="/shop(/assets/[^"]*)"`).FindAllStringSubmatch(a.body, -1)
	for _, one := range assets {
		got := f.get(one[1])
		if got.status != 200 || !strings.Contains(got.header.Get("Cache-Control"), "immutable") {
			t.Errorf("%s: %d %v", one[1], got.status, got.header)
		}
	}
	if len(assets) != 3 {
		t.Errorf("%d assets", len(assets))
	}
	for _, gone := range []string{"/assets/0000000000000000/style.css", strings.Replace(assets[0][1], "icon", "none", 1)} {
		if got := f.get(gone); got.status != 404 {
			t.Errorf("%s: %d", gone, got.status)
		}
	}
}

// TestFormsOfOtherSites are refused by what a browser says of them, before anything is done.
func TestFormsOfOtherSites(t *testing.T) {
	f := open(t, "https://pay.example.org", nil)
	key, page := f.running("2")
	for said, ok := range map[string]bool{
		"Sec-Fetch-Site: cross-site":       false,
		"Sec-Fetch-Site: same-site":        false,
		"Sec-Fetch-Site: same-origin":      true,
		"Sec-Fetch-Site: none":             true,
		"Origin: https://evil.example":     false,
		"Origin: https://pay.example.org":  true,
		"Origin: http://pay.example.org":   false,
		"Origin: http://onion.example":     true, // by which name it was reached
		"Origin: https://pay.example.org.": false,
		"Origin: null":                     true, // what a page without referrer says of itself
		"X-Nothing: said":                  true,
	} {
		f.Clock.Advance(instant.Minute) // parameters are set once in it
		a := f.send("POST", page+"/params", url.Values{"key": {key}, "param.image": {"debian"}}, said, "Host: onion.example")
		if ok != (a.status == 303) || !ok && a.status != 403 {
			t.Errorf("%s: %d %s", said, a.status, text(a.body))
		}
	}
}

// TestAGuessedIdTellsNothing: a page of what is not there is the same for all, and tells no more than the API.
func TestAGuessedIdTellsNothing(t *testing.T) {
	f := open(t, "", nil)
	_, page := f.running("2")
	for _, id := range []string{"none", "web-1", strings.Repeat("x", 64), "%2e%2e", "a%00b", "a%2fb", strings.Repeat("x", 200)} {
		for _, a := range []answer{
			f.get("/r/" + id), f.get("/r/" + id + "?pay=ln-00"), f.send("POST", "/r/"+id+"/pay", url.Values{"time": {"3600000"}}),
			f.send("POST", "/r/"+id+"/pause", url.Values{"key": {"guessed"}}), f.send("POST", "/r/"+id+"/release", url.Values{}),
		} {
			refused := a.status == 404 || a.status == 422 || a.status == 409
			if !refused || strings.Contains(a.body, "small") || strings.Contains(a.body, page) {
				t.Errorf("%s: %d %s", a.at, a.status, text(a.body))
			}
		}
	}
	// Nor does the payment of another resource show there.
	other, _, _ := f.order("3")
	f.says(f.get(page+"?pay="+f.first(payOf, other)), 200, "Running")
	if a := f.get(page + "?pay=" + f.first(payOf, other)); strings.Contains(a.body, "Pay with Lightning") {
		t.Error("another's invoice is shown")
	}
}

// TestPagesHoldTheRates: what a page asks for counts as the visitor's own.
func TestPagesHoldTheRates(t *testing.T) {
	f := open(t, "", func(o *httpapi.Options) {
		o.Limits.Writes = httpapi.Rate{PerSecond: 1e-3, Burst: 3}
	})
	_, page := f.running("2") // one of them
	for i, want := range []int{303, 303, 429} {
		a := f.send("POST", page+"/pay", url.Values{"time": {"3600000"}})
		if a.status != want || want == 429 && (a.header.Get("Retry-After") == "" || !strings.Contains(text(a.body), "many requests")) {
			t.Errorf("%d: %d %v %s", i, a.status, a.header, text(a.body))
		}
	}
	large := f.send("POST", "/order", url.Values{"param.notes": {strings.Repeat("x", 1<<17)}})
	if large.status != 413 {
		t.Errorf("a large form: %d", large.status)
	}
}

// TestWhatFailsIsLogged: the visitor is told a number, and the operator finds by it why.
func TestWhatFailsIsLogged(t *testing.T) {
	var text bytes.Buffer
	s := shop.Open(t, func(s *shop.Shop, o *httpapi.Options) {
		broken := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("no JSON")) })
		site, err := web.New(web.Options{API: broken, Now: s.Clock.Now})
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range site.Routes() {
			o.Mounts = append(o.Mounts, httpapi.Mount{Pattern: r.Pattern, Handler: r.Handler, Traits: middleware.Traits{Free: true}})
		}
		o.Log = zerolog.New(&text)
	})
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest("GET", "/r/web-1", nil))
	number := w.Header().Get("X-Request-Id")
	if body := w.Body.String(); w.Code != 500 || !strings.Contains(body, number+"</code>") || strings.Contains(body, "invalid") {
		t.Errorf("%d %s", w.Code, body)
	}
	if got := text.String(); !strings.Contains(got, number) || !strings.Contains(got, "invalid character") {
		t.Errorf("%s: %s", number, got)
	}
}
