package serve

import (
	"fmt"
	"strings"
	"testing"

	"sandglass/adapters/httpapi/wire"
	"sandglass/domain/stream"
	"sandglass/domain/wallet"
	"sandglass/domain/watch"
	"sandglass/projections"
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

// TestWhatIsToldOfTheRequestsStands in /readyz, of which a line in the log is soon past.
func TestWhatIsToldOfTheRequestsStands(t *testing.T) {
	d, _ := built(t)
	named := func() (found []wire.Component) {
		for _, c := range d.health() {
			if c.Name == "requests" {
				found = append(found, c)
			}
		}
		return found
	}
	if got := named(); got != nil {
		t.Errorf("there is nothing to tell: %+v", got)
	}
	d.kept.(*memory).advice = "it was missing"
	if got := named(); len(got) != 1 || !got[0].Ready || got[0].Advice != "it was missing" {
		t.Errorf("got %+v", got)
	}
}

// TestAnotherWalletIsTold: the log knows one that nobody watches, until it is retired.
func TestAnotherWalletIsTold(t *testing.T) {
	d, store := built(t)
	wallets := &wallet.Handler{Aggregate: wallet.Aggregate(), Store: store}
	do := func(node string, c wallet.Command) {
		t.Helper()
		out, err := wallets.Execute(t.Context(), node, stream.Meta{}, c)
		check(t, err)
		check(t, projections.Replay(t.Context(), store, d.views, out.Position))
	}
	is := func(when string, want bool) {
		t.Helper()
		h := d.otherHealth()
		if want != (len(h) == 1) || want && (!h[0].Ready || !strings.Contains(h[0].Advice, "sandglass wallet retire 02aa")) {
			t.Errorf("%s: %+v", when, h)
		}
	}
	adopt := wallet.Adopt{At: 1, Epoch: 1, Network: "regtest", Reason: wallet.FirstStart}
	do("02aa", adopt)
	is("while none is watched", false)
	d.watcher.UpdateHealth(func(h *watch.Health) { h.Node = "02aa" })
	is("the first", false)
	d.watcher.UpdateHealth(func(h *watch.Health) { h.Node = "02bb" })
	do("02bb", adopt)
	is("another", true)
	d.Store = "esdb://cluster"
	is("where each host has one", false)
	d.Store = ""
	do("02aa", wallet.Retire{At: 2})
	is("once the first is retired", false)
}
