package browser_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"sandglass/adapters/httpapi"
	"sandglass/adapters/httpapi/client"
	"sandglass/adapters/httpapi/middleware"
	"sandglass/adapters/httpapi/wire"
	"sandglass/adapters/web"
	"sandglass/domain/instant"
	"sandglass/testutil/browser"
	"sandglass/testutil/shop"
)

// TestADay leaves a page open for a day of the browser's own time, and of the server's, and pays after it: once, and
// once more while the page is still reading what came of that. The page looks again each two minutes, which are over
// before the rate of reads would allow it.
func TestADay(t *testing.T) {
	b := start(t)
	s := shop.Open(t, func(s *shop.Shop, o *httpapi.Options) {
		site, err := web.New(web.Options{API: s, Now: s.Clock.Now})
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range site.Routes() {
			o.Mounts = append(o.Mounts, httpapi.Mount{Pattern: r.Pattern, Handler: r.Handler, Traits: middleware.Traits{Free: true}})
		}
	})
	s.Publish("small", nil)
	slow := &slowly{Handler: s, next: make(chan *answer, 1)}
	server := httptest.NewServer(slow)
	t.Cleanup(server.CloseClientConnections)
	c, err := client.New(server.URL, "")
	if err != nil {
		t.Fatal(err)
	}
	o, err := c.Order(t.Context(), wire.OrderRequest{Plan: "small", Time: 28 * instant.Day, ID: "vm-1"}, "")
	if err != nil {
		t.Fatal(err)
	}
	s.Pay(o.Payment.Key)

	v := open(t, b, browser.Phone)
	v.goes(server.URL + "/r/vm-1")
	v.says("Running")
	before, err := v.Size()
	v.must(err)
	began := time.Now()
	for range 24 {
		v.must(v.Pass(time.Hour))
		s.Clock.Advance(instant.Hour)
	}
	t.Logf("a day took %s", time.Since(began))
	after, err := v.Size()
	v.must(err)
	// The last page that was read may be there yet; of 700 that were, all the others are gone.
	if after.Nodes > 2*before.Nodes+50 || after.Listeners > before.Listeners+10 || after.Heap > before.Heap+1<<20 {
		t.Errorf("it was %+v, and is %+v", before, after)
	}
	pay := func() {
		more, err := c.Fund(t.Context(), "vm-1", wire.FundRequest{Time: instant.Hour})
		v.must(err)
		s.Pay(more.Key)
	}
	a := &answer{made: make(chan struct{}), sent: make(chan struct{})}
	slow.next <- a
	pay()
	v.waits(a.made)
	pay()
	// Two hours were paid: it hears of them on its stream while it reads, and reads again after that.
	v.must(v.Until("it hears of the second", `/^27.d 0(2:00|1:59)/.test(document.getElementById("countdown").innerText)`))
	close(a.sent)
	v.must(v.Until("it shows all payments", `document.querySelectorAll(".lots li").length === 3`))
}

// waits lets the time of the page go on until done is closed: it may just be reading, and read again after that.
func (v *tab) waits(done <-chan struct{}) {
	v.t.Helper()
	for end := time.After(browser.Patience); ; v.must(v.Pass(10 * time.Millisecond)) {
		select {
		case <-done:
			return
		case <-end:
			v.t.Fatal("the page did not read what came of the payment")
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// slowly holds back an answer to a read of the page, which is of when it was asked for.
type slowly struct {
	http.Handler
	next chan *answer
}

type answer struct {
	made, sent chan struct{}
}

func (s *slowly) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var a *answer
	if r.URL.Path == "/r/vm-1" {
		select {
		case a = <-s.next:
		default:
		}
	}
	if a == nil {
		s.Handler.ServeHTTP(w, r)
		return
	}
	kept := httptest.NewRecorder()
	s.Handler.ServeHTTP(kept, r)
	close(a.made)
	select {
	case <-a.sent:
	case <-r.Context().Done():
	}
	for name, values := range kept.Header() {
		w.Header()[name] = values
	}
	w.WriteHeader(kept.Code)
	_, _ = w.Write(kept.Body.Bytes())
}
