package metrics

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/hybrid-e2e/hybrid/pkg/datastorage/queue"
)

// Metrics is what DataStorage counts.
type Metrics struct {
	registry *prometheus.Registry
	clock    func() time.Time

	requests   *prometheus.HistogramVec
	writes     *prometheus.HistogramVec
	events     *prometheus.CounterVec
	duplicates prometheus.Counter
	rejected   *prometheus.CounterVec
	replayed   prometheus.Counter
	buried     prometheus.Counter
	depth      prometheus.Gauge
	dead       prometheus.Gauge
	lag        prometheus.Gauge
	up         *prometheus.GaugeVec
}

// New returns metrics that are all at zero. clock tells the time for the lag; nil
// means time.Now.
func New(clock func() time.Time) *Metrics {
	if clock == nil {
		clock = time.Now
	}
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		clock:    clock,
		requests: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "datastorage_http_request_duration_seconds",
			Help: "Time to the answer, by route, method and status.",
		}, []string{"endpoint", "method", "status"}),
		writes: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "datastorage_write_duration_seconds",
			Help:    "Time until the events of one request had a place, by kind of request and result.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5},
		}, []string{"kind", "result"}),
		events: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "datastorage_audit_events_total",
			Help: "Events of write requests, by result: stored, queued, rejected, failed.",
		}, []string{"result"}),
		duplicates: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "datastorage_audit_events_duplicate_total",
			Help: "Events that were sent again and were already stored.",
		}),
		rejected: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "datastorage_requests_rejected_total",
			Help: "Write requests that were refused, by reason.",
		}, []string{"reason"}),
		replayed: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "datastorage_queue_replayed_total",
			Help: "Events moved from the queue to PostgreSQL.",
		}),
		buried: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "datastorage_queue_dead_total",
			Help: "Events moved from the queue to the dead stream.",
		}),
		depth: gauge("datastorage_queue_depth", "Events waiting in the queue."),
		dead:  gauge("datastorage_queue_dead_depth", "Events in the dead stream."),
		lag:   gauge("datastorage_queue_lag_seconds", "Age of the oldest event in the queue, 0 when it is empty."),
		up: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "datastorage_store_up",
			Help: "1 when the store could be used at the last check.",
		}, []string{"store"}),
	}
	m.registry.MustRegister(m.requests, m.writes, m.events, m.duplicates, m.rejected, m.replayed, m.buried,
		m.depth, m.dead, m.lag, m.up, collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m.initialise()
	return m
}

func gauge(name, help string) prometheus.Gauge {
	return prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: help})
}

// initialise makes every series exist from the start, so that the first increase can
// be seen as one.
func (m *Metrics) initialise() {
	for _, result := range []string{ResultStored, ResultQueued, ResultRejected, ResultFailed} {
		m.events.WithLabelValues(result)
	}
	for _, reason := range []string{ReasonInvalid, ReasonMediaType, ReasonTooLarge, ReasonOverload} {
		m.rejected.WithLabelValues(reason)
	}
	m.StoreUp("postgresql", false)
	m.StoreUp("redis", false)
}

// The results of a write.
const (
	ResultStored   = "stored"
	ResultQueued   = "queued"
	ResultRejected = "rejected"
	ResultFailed   = "failed"
)

// The reasons for which a write is refused.
const (
	ReasonInvalid   = "invalid"
	ReasonMediaType = "media_type"
	ReasonTooLarge  = "too_large"
	ReasonOverload  = "overload"
)

// Handler serves the metrics.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

// Request counts one answered request. endpoint is a route of the server, never a path
// that was sent.
func (m *Metrics) Request(endpoint, method string, status int, took time.Duration) {
	m.requests.WithLabelValues(endpoint, method, strconv.Itoa(status)).Observe(took.Seconds())
}

// Write counts one write of the kind single or batch.
func (m *Metrics) Write(kind, result string, events int, took time.Duration) {
	m.writes.WithLabelValues(kind, result).Observe(took.Seconds())
	m.events.WithLabelValues(result).Add(float64(events))
}

// Duplicates counts events that were stored before.
func (m *Metrics) Duplicates(events int64) { m.duplicates.Add(float64(events)) }

// Rejected counts one refused write request.
func (m *Metrics) Rejected(reason string) { m.rejected.WithLabelValues(reason).Inc() }

// StoreUp records the state of a store, postgresql or redis.
func (m *Metrics) StoreUp(store string, up bool) {
	value := 0.0
	if up {
		value = 1
	}
	m.up.WithLabelValues(store).Set(value)
}

// QueueChecked records a look at the queue. When Redis is down, the last known depth
// stays: the events are still there.
func (m *Metrics) QueueChecked(stats queue.Stats, up bool) {
	m.StoreUp("redis", up)
	if !up {
		return
	}
	m.depth.Set(float64(stats.Depth))
	m.dead.Set(float64(stats.Dead))
	lag := 0.0
	if !stats.Oldest.IsZero() {
		lag = max(0, m.clock().Sub(stats.Oldest).Seconds())
	}
	m.lag.Set(lag)
}

// Replayed counts events moved to PostgreSQL.
func (m *Metrics) Replayed(events int64) { m.replayed.Add(float64(events)) }

// Buried counts events moved to the dead stream.
func (m *Metrics) Buried(events int64) { m.buried.Add(float64(events)) }
