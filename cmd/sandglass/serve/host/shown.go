package host

import (
	"fmt"

	"sandglass/adapters/httpapi/wire"
	"sandglass/domain/enforce"
	"sandglass/domain/instant"
	"sandglass/domain/resource"

	"github.com/prometheus/client_golang/prometheus"
)

// Found shows what the keeper said last of a resource, nil if it said nothing in this boot.
func (h *Host) Found(id resource.ID) *wire.Found {
	const most = 10 // outages
	f, ok := h.reader.Found(id)
	if !ok {
		return nil
	}
	v := &wire.Found{State: string(f.State), Since: f.Since, Why: f.Why, Outages: []wire.Outage{}}
	if s, _, ok := h.Views.Resource(id); ok {
		v.ParamsMissing = h.lacksParams(&s)
	}
	for _, o := range f.Outages[max(0, len(f.Outages)-most):] {
		v.Outages = append(v.Outages, wire.Outage{From: o.From, To: o.To})
	}
	return v
}

// silent is for how long a keeper that is well can be silent: it gives a sign of life about every 5
// seconds.
const silent = 30 * instant.Second

// beat returns the keeper's last sign of life in this boot, and how long ago it was; false if there
// was none.
func (h *Host) beat() (b *enforce.Beat, ago instant.Millis, ok bool) {
	b, err := h.folder.Beat()
	if err != nil || b.Boot != h.Clock.Boot {
		return nil, 0, false
	}
	return b, instant.Millis(h.now().Up - b.At), true
}

// Health tells whether the keeper lives, for /readyz: nothing on a host for which nothing was left to
// be kept.
func (h *Host) Health() []wire.Component {
	if h.left.Load() == 0 {
		return nil
	}
	b, ago, ok := h.beat()
	c := wire.Component{Name: "keeper", State: "silent", Age: ago,
		Advice: "nothing is started here, and what runs out is not stopped: systemctl status sandglass-keeper"}
	switch {
	case ok && ago < silent && b.Differ > 0:
		c.Ready, c.State, c.Age = true, "differing", 0
		c.Advice = fmt.Sprintf("%d are not as wanted: sandglass keeper status --differing", b.Differ)
	case ok && ago < silent:
		c.Ready, c.State, c.Advice, c.Age = true, "well", "", 0
	}
	return []wire.Component{c}
}

func gauge(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, labels, nil)
}

var (
	gaugeAlive  = gauge("sandglass_keeper_alive", "1 while the keeper of this host gives signs of life.")
	gaugeIs     = gauge("sandglass_enforce_found", "Resources of this host by what the keeper found that they are.", "state")
	gaugeDiffer = gauge("sandglass_enforce_differing",
		"Resources of this host that are not as wanted, by the keeper's last sign of life.")
	gaugeOldest = gauge("sandglass_enforce_oldest_difference_seconds",
		"For how long what differs longest has not been as wanted; 0 if all is.")
	countActions = gauge("sandglass_enforce_actions_total",
		"Starts, stops and removals since the keeper began, by what came of them.", "result")
)

// gauges are what is read of the keeper's files when it is asked for.
type gauges struct{ *Host }

// Describe implements [prometheus.Collector].
func (gauges) Describe(c chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{gaugeAlive, gaugeIs, gaugeDiffer, gaugeOldest, countActions} {
		c <- d
	}
}

// Collect implements [prometheus.Collector].
func (g gauges) Collect(c chan<- prometheus.Metric) {
	put := func(d *prometheus.Desc, kind prometheus.ValueType, v float64, labels ...string) {
		c <- prometheus.MustNewConstMetric(d, kind, v, labels...)
	}
	found := map[enforce.State]int{
		enforce.Up: 0, enforce.Down: 0, enforce.Gone: 0, enforce.Starting: 0, enforce.Stopping: 0, enforce.Unknown: 0,
	}
	g.reader.Count(found)
	for state, n := range found {
		put(gaugeIs, prometheus.GaugeValue, float64(n), string(state))
	}
	b, ago, ok := g.beat()
	alive, oldest := 0.0, instant.Millis(0)
	if ok && ago < silent {
		alive = 1
	}
	put(gaugeAlive, prometheus.GaugeValue, alive)
	if !ok {
		return
	}
	if b.Oldest > 0 {
		oldest = instant.Millis(g.now().Up - b.Oldest)
	}
	put(gaugeDiffer, prometheus.GaugeValue, float64(b.Differ))
	put(gaugeOldest, prometheus.GaugeValue, oldest.Std().Seconds())
	put(countActions, prometheus.CounterValue, float64(b.Done), "done")
	put(countActions, prometheus.CounterValue, float64(b.Failed), "failed")
	put(countActions, prometheus.CounterValue, float64(b.Refused), "refused")
}
