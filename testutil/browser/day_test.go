package browser_test

import (
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

// TestADay leaves a page open for a day of the browser's own time, and of the server's, and pays after it. The page
// looks again each two minutes, which are over before the rate of reads would allow it.
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
	server := httptest.NewServer(s)
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
	if after.Nodes > before.Nodes+50 || after.Listeners > before.Listeners+10 || after.Heap > before.Heap+1<<20 {
		t.Errorf("it was %+v, and is %+v", before, after)
	}
	more, err := c.Fund(t.Context(), "vm-1", wire.FundRequest{Time: instant.Hour})
	v.must(err)
	s.Pay(more.Key)
	v.must(v.Run())
	v.must(v.Until("it shows both payments", `document.querySelectorAll(".lots li").length === 2`))
	v.must(v.Until("26 days and some hours are left", `/^26/.test(document.getElementById("countdown").innerText) ||
		/^27/.test(document.getElementById("countdown").innerText)`))
}
