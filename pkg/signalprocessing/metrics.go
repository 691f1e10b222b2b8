package signalprocessing

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/hybrid-e2e/hybrid/api/remediation/v1alpha1"
	"github.com/hybrid-e2e/hybrid/pkg/audit"
)

// The outcomes of signalprocessing_rules_reloads_total.
const (
	reloadApplied = "applied"
	reloadRefused = "refused"
)

// The reasons of signalprocessing_retries_total.
const (
	retryConflict  = "conflict"
	retryNamespace = "namespace"
	retryStatus    = "status"
)

// Metrics records what SignalProcessing does. Make one with NewMetrics.
type Metrics struct {
	accepted     prometheus.Counter
	enriched     *prometheus.CounterVec
	retries      *prometheus.CounterVec
	reloads      *prometheus.CounterVec
	rulesCurrent prometheus.Gauge
	auditEvents  *prometheus.CounterVec
	auditBuffer  prometheus.Gauge
}

// NewMetrics makes the metrics, those with a closed set of labels at zero.
func NewMetrics() *Metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: help})
	}
	m := &Metrics{
		accepted: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "signalprocessing_requests_accepted_total", Help: "Requests that were taken up.",
		}),
		enriched: counter("signalprocessing_requests_enriched_total",
			"Requests that got an environment and a priority.", "environment", "priority"),
		retries: counter("signalprocessing_retries_total",
			"Looks at a request that have to be repeated.", "reason"),
		reloads: counter("signalprocessing_rules_reloads_total",
			"Changes of the rules while the process ran.", "outcome"),
		rulesCurrent: gauge("signalprocessing_rules_current",
			"1 when the rules of the file hold, 0 when the file is refused and older rules hold."),
		auditEvents: counter("signalprocessing_audit_events_total",
			"Audit events by what became of them.", "outcome"),
		auditBuffer: gauge("signalprocessing_audit_buffer_events", "Audit events that wait to be sent."),
	}
	for _, reason := range []string{retryConflict, retryNamespace, retryStatus} {
		m.retries.WithLabelValues(reason)
	}
	for _, outcome := range []string{reloadApplied, reloadRefused} {
		m.reloads.WithLabelValues(outcome)
	}
	for _, fate := range audit.Fates() {
		m.auditEvents.WithLabelValues(string(fate))
	}
	return m
}

// Describe makes Metrics a prometheus.Collector.
func (m *Metrics) Describe(to chan<- *prometheus.Desc) { prometheus.DescribeByCollect(m, to) }

// Collect makes Metrics a prometheus.Collector.
func (m *Metrics) Collect(to chan<- prometheus.Metric) {
	for _, c := range []prometheus.Collector{
		m.accepted, m.enriched, m.retries, m.reloads, m.rulesCurrent, m.auditEvents, m.auditBuffer,
	} {
		c.Collect(to)
	}
}

// Audit counts events by what became of them.
func (m *Metrics) Audit(fate audit.Fate, events int) {
	m.auditEvents.WithLabelValues(string(fate)).Add(float64(events))
}

// AuditBuffered sets how many audit events wait.
func (m *Metrics) AuditBuffered(events int) { m.auditBuffer.Set(float64(events)) }

func (m *Metrics) enrichedAs(environment string, priority v1alpha1.Priority) {
	m.enriched.WithLabelValues(environment, string(priority)).Inc()
}
