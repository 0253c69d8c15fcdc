package browser_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"sandglass/adapters/httpapi/wire"
	"sandglass/adapters/web/assets"
	"sandglass/domain/instant"
	"sandglass/testutil/browser"
	"sandglass/testutil/clients"
	"sandglass/testutil/daemon"
	"sandglass/testutil/seller"
)

// front returns what stands before a daemon at a path.
func front(t *testing.T) *browser.Front {
	t.Helper()
	f, err := browser.NewFront("/pay")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	return f
}

// TestUnderAPath buys where the daemon answers at a path of another server, whose connections break.
func TestUnderAPath(t *testing.T) {
	b := start(t)
	axe, err := clients.New(t).Axe()
	if err != nil {
		t.Fatal(err)
	}
	f := front(t)
	s := seller.Open(t, "SANDGLASS_PUBLIC_URL="+f.URL)
	s.Must(f.To(s.URL))
	s.Publish(small)

	p := &buyer{tab: open(t, b, browser.Desktop), Seller: s, axe: axe}
	p.buy(f.URL, "3600")
	f.Cut()
	p.says("The connection is lost")
	p.shot("lost")
	grown, err := s.Client().Fund(t.Context(), p.id, wire.FundRequest{Time: instant.Hour})
	s.Must(err)
	p.Pay(grown.Request)
	p.Until(p.id, "it has two lots", func(r *wire.Resource) bool { return len(r.Lots) == 2 })
	f.Mend()
	p.must(p.tab.Until("it says that two hours are left", `document.getElementById("countdown").innerText.startsWith("01:")`))
	p.must(p.SaysNot("The connection is lost"))
	p.Forgive("ERR_")

	p.must(p.Freeze(true))
	_, err = s.Client().As(p.key).Pause(t.Context(), p.id)
	s.Must(err)
	p.must(p.Freeze(false))
	p.says("Paused")
}

// TestRefusedStream has two pages open where an address may have one stream: the other one asks now and then.
func TestRefusedStream(t *testing.T) {
	b := start(t)
	s := seller.Open(t, "SANDGLASS_MAX_LIVE_STREAMS_PER_ADDRESS=1")
	s.Publish(small)
	o := s.Order("small", "vm-1", instant.Hour)
	first, second := open(t, b, browser.Desktop), open(t, b, browser.Phone)
	first.goes(s.URL + o.Resource.Page)
	s.Daemon.Until(t.Context(), "it has its stream", func() error { return streams(s, 1) })
	second.goes(s.URL + o.Resource.Page)
	second.says("The connection is lost")
	s.Pay(o.Payment.Request)
	first.says("Running")
	second.says("Running")
	second.Forgive("429")
}

// streams returns an error unless the daemon says that so many streams are open.
func streams(s *seller.Seller, n int) error {
	req, err := http.NewRequest(http.MethodGet, s.URL+"/metrics", nil)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+daemon.Token)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err == nil && !strings.Contains(string(text), fmt.Sprintf("\nsandglass_live_streams %d\n", n)) {
		err = fmt.Errorf("%d streams are not what is open", n)
	}
	return err
}

// TestThePageIsTold pays often: at least once the page says so sooner than it would by looking again, which is ten
// seconds after its stream was refused, and two minutes after it went silent. How soon it is on a machine that does
// nothing else is logged: milliseconds.
func TestThePageIsTold(t *testing.T) {
	const sooner = 5 * time.Second
	b := start(t)
	s := seller.Open(t)
	s.Publish(small)
	o := s.Order("small", "vm-1", instant.Hour)
	v := open(t, b, browser.Phone)
	best := time.Hour
	for i := range 4 {
		pay := *o.Payment
		if i > 0 {
			var err error
			pay, err = s.Client().Fund(t.Context(), "vm-1", wire.FundRequest{Time: instant.Hour})
			s.Must(err)
		}
		v.goes(s.URL + "/r/vm-1?pay=" + pay.Key)
		v.says("Pay with Lightning")
		s.Pay(pay.Request)
		paid := time.Now()
		v.says("Paid. Thank you!")
		best = min(best, time.Since(paid))
	}
	t.Logf("at best it says so %s after bob had paid", best)
	if best > sooner {
		t.Errorf("that is more than %s", sooner)
	}
}

// TestAnAnswerThatIsNoPage: a proxy answers a form by itself, and that is shown in place of the page.
func TestAnAnswerThatIsNoPage(t *testing.T) {
	b := start(t)
	mux := http.NewServeMux()
	mux.Handle("GET /assets/{hash}/{file}", assets.Handler())
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `<!doctype html><html lang=en><title>Test</title><link rel=icon href=data:,><main id=main>
<form method=post action=/pay><button>Pay</button></form></main><script type=module src=%s></script>`, assets.Path("main.js"))
	})
	mux.HandleFunc("POST /pay", func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "a proxy says no", http.StatusBadGateway)
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	v := open(t, b, browser.Desktop)
	v.goes(server.URL + "/")
	v.press("Pay")
	v.says("a proxy says no")
	v.Forgive("502")
}

// TestByKeyboard orders without a mouse: what has the focus can be seen.
func TestByKeyboard(t *testing.T) {
	b := start(t)
	s := seller.Open(t)
	s.Publish(small)
	v := open(t, b, browser.Desktop)
	tabTo := func(name string) {
		t.Helper()
		for range 40 {
			v.must(v.Keys("\t"))
			at, err := browser.Eval[string](v.Page, `document.activeElement.innerText ?? ""`)
			v.must(err)
			if at != name {
				continue
			}
			v.must(v.Until("the focus can be seen", `getComputedStyle(document.activeElement).outlineStyle !== "none"`))
			v.must(v.Keys("\r"))
			return
		}
		v.shot("failed")
		t.Fatalf("no tab leads to %q", name)
	}
	v.goes(s.URL + "/")
	tabTo("Order")
	v.says("For how long?")
	tabTo("Order and pay")
	v.says("Pay with Lightning")
	v.must(v.Until("the focus is on what is new", `document.activeElement.closest("main") !== null`))
}

// TestInGerman is read by somebody whose browser asks for German.
func TestInGerman(t *testing.T) {
	b := start(t)
	s := seller.Open(t)
	s.Publish(small)
	o := s.Order("small", "vm-1", instant.Hour)
	for _, path := range []string{"/", o.Resource.Page} {
		v := open(t, b, browser.Look{Width: 390, Height: 844, Touch: true, Language: "de"})
		v.goes(s.URL + path)
		v.must(v.Until("it is German", `document.documentElement.lang === "de"`))
		v.shot("german")
	}
}

// TestOtherSites is about what pages of other sites can make of ours: nothing.
func TestOtherSites(t *testing.T) {
	b := start(t)
	s := seller.Open(t)
	evil := small
	evil.Name, evil.Title = "evil", `<img src=x onerror=alert(1)><script>alert(2)</script>{{.}}`
	s.Publish(small, evil)
	o := s.Order("small", "vm-1", instant.Hour)
	s.Pay(o.Payment.Request)
	s.Becomes("vm-1", "running")
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		if r.URL.Path == "/frame" {
			fmt.Fprintf(w, `<link rel=icon href=data:,><iframe src="%s/r/vm-1"></iframe><p>framed`, s.URL)
			return
		}
		fmt.Fprintf(w, `<link rel=icon href=data:,><form method=post action="%s/r/vm-1/pause"><input name=key value=%q>
<button>Win a prize</button></form>`, s.URL, o.HolderKey)
	}))
	t.Cleanup(other.Close)

	v := open(t, b, browser.Desktop)
	v.goes(s.URL + "/")
	v.says(evil.Title)
	v.must(v.Until("it is text", `document.querySelectorAll("main img, main script").length === 0`))
	v.goes(other.URL + "/frame")
	v.says("framed")
	all := ""
	s.Daemon.Until(t.Context(), "it is not framed, and the browser says so", func() error {
		all += strings.Join(v.Complaints(), "\n")
		if !strings.Contains(all, "frame-ancestors") && !strings.Contains(all, "X-Frame-Options") {
			return errors.New(all)
		}
		return nil
	})
	v.goes(other.URL)
	v.press("Win a prize")
	v.says("the page of another site")
	v.shot("another site")
	v.Forgive("403|another origin")
	if r := s.Resource("vm-1"); r.Status != "running" {
		t.Errorf("another site has made it %s", r.Status)
	}
	s.Must(forged(s.URL + "/r/vm-1"))
}

// forged asks for a page in the name of another host, which it does not name.
func forged(url string) error {
	req, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	req.Host = "evil.example"
	req.Header.Set("X-Forwarded-Host", "evil.example")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && (resp.StatusCode != http.StatusOK || strings.Contains(string(body), "evil.example")) {
		err = fmt.Errorf("%s: %s", resp.Status, body)
	}
	return err
}
