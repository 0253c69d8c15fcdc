package browser_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/skip2/go-qrcode"

	"sandglass/testutil/browser"
	"sandglass/testutil/devnet"
)

// Env is the variable that has tests start a browser: 1 if they may.
const Env = "SANDGLASS_TEST_BROWSER"

func TestMain(m *testing.M) { devnet.Run(m) }

// allowed skips a test where no browser may be started.
func allowed(t *testing.T) {
	t.Helper()
	if os.Getenv(Env) == "" {
		t.Skip("no browser is started here: with chromium, zbar-tools and npm, set " + Env + "=1")
	}
}

// start starts a browser for a test.
func start(t *testing.T) *browser.Browser {
	t.Helper()
	allowed(t)
	b, err := browser.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return b
}

func TestNothingIsLeftBehind(t *testing.T) {
	allowed(t)
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	b, err := browser.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	p, err := b.Open(browser.Desktop)
	if err != nil {
		t.Fatal(err)
	}
	p.Close()
	b.Close()
	if left, err := os.ReadDir(dir); len(left) > 0 || err != nil {
		t.Errorf("%v is left, %v", left, err)
	}
}

// tab is a page of a test: what goes wrong on it ends the test, or fails it at its end.
type tab struct {
	*browser.Page
	t     *testing.T
	look  browser.Look
	shots int
}

func open(t *testing.T, b *browser.Browser, look browser.Look) *tab {
	t.Helper()
	p, err := b.Open(look)
	if err != nil {
		t.Fatal(err)
	}
	v := &tab{Page: p, t: t, look: look}
	t.Cleanup(func() {
		for _, c := range p.Complaints() {
			t.Errorf("unseen: %s", c)
		}
		p.Close()
	})
	return v
}

func (v *tab) must(err error) {
	v.t.Helper()
	if err != nil {
		v.shot("failed")
		v.t.Fatal(err)
	}
}

// shot keeps a picture of the page among the artefacts of the test, and returns it.
func (v *tab) shot(name string) []byte {
	v.t.Helper()
	return v.picture(v.look, name)
}

func (v *tab) picture(look browser.Look, name string) []byte {
	v.t.Helper()
	png, err := v.Shot()
	if err != nil {
		v.t.Fatalf("a picture of %s: %v", name, err)
	}
	v.shots++
	file := fmt.Sprintf("%s-%02d-%s.png", look, v.shots, strings.ReplaceAll(name, " ", "-"))
	if err := os.WriteFile(filepath.Join(v.t.ArtifactDir(), file), png, 0o600); err != nil {
		v.t.Fatal(err)
	}
	return png
}

// well checks that what is there can be used by everybody, light and dark: it fits into the window, and
// axe-core finds nothing serious.
func (v *tab) well(axe, name string) {
	v.t.Helper()
	for _, dark := range []bool{!v.look.Dark, v.look.Dark} {
		look := v.look
		look.Dark, look.NoScript = dark, false // axe-core is one
		v.must(v.Change(look))
		if over, err := v.Overflow(); err != nil || over > 0 {
			v.t.Errorf("%s, %s: it is %d px wider than the window, %v", look, name, over, err)
		}
		found, err := v.Axe(axe)
		v.must(err)
		for _, violation := range found {
			if violation.Impact == "serious" || violation.Impact == "critical" {
				v.t.Errorf("%s, %s: %s", look, name, violation)
			}
		}
		v.shots--
		v.picture(look, name)
	}
	v.must(v.Change(v.look))
	v.shots++
}

func (v *tab) goes(url string)         { v.t.Helper(); v.must(v.Go(url)) }
func (v *tab) says(text string)        { v.t.Helper(); v.must(v.Says(text)) }
func (v *tab) press(name string)       { v.t.Helper(); v.must(v.Press(name)) }
func (v *tab) fill(name, value string) { v.t.Helper(); v.must(v.Fill(name, value)) }

// TestItNotices is about the browser itself: what it is told to do, it does, and what a user does not see it notices.
func TestItNotices(t *testing.T) {
	b := start(t)
	code, err := qrcode.Encode("LIGHTNING:LNBC1", qrcode.Low, 256)
	if err != nil {
		t.Fatal(err)
	}
	front, err := browser.NewFront("/shop")
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /code.png", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(code) })
	mux.HandleFunc("GET /x.js", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `document.querySelector("button").onclick = () => { document.querySelector("output").innerText = "Pressed" };`)
	})
	mux.HandleFunc("GET /live", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprint(w, "retry: 50\ndata: hello\n\n")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	mux.HandleFunc("GET /", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/" {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Security-Policy", "default-src 'self'")
		fmt.Fprint(w, `<!doctype html><html lang=en><title>Test</title><h1>A page</h1><img src="/shop/code.png" alt=code>
<button>Press  me</button><output></output><label>Name <input></label><noscript>No script</noscript>
<script src=/shop/x.js></script>`)
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	t.Cleanup(func() {
		if err := front.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := front.To(server.URL); err != nil {
		t.Fatal(err)
	}
	for _, look := range []browser.Look{browser.Desktop, browser.Phone, browser.Narrow, {NoScript: true}, {Dark: true}} {
		v := open(t, b, look)
		v.goes(front.URL + "/")
		if codes, err := browser.ReadQR(t.Context(), v.shot("code")); err != nil || !slices.Equal(codes, []string{"LIGHTNING:LNBC1"}) {
			t.Errorf("%+v: the code says %q, %v", look, codes, err)
		}
		v.fill("Name", "ann")
		if !look.NoScript {
			v.press("press me")
			v.says("pressed")
		} else {
			v.says("no script")
		}
		v.Forgive("favicon.ico")
	}
	v := open(t, b, browser.Desktop)
	v.goes(front.URL + "/")
	v.Forgive("favicon.ico")
	v.must(browser.Do(v.Page, `(window.heard = 0, window.live = new EventSource("/shop/live"),
		window.live.onmessage = () => window.heard++)`))
	v.must(v.Until("it hears", "heard === 1"))
	front.Cut()
	v.must(v.Until("it is cut off", "live.readyState === EventSource.CONNECTING"))
	front.Mend()
	v.must(v.Until("it hears again", "heard === 2"))
	_ = v.Complaints() // of the cut
	_, err = browser.Await[bool](v.Page, `new Promise((done) => {
		setTimeout(() => { throw new Error("a fault") });
		const img = Object.assign(document.createElement("img"), {src: "http://127.0.0.2:9/x"});
		img.onerror = () => setTimeout(done, 0, true);
		document.body.append(img);
	})`)
	v.must(err)
	all := strings.Join(v.Complaints(), "\n")
	for _, want := range []string{"Content Security Policy directive", "a fault"} {
		if !strings.Contains(all, want) {
			t.Errorf("of %q it notices %q", want, all)
		}
	}
}
