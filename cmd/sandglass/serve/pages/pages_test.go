package pages_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"sandglass/cmd/sandglass/config"
	"sandglass/cmd/sandglass/serve/pages"
	"sandglass/domain/instant"
)

// open returns the pages of a shop.
func open(t *testing.T, c config.Config) (http.Handler, error) {
	t.Helper()
	c.Pages = true
	mounts, err := pages.Mounts(&c, http.NotFoundHandler(), func() instant.Time { return 0 })
	mux := http.NewServeMux()
	for _, m := range mounts {
		if !m.Traits.Free {
			t.Errorf("%s counts, besides the calls that it makes", m.Pattern)
		}
		mux.Handle(m.Pattern, m.Handler)
	}
	return mux, err
}

func get(t *testing.T, h http.Handler, path string) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
	return w
}

func file(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

const svg = `<svg xmlns="http://www.w3.org/2000/svg"><circle r="4"/></svg>`

// TestTheOperatorsPages: his name heads them all, his texts stand on pages of their own and are shown as
// they are, and his files are there, under a path.
func TestTheOperatorsPages(t *testing.T) {
	h, err := open(t, config.Config{
		PublicURL: "https://example.org/pay", ShopName: "O'Neill & <Sons>", ShopColor: "#ff8800", ShopLogo: file(t, svg),
		ShopImprint: file(t, "Ann O'Neill\n1 Main St\n\n<script>alert(1)</script>"), ShopTerms: file(t, "No refunds."),
	})
	if err != nil {
		t.Fatal(err)
	}
	body := get(t, h, "/imprint").Body.String()
	for _, want := range []string{
		"O&#39;Neill &amp; &lt;Sons&gt;</a>", "<p>Ann O&#39;Neill<br>\n1 Main St</p>", "<p>&lt;script&gt;alert(1)&lt;/script&gt;</p>",
		`href="/pay/terms"`, `href="/pay/imprint"`,
	} {
		if !strings.Contains(body, want) {
			t.Errorf("no %s in %s", want, body)
		}
	}
	if got := get(t, h, "/terms").Body.String(); !strings.Contains(got, "<p>No refunds.</p>") {
		t.Errorf("the terms: %s", got)
	}
	for name, want := range map[string]string{"logo": "image/svg+xml", "accent.css": "text/css; charset=utf-8"} {
		link := regexp.MustCompile(`"/pay(/brand/\w+/` + name + `)"`).FindStringSubmatch(body)
		if link == nil {
			t.Fatalf("no link to %s in %s", name, body)
		}
		got := get(t, h, link[1])
		if got.Code != 200 || got.Header().Get("Content-Type") != want || got.Body.Len() < 50 ||
			!strings.Contains(got.Header().Get("Content-Security-Policy"), "sandbox") {
			t.Errorf("%s: %d %v %s", name, got.Code, got.Header(), got.Body)
		}
		if got := get(t, h, "/brand/0123456789abcdef/"+name); got.Code != 404 {
			t.Errorf("%s of another hash: %d", name, got.Code)
		}
	}
}

func TestPagesOfNobody(t *testing.T) {
	h, err := open(t, config.Config{})
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/imprint", "/terms"} {
		got := get(t, h, path)
		body := got.Body.String()
		if got.Code != 404 || !strings.Contains(body, ">Sandglass</a>") || strings.Contains(body, `"/imprint"`) ||
			strings.Contains(body, `"/terms"`) || strings.Contains(body, "/brand/") {
			t.Errorf("%s: %d %s", path, got.Code, body)
		}
	}
	if mounts, err := pages.Mounts(&config.Config{}, nil, nil); len(mounts) > 0 || err != nil {
		t.Errorf("turned off: %v, %v", mounts, err)
	}
}

// TestWhatCannotBeShownIsRefused: at the start, by the name of its setting.
func TestWhatCannotBeShownIsRefused(t *testing.T) {
	none := filepath.Join(t.TempDir(), "none")
	for want, c := range map[string]config.Config{
		"SANDGLASS_SHOP_LOGO: open ":    {ShopLogo: none},
		"SANDGLASS_SHOP_IMPRINT: open ": {ShopImprint: none},
		"SANDGLASS_SHOP_TERMS: open ":   {ShopTerms: none},
		"SANDGLASS_SHOP_COLOR: ":        {ShopColor: "red"},
	} {
		if _, err := open(t, c); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	_, err := open(t, config.Config{ShopLogo: file(t, "GIF89a")})
	if err == nil || !strings.Contains(err.Error(), "neither a PNG nor an SVG") {
		t.Errorf("a logo that is a GIF: %v", err)
	}
}
