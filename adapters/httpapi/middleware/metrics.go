package middleware

import (
	"fmt"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics count requests.
type Metrics struct {
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
	limited  *prometheus.CounterVec
}

// NewMetrics returns metrics that are in a registry.
func NewMetrics(r prometheus.Registerer) (*Metrics, error) {
	m := &Metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sandglass_http_requests_total",
			Help: "Requests answered, by route, method and status.",
		}, []string{"route", "method", "code"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "sandglass_http_request_duration_seconds",
			Help:    "How long requests took, but for streams.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 4, 9), // to 32 s
		}, []string{"route", "method"}),
		limited: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sandglass_http_rate_limited_total",
			Help: "Requests refused since their address asked too often, by kind.",
		}, []string{"kind"}),
	}
	for _, c := range []prometheus.Collector{m.requests, m.duration, m.limited} {
		if err := r.Register(c); err != nil {
			return nil, fmt.Errorf("httpapi: metrics: %w", err)
		}
	}
	m.limited.WithLabelValues("read") // so that both are shown from the beginning
	m.limited.WithLabelValues("write")
	return m, nil
}

// observe counts a request. A stream's length says nothing about how fast answers are.
func (m *Metrics) observe(r *Request, method string, took time.Duration, stream bool) {
	route := r.route()
	m.requests.WithLabelValues(route, methodOf(method), strconv.Itoa(r.status)).Inc()
	if !stream {
		m.duration.WithLabelValues(route, methodOf(method)).Observe(took.Seconds())
	}
}

func (m *Metrics) countLimited(write bool) {
	kind := "read"
	if write {
		kind = "write"
	}
	m.limited.WithLabelValues(kind).Inc()
}
