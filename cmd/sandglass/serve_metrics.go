package main

import (
	"time"

	"sandglass/domain/instant"
	"sandglass/domain/payment"
	"sandglass/domain/resource"
	"sandglass/domain/watch"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
)

// metrics are what Prometheus reads of the watcher, the meter and the store. It is the
// watcher's observer too, and writes the log lines of what it is told.
type metrics struct {
	s        *server
	log      zerolog.Logger
	registry *prometheus.Registry

	booked   *prometheus.CounterVec
	latency  prometheus.Histogram
	found    prometheus.Counter
	sweeps   prometheus.Histogram
	notices  *prometheus.CounterVec
	debited  prometheus.Counter
	late     prometheus.Histogram
	failures prometheus.Counter
	noAddr   prometheus.Counter
}

func newMetrics(s *server) *metrics {
	const watch, mtr = "sandglass_watcher_", "sandglass_meter_"
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	}
	histogram := func(name, help string, first float64) prometheus.Histogram {
		return prometheus.NewHistogram(prometheus.HistogramOpts{Name: name, Help: help, Buckets: prometheus.ExponentialBuckets(first, 4, 10)})
	}
	m := &metrics{
		s: s, log: s.log, registry: prometheus.NewRegistry(),
		booked:   prometheus.NewCounterVec(prometheus.CounterOpts{Name: watch + "payments_booked_total", Help: "Payments booked, by how they came."}, []string{"via"}),
		latency:  histogram(watch+"booking_seconds", "From hearing of a settled payment to its durable credit.", 0.0005),
		found:    counter("sandglass_reconcile_found_total", "Payments that only a sweep found: the live stream had lost them, or the daemon was away."),
		sweeps:   histogram(watch+"sweep_seconds", "How long a sweep of the wallet took.", 0.001),
		notices:  prometheus.NewCounterVec(prometheus.CounterOpts{Name: watch + "notices_total", Help: "What the watcher came upon, by sign."}, []string{"sign"}),
		debited:  counter(mtr+"settled_total", "Resources settled because a deadline was due."),
		late:     histogram(mtr+"lateness_seconds", "How late the most urgent deadline of a round was.", 0.001),
		noAddr:   counter("sandglass_desk_address_errors_total", "Requests for which the wallet gave no address: the invoice alone was given out."),
		failures: counter(mtr+"errors_total", "Settlements that were tried again."),
	}
	m.registry.MustRegister(m.booked, m.latency, m.found, m.sweeps, m.notices, m.debited, m.late, m.failures, m.noAddr, m)
	return m
}

// Booked implements [watch.Observer].
func (m *metrics) Booked(via payment.Via, bySweep bool, took time.Duration) {
	m.booked.WithLabelValues(string(via)).Inc()
	m.latency.Observe(took.Seconds())
	if bySweep {
		m.found.Inc()
	}
}

// Swept implements [watch.Observer].
func (m *metrics) Swept(took time.Duration, read, found int) {
	m.sweeps.Observe(took.Seconds())
	m.log.Debug().Dur("took", took).Int("read", read).Int("found", found).Msg("swept the wallet")
}

// Notice implements [watch.Observer].
func (m *metrics) Notice(n watch.Notice) {
	m.notices.WithLabelValues(string(n.Sign)).Inc()
	level := zerolog.InfoLevel
	if n.Sign.Alarm() {
		level = zerolog.ErrorLevel
	} else if n.Err != nil {
		level = zerolog.WarnLevel
	}
	m.log.WithLevel(level).Err(n.Err).Str("sign", string(n.Sign)).Str("payment", string(n.Key)).Msg(n.Text)
}

// addressFailed is told of a resource that got no address.
func (m *metrics) addressFailed(id resource.ID, err error) {
	m.noAddr.Inc()
	m.log.Warn().Err(err).Str("resource", string(id)).Msg("no address: the next request tries again")
}

func (m *metrics) settled(n int, late instant.Millis) {
	m.debited.Add(float64(n))
	m.late.Observe(late.Std().Seconds())
}

func (m *metrics) settleFailed(id resource.ID, err error) {
	m.failures.Inc()
	m.log.Warn().Err(err).Str("resource", string(id)).Msg("settling: will be tried again")
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
	gaugeWritable  = gauge("sandglass_store_writable", "1 if the event store takes writes.")
	gaugeSize      = gauge("sandglass_store_size_bytes", "Size of the event store, where it is a file.")
	gaugePlaced    = gauge("sandglass_resources_placed", "Resources that are not released, by the host that they belong to.", "host")
	gaugeUnplaced  = gauge("sandglass_resources_unplaced", "Resources that are not released and belong to no host, so that nobody meters them; 0 where there is one machine.")
	gaugeLedger    = gauge("sandglass_ledger_msat", "Balance of each account of the ledger.", "account")
)

func gauge(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, labels, nil)
}

// Describe implements [prometheus.Collector].
func (*metrics) Describe(c chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{gaugeCondition, gaugeLastEvent, gaugeLastSweep, gaugeCursor, gaugeChain, gaugeHeight, gaugeChainSeen, gaugeDeposits, gaugeOpen, gaugeWritable, gaugeSize, gaugePlaced, gaugeUnplaced, gaugeLedger} {
		c <- d
	}
}

// Collect implements [prometheus.Collector].
func (m *metrics) Collect(c chan<- prometheus.Metric) {
	put := func(d *prometheus.Desc, v float64, labels ...string) {
		c <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	conditions := func(d *prometheus.Desc, now watch.Condition) {
		for _, c := range []watch.Condition{watch.Connecting, watch.Locked, watch.Starting, watch.Denied, watch.Syncing, watch.Ready} {
			put(d, truth(now == c), string(c))
		}
	}
	h := m.s.watcher.Health()
	conditions(gaugeCondition, h.Condition)
	put(gaugeLastEvent, float64(h.LastEvent)/1000)
	put(gaugeLastSweep, float64(h.LastSweep)/1000)
	put(gaugeCursor, float64(h.Cursor))
	if m.s.chain != nil {
		h := m.s.chain.Health()
		conditions(gaugeChain, h.Condition)
		put(gaugeHeight, float64(h.Height))
		put(gaugeChainSeen, float64(h.LastSweep)/1000)
		put(gaugeDeposits, float64(len(m.s.deposits())))
	}
	put(gaugeOpen, float64(m.s.views.OpenCount()))
	put(gaugeWritable, truth(m.s.store.Writable() == nil))
	if sized, ok := m.s.store.(interface{ Size() (int64, error) }); ok {
		if size, err := sized.Size(); err == nil {
			put(gaugeSize, float64(size))
		}
	}
	put(gaugeUnplaced, float64(m.s.unplaced()))
	for host, n := range m.s.views.Hosts() {
		if host != "" {
			put(gaugePlaced, float64(n), host)
		}
	}
	l := m.s.views.TrialBalance()
	put(gaugeLedger, float64(l.Wallet), "wallet")
	put(gaugeLedger, float64(l.Receivable), "receivable")
	put(gaugeLedger, float64(l.Prepaid), "prepaid")
	put(gaugeLedger, float64(l.Income), "income")
	put(gaugeLedger, float64(l.Unallocated), "unallocated")
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
