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
			Help: "Requests refused since their like came too often, by kind.",
		}, []string{"kind"}),
	}
	for _, c := range []prometheus.Collector{m.requests, m.duration, m.limited} {
		if err := r.Register(c); err != nil {
			return nil, fmt.Errorf("httpapi: metrics: %w", err)
		}
	}
	for _, kind := range []string{"read", "write", "order", "address", "top_up", "holder"} {
		m.limited.WithLabelValues(kind) // so that all are shown from the beginning
	}
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

// CountLimited counts a request that was refused since it came too soon after others.
func (m *Metrics) CountLimited(kind string) { m.limited.WithLabelValues(kind).Inc() }
