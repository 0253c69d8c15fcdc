package serve

import (
	"fmt"
	"strings"
	"testing"

	"sandglass/domain/stream"
	"sandglass/testutil/storetest"

	"github.com/prometheus/client_golang/prometheus"
)

// TestADaemonWithoutItsRequestsIsNotReady: it takes no order, and says so wherever it is asked.
func TestADaemonWithoutItsRequestsIsNotReady(t *testing.T) {
	d, _ := built(t)
	is := func(ready bool) {
		t.Helper()
		if h := d.health()[0]; h.Name != "store" || h.Ready != ready || ready == strings.Contains(h.Advice, "was moved away") {
			t.Errorf("/readyz: %+v", h)
		}
		if err := d.billing.Writable(); (err == nil) != ready {
			t.Errorf("billing: %v", err)
		}
		r := prometheus.NewRegistry()
		r.MustRegister(gauges{d})
		families, err := r.Gather()
		check(t, err)
		for _, f := range families {
			if v := f.Metric[0].GetGauge().GetValue(); f.GetName() == "sandglass_store_writable" && v != truth(ready) {
				t.Errorf("the metric is %g", v)
			}
		}
	}
	is(true)
	d.kept.(*memory).lost = fmt.Errorf("%w: requests.db was moved away", stream.ErrReadOnly)
	is(false)
}

// TestAnAddressOfAnOrderIsWatched where no payments on the chain are taken any more, and told of.
func TestAnAddressOfAnOrderIsWatched(t *testing.T) {
	d, _ := built(t)
	d.OnChain = false
	if h := d.chainHealth(); h != nil {
		t.Errorf("before there is an address: %+v", h)
	}
	check(t, d.requests.Keep(t.Context(), storetest.Request(3)))
	if h := d.chainHealth(); len(h) != 1 || h[0].Name != "chain" {
		t.Errorf("an order has an address: %+v", h)
	}
}
