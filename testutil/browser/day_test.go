package browser_test

import (
	"testing"
	"time"

	"sandglass/adapters/httpapi/wire"
	"sandglass/domain/instant"
	"sandglass/testutil/browser"
	"sandglass/testutil/seller"
)

// TestADay leaves a page open for a day of the browser's own time, and pays after it.
func TestADay(t *testing.T) {
	b := start(t)
	s := seller.Open(t)
	s.Publish(small)
	o := s.Order("small", "vm-1", 30*instant.Hour)
	s.Pay(o.Payment.Request)
	s.Becomes("vm-1", "running")
	v := open(t, b, browser.Phone)
	v.goes(s.URL + "/r/vm-1")
	v.says("Running")
	before, err := v.Size()
	v.must(err)
	began := time.Now()
	v.must(v.Pass(24 * time.Hour))
	t.Logf("a day took %s", time.Since(began))
	after, err := v.Size()
	v.must(err)
	v.shot("a day later")
	v.must(v.Until("six hours are left", `/^0[56]:/.test(document.getElementById("countdown").innerText)`))
	if after.Nodes > before.Nodes+50 || after.Listeners > before.Listeners+10 || after.Heap > before.Heap+1<<20 {
		t.Errorf("it was %+v, and is %+v", before, after)
	}

	more, err := s.Client().Fund(t.Context(), "vm-1", wire.FundRequest{Time: instant.Hour})
	s.Must(err)
	s.Pay(more.Request)
	s.Until("vm-1", "it has two lots", func(r *wire.Resource) bool { return len(r.Lots) == 2 })
	v.must(v.Run())
	v.must(v.Until("it shows both payments", `document.querySelectorAll(".lots li").length === 2`))
}
