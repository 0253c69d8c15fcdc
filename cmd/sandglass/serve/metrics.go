package serve

import (
	"sandglass/domain/watch"

	"github.com/prometheus/client_golang/prometheus"
)

// newRegistry returns all that Prometheus reads: what was counted, and gauges of the
// components, which have been built.
func newRegistry(d *components) *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(d.counts.collectors()...)
	r.MustRegister(d.enforcing.Collectors()...)
	r.MustRegister(d.proving, gauges{d})
	return r
}

var (
	gaugeCondition = gauge("sandglass_watcher_condition", "1 for the wallet's present condition.", "condition")
	gaugeLastEvent = gauge("sandglass_watcher_last_event_timestamp_seconds", "When the wallet's stream last told something.")
	gaugeLastSweep = gauge("sandglass_watcher_last_sweep_timestamp_seconds", "When a sweep of the wallet last finished.")
	gaugeCursor    = gauge("sandglass_watcher_settle_index", "lnd's settle_index up to which everything is durably handled.")
	gaugeChain     = gauge("sandglass_chain_condition", "1 for the present condition of the watcher of the chain.", "condition")
	gaugeHeight    = gauge("sandglass_chain_height", "Height of the active chain as of the last sweep.")
	gaugeChainSeen = gauge("sandglass_chain_last_sweep_timestamp_seconds", "When a sweep of the chain last finished.")
	gaugeDeposits  = gauge("sandglass_chain_deposits_watched", "Payments on the chain that are not final.")
	gaugeOpen      = gauge("sandglass_payments_open", "Payments requested, or settled and on their way.")
	gaugeWritable  = gauge("sandglass_store_writable", "1 if the event store takes writes, and the store of requests beside it.")
	gaugeSize      = gauge("sandglass_store_size_bytes", "Size of the event store, where it is a file.")
	gaugePlaced    = gauge("sandglass_resources_placed",
		"Resources that are not released, by the host that they belong to.", "host")
	gaugeUnplaced = gauge("sandglass_resources_unplaced",
		"Resources that are not released and belong to no host, so that nobody meters them; 0 where there is one machine.")
	gaugeSwept = gauge("sandglass_wallet_swept_timestamp_seconds",
		"Up to when all that came to a wallet that is not retired is in the log, as the log tells; 0 if it does not.", "node")
	gaugeWaiting = gauge("sandglass_releases_waiting",
		"1 while releases wait for the wallet of another host that was not swept for more than 2 hours: /readyz says which.")
	gaugeDoubted = gauge("sandglass_clock_doubted", "1 while the wall clock is doubted, and the daemon goes by its own time.")
	gaugeLeap    = gauge("sandglass_clock_leap_seconds", "How far the wall clock that is doubted is ahead of the daemon's own time.")
	gaugeLedger  = gauge("sandglass_ledger_msat", "Balance of each account of the ledger.", "account")
)

func gauge(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, labels, nil)
}

// gauges are what is read of the components when it is asked for.
type gauges struct{ *components }

// Describe implements [prometheus.Collector].
func (gauges) Describe(c chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		gaugeCondition, gaugeLastEvent, gaugeLastSweep, gaugeCursor, gaugeChain,
		gaugeHeight, gaugeChainSeen, gaugeDeposits, gaugeOpen, gaugeWritable,
		gaugeSize, gaugePlaced, gaugeUnplaced, gaugeSwept, gaugeWaiting, gaugeDoubted, gaugeLeap, gaugeLedger,
	} {
		c <- d
	}
}

// Collect implements [prometheus.Collector].
func (g gauges) Collect(c chan<- prometheus.Metric) {
	put := func(d *prometheus.Desc, v float64, labels ...string) {
		c <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	conditions := func(d *prometheus.Desc, now watch.Condition) {
		for _, c := range []watch.Condition{
			watch.Connecting, watch.Locked, watch.Starting, watch.Denied, watch.Syncing, watch.Ready,
		} {
			put(d, truth(now == c), string(c))
		}
	}
	h := g.watcher.Health()
	conditions(gaugeCondition, h.Condition)
	put(gaugeLastEvent, float64(h.LastEvent)/1000)
	put(gaugeLastSweep, float64(h.LastSweep)/1000)
	put(gaugeCursor, float64(h.Cursor))
	if g.watchesChain() {
		h := g.chain.Health()
		conditions(gaugeChain, h.Condition)
		put(gaugeHeight, float64(h.Height))
		put(gaugeChainSeen, float64(h.LastSweep)/1000)
		put(gaugeDeposits, float64(g.views.DepositCount()))
	}
	put(gaugeOpen, float64(g.views.OpenCount()))
	put(gaugeWritable, truth(g.writable() == nil))
	if sized, ok := g.store.Store.(interface{ Size() (int64, error) }); ok {
		if size, err := sized.Size(); err == nil {
			put(gaugeSize, float64(size))
		}
	}
	g.wallets(put)
	doubt := g.clock.Doubt()
	put(gaugeDoubted, truth(doubt.Reason != ""))
	put(gaugeLeap, doubt.Leap.Std().Seconds())
	put(gaugeUnplaced, float64(g.unplaced()))
	for host, n := range g.views.Hosts() {
		if host != "" {
			put(gaugePlaced, float64(n), host)
		}
	}
	l := g.views.TrialBalance()
	put(gaugeLedger, float64(l.Wallet), "wallet")
	put(gaugeLedger, float64(l.Receivable), "receivable")
	put(gaugeLedger, float64(l.Prepaid), "prepaid")
	put(gaugeLedger, float64(l.Income), "income")
	put(gaugeLedger, float64(l.Unallocated), "unallocated")
}

// wallets puts what is told of the wallets, which are as many as the operator has ever run.
func (g gauges) wallets(put func(d *prometheus.Desc, v float64, labels ...string)) {
	for _, w := range g.views.Wallets() {
		if w.Retired == 0 {
			onChain := g.sweeps.OnChain(w.Node)
			put(gaugeSwept, float64(w.SweptTo(onChain))/1000, w.Node)
		}
	}
	_, _, late := g.lateWallet()
	put(gaugeWaiting, truth(late))
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
