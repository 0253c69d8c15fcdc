package serve

import (
	"time"

	"sandglass/cmd/sandglass/serve/outages"
	"sandglass/domain/instant"
	"sandglass/domain/payment"
	"sandglass/domain/resource"
	"sandglass/domain/watch"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
)

// counts count what the watchers, the meter and billing tell of, for Prometheus, and write
// the log lines of it.
type counts struct {
	log     zerolog.Logger
	outages outages.Outages

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

func newCounts(log zerolog.Logger) *counts {
	return &counts{
		log: log,
		booked: counterOf("sandglass_watcher_payments_booked_total",
			"Payments booked, by how they came.", "via"),
		latency: histogram("sandglass_watcher_booking_seconds",
			"From hearing of a settled payment to its durable credit.", 0.0005),
		found: counter("sandglass_reconcile_found_total",
			"Payments that only a sweep found: the live stream had lost them, or the daemon was away."),
		sweeps: histogram("sandglass_watcher_sweep_seconds",
			"How long a sweep of the wallet took.", 0.001),
		notices: counterOf("sandglass_watcher_notices_total",
			"What the watcher came upon, by sign.", "sign"),
		debited: counter("sandglass_meter_settled_total",
			"Resources settled because a deadline was due."),
		late: histogram("sandglass_meter_lateness_seconds",
			"How late the most urgent deadline of a round was.", 0.001),
		failures: counter("sandglass_meter_errors_total",
			"Settlements that were tried again."),
		noAddr: counter("sandglass_desk_address_errors_total",
			"Requests for which the wallet gave no address: the invoice alone was given out."),
	}
}

func counter(name, help string) prometheus.Counter {
	return prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
}

func counterOf(name, help, label string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, []string{label})
}

func histogram(name, help string, first float64) prometheus.Histogram {
	return prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: name, Help: help, Buckets: prometheus.ExponentialBuckets(first, 4, 10),
	})
}

func (c *counts) collectors() []prometheus.Collector {
	return []prometheus.Collector{
		c.booked, c.latency, c.found, c.sweeps, c.notices, c.debited, c.late, c.failures, c.noAddr,
	}
}

// The parts that can be out, and what is said when they are not any more.
var worksAgain = map[string]string{
	partWallet:  "the wallet answers again",
	partChain:   "the chain is watched again",
	partBooking: "payments are booked again",
	partMeter:   "resources are settled again",
	partEnforce: "what resources should be is left for the keeper again",
}

const (
	partWallet   = "wallet"
	partChain    = "chain"
	partBooking  = "booking"
	partMeter    = "meter"
	partEnforce  = "enforce"
	partClock    = "clock"    // nothing tells when its file is written again
	partAddress  = "address"  // nothing tells when it works
	partHeights  = "heights"  // nor this
	partRequests = "requests" // nor this
)

// failed returns the line of a failure that is tried again, or nil if it is not to be told.
func (c *counts) failed(part, kind string, err error) *zerolog.Event {
	s, tell := c.outages.Failed(part, kind)
	if !tell {
		return nil // which takes all that a line takes
	}
	e := c.log.Warn().Err(err).Str("component", part)
	if s.Failures > 1 {
		e = e.Int64("failures", s.Failures).Str("for", s.Lasted.Round(time.Second).String())
	}
	return e
}

// works tells that a part works, if it did not.
func (c *counts) works(part string) {
	if s, tell := c.outages.Ended(part); tell {
		c.log.Info().Str("component", part).Int64("failures", s.Failures).
			Msgf("%s after %s", worksAgain[part], s.Lasted.Round(time.Millisecond))
	}
}

// observer is told what one of the watchers does.
type observer struct {
	*counts
	part string // whose outages its own are
}

func (c *counts) of(part string) observer { return observer{c, part} }

// Swept implements [watch.Observer].
func (o observer) Swept(took time.Duration, read, found int) {
	o.swept(took, read, found)
	o.works(o.part)
}

// Notice implements [watch.Observer].
func (o observer) Notice(n watch.Notice) {
	o.notices.WithLabelValues(string(n.Sign)).Inc()
	var e *zerolog.Event
	switch n.Sign {
	case watch.SignReconnect, watch.SignSweep:
		e = o.failed(o.part, string(watch.ConditionOf(n.Err)), n.Err)
	case watch.SignRetry:
		e = o.failed(partBooking, n.Text, n.Err)
	case watch.SignHeight:
		e = o.failed(partHeights, "", n.Err)
	default:
		e = o.log.WithLevel(level(n)).Err(n.Err)
	}
	e.Str("sign", string(n.Sign)).Str("payment", string(n.Key)).Msg(n.Text)
}

func level(n watch.Notice) zerolog.Level {
	switch {
	case n.Sign.Alarm():
		return zerolog.ErrorLevel
	case n.Err != nil:
		return zerolog.WarnLevel
	}
	return zerolog.InfoLevel
}

// Booked implements [watch.Observer].
func (c *counts) Booked(via payment.Via, bySweep bool, took time.Duration) {
	c.booked.WithLabelValues(string(via)).Inc()
	c.latency.Observe(took.Seconds())
	if bySweep {
		c.found.Inc()
	}
	c.works(partBooking)
}

func (c *counts) swept(took time.Duration, read, found int) {
	c.sweeps.Observe(took.Seconds())
	c.log.Debug().Dur("took", took).Int("read", read).Int("found", found).Msg("swept the wallet")
}

// addressFailed is told of a resource that got no address.
func (c *counts) addressFailed(id resource.ID, err error) {
	c.noAddr.Inc()
	c.failed(partAddress, "", err).Str("resource", string(id)).Msg("no address: the next request tries again")
}

// requestsFailed tells that what is kept beside the log can't be read or let go of now.
func (c *counts) requestsFailed(err error) {
	c.failed(partRequests, "", err).Msg("the store of requests: will be tried again")
}

// paramsFailed tells that parameters, which are kept beside the log, can't be read or deleted now.
func (c *counts) paramsFailed(err error) {
	c.failed(partRequests, "params", err).Msg("the parameters of resources: will be tried again")
}

func (c *counts) settled(n int, late instant.Millis) {
	c.debited.Add(float64(n))
	c.late.Observe(late.Std().Seconds())
	if n > 0 {
		c.works(partMeter)
	}
}

func (c *counts) settleFailed(id resource.ID, err error) {
	c.failures.Inc()
	c.failed(partMeter, "", err).Str("resource", string(id)).Msg("settling: will be tried again")
}
