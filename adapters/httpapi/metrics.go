package httpapi

import (
	"fmt"
	"strconv"
	"time"

	"sandglass/domain/resource"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are what the server counts. Those of the read models are collected when asked.
type metrics struct {
	s        *Server
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
	limited  *prometheus.CounterVec
	refused  prometheus.Counter
	streams  *prometheus.Desc
	status   *prometheus.Desc
	position *prometheus.Desc
}

func newMetrics(s *Server) (*metrics, error) {
	m := &metrics{
		s:        s,
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "sandglass_http_requests_total", Help: "Requests answered, by route, method and status."}, []string{"route", "method", "code"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "sandglass_http_request_duration_seconds", Help: "How long requests took, but for streams.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 4, 9), // to 32 s
		}, []string{"route", "method"}),
		limited:  prometheus.NewCounterVec(prometheus.CounterOpts{Name: "sandglass_http_rate_limited_total", Help: "Requests refused since their address asked too often, by kind."}, []string{"kind"}),
		refused:  prometheus.NewCounter(prometheus.CounterOpts{Name: "sandglass_http_connections_refused_total", Help: "Connections closed at once since too many were open."}),
		streams:  prometheus.NewDesc("sandglass_live_streams", "Event streams that are open.", nil, nil),
		status:   prometheus.NewDesc("sandglass_resources", "Resources, by status.", []string{"status"}, nil),
		position: prometheus.NewDesc("sandglass_views_position", "Position of the log that the read models hold.", nil, nil),
	}
	for _, c := range []prometheus.Collector{m.requests, m.duration, m.limited, m.refused, m} {
		if err := s.Registry.Register(c); err != nil {
			return nil, fmt.Errorf("httpapi: metrics: %w", err)
		}
	}
	m.limited.WithLabelValues("read")
	m.limited.WithLabelValues("write")
	return m, nil
}

// observe counts a request. A stream's length says nothing about how fast answers are.
func (m *metrics) observe(r *request, method string, took time.Duration, stream bool) {
	route := r.route()
	m.requests.WithLabelValues(route, methodOf(method), strconv.Itoa(r.status)).Inc()
	if !stream {
		m.duration.WithLabelValues(route, methodOf(method)).Observe(took.Seconds())
	}
}

// Describe implements [prometheus.Collector].
func (m *metrics) Describe(c chan<- *prometheus.Desc) {
	c <- m.streams
	c <- m.status
	c <- m.position
}

// Collect implements [prometheus.Collector].
func (m *metrics) Collect(c chan<- prometheus.Metric) {
	put := func(d *prometheus.Desc, v float64, labels ...string) {
		c <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	put(m.streams, float64(m.s.live.Count()))
	put(m.position, float64(m.s.Views.Position()))
	counts := m.s.Views.Counts()
	for status := resource.StatusAwaiting; status <= resource.StatusReleased; status++ {
		put(m.status, float64(counts[status]), status.String())
	}
}
