package httpapi

import (
	"fmt"
	"net/http"

	"sandglass/domain/resource"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// metrics are what the server counts besides requests. Those of the read models are
// collected when asked.
type metrics struct {
	s        *Server
	page     http.Handler
	refused  prometheus.Counter
	streams  *prometheus.Desc
	status   *prometheus.Desc
	position *prometheus.Desc
	open     *prometheus.Desc
}

func newMetrics(s *Server) (*metrics, error) {
	m := &metrics{
		s:    s,
		page: promhttp.HandlerFor(s.Registry, promhttp.HandlerOpts{}),
		refused: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "sandglass_http_connections_refused_total",
			Help: "Connections closed at once since too many were open.",
		}),
		streams: prometheus.NewDesc("sandglass_live_streams", "Event streams that are open.", nil, nil),
		status:  prometheus.NewDesc("sandglass_resources", "Resources, by status.", []string{"status"}, nil),
		open: prometheus.NewDesc("sandglass_invoices_open",
			"Invoices that can be paid: of orders that nobody has paid yet, and of resources.", []string{"of"}, nil),
		position: prometheus.NewDesc("sandglass_views_position", "Position of the log that the read models hold.", nil, nil),
	}
	for _, c := range []prometheus.Collector{m.refused, m} {
		if err := s.Registry.Register(c); err != nil {
			return nil, fmt.Errorf("httpapi: metrics: %w", err)
		}
	}
	return m, nil
}

// Describe implements [prometheus.Collector].
func (m *metrics) Describe(c chan<- *prometheus.Desc) {
	c <- m.streams
	c <- m.status
	c <- m.position
	c <- m.open
}

// Collect implements [prometheus.Collector].
func (m *metrics) Collect(c chan<- prometheus.Metric) {
	put := func(d *prometheus.Desc, v float64, labels ...string) {
		c <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	put(m.streams, float64(m.s.live.Count()))
	put(m.position, float64(m.s.Views.Position()))
	open := m.s.Billing.Requests.Open()
	put(m.open, float64(open.Orders), "orders")
	put(m.open, float64(open.Invoices), "resources")
	counts := m.s.Views.Counts()
	for status := resource.StatusAwaiting; status <= resource.StatusReleased; status++ {
		put(m.status, float64(counts[status]), status.String())
	}
}
