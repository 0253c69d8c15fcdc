package host

import (
	"sandglass/domain/enforce"
	"sandglass/domain/instant"
	"sandglass/domain/resource"

	"github.com/prometheus/client_golang/prometheus"
)

// counts count what is told of the host.
type counts struct {
	wanted   *prometheus.GaugeVec
	outages  prometheus.Counter
	returned prometheus.Counter
}

func newCounts() counts {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	}
	return counts{
		wanted: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "sandglass_enforce_wanted", Help: "Resources of this host by what they should be, as of the last minute.",
		}, []string{"state"}),
		outages: counter("sandglass_enforce_outages_total",
			"Outages of resources of this host that stopped their clocks."),
		returned: counter("sandglass_enforce_returned_seconds_total",
			"Time that was debited over outages of resources of this host, and given back."),
	}
}

// Collectors returns what Prometheus reads of h.
func (h *Host) Collectors() []prometheus.Collector {
	return []prometheus.Collector{h.counts.wanted, h.counts.outages, h.counts.returned, gauges{h}}
}

const advice = "see systemd/MANUAL.md, Starting and stopping machines"

// wantFailed logs that a want could not be left.
func (h *Host) wantFailed(id resource.ID, err error) {
	e := h.Failed(err)
	if id != "" {
		e = e.Str("resource", string(id))
	}
	e.Msg("what a resource should be is not left for the keeper, and is tried again: " + advice)
}

// wantsPassed notes how many resources are wanted up, down and gone.
func (h *Host) wantsPassed(n map[enforce.State]int) {
	h.Works()
	h.left.Store(int64(n[enforce.Up] + n[enforce.Down] + n[enforce.Gone]))
	for _, s := range []enforce.State{enforce.Up, enforce.Down, enforce.Gone} {
		h.counts.wanted.WithLabelValues(string(s)).Set(float64(n[s]))
	}
}

// readFailed logs that what a resource is could not be read or reported.
func (h *Host) readFailed(id resource.ID, err error) {
	e := h.Failed(err)
	if id != "" {
		e = e.Str("resource", string(id))
	}
	e.Msg("what the keeper says of a resource is not in the log, and is tried again: " + advice)
}

// reported logs and counts what came of a report.
func (h *Host) reported(id resource.ID, events []resource.Event) {
	var back instant.Millis
	for _, e := range events {
		line := h.Log.Info().Str("component", "enforce").Str("resource", string(id))
		switch e := e.(type) {
		case *resource.Started:
			line.Stringer("since", e.At.At).Msg("it is up, and its time runs")
		case *resource.Stopped:
			h.counts.outages.Inc()
			line.Stringer("since", e.At.At).Str("why", e.Why).Msg("it is down, and its time stands still")
		case *resource.Returned:
			back += e.Time
		}
	}
	if back > 0 {
		h.counts.returned.Add(back.Std().Seconds())
		h.Log.Info().Str("component", "enforce").Str("resource", string(id)).Stringer("time", back.Std()).
			Msg("time that was debited over an outage is given back")
	}
}
