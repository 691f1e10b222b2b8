package metrics

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/hybrid-e2e/hybrid/api/remediation/v1alpha1"
	"github.com/hybrid-e2e/hybrid/pkg/audit"
)

// Reason says why a signal, or the request that carried it, was refused.
type Reason string

// The reasons of gateway_signals_rejected_total.
const (
	ReasonOverload       Reason = "overload"
	ReasonAuthentication Reason = "authentication"
	ReasonAuthorization  Reason = "authorization"
	ReasonBodyTooLarge   Reason = "body_too_large"
	ReasonMediaType      Reason = "media_type"
	ReasonTimestamp      Reason = "timestamp"
	ReasonMalformed      Reason = "malformed"
	ReasonValidation     Reason = "validation"
	ReasonRefused        Reason = "refused_by_kubernetes"
)

// Placement says where a created request was put.
type Placement string

// The statuses of gateway_crds_created_total.
const (
	PlacementTarget   Placement = "created"
	PlacementFallback Placement = "fallback"
)

// Reload says what became of a changed configuration.
type Reload string

// The outcomes of gateway_config_reloads_total.
const (
	ReloadApplied Reload = "applied"
	// ReloadRefused configurations make no sense; what held before still holds.
	ReloadRefused Reload = "refused"
)

// Metrics records what the Gateway does. Make one with New; its methods are safe
// for concurrent use.
type Metrics struct {
	received       *prometheus.CounterVec
	deduplicated   *prometheus.CounterVec
	rejected       *prometheus.CounterVec
	created        *prometheus.CounterVec
	creationErrors *prometheus.CounterVec
	duration       *prometheus.HistogramVec
	auditEvents    *prometheus.CounterVec
	auditBuffer    prometheus.Gauge
	reloads        *prometheus.CounterVec
}

// New makes the metrics and registers them. It panics if they are registered
// already, which only a mistake in the program can cause.
func New(registerer prometheus.Registerer) *Metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	m := &Metrics{
		received: counter("gateway_signals_received_total",
			"Valid signals that came in, resolved ones included.", "source_type", "severity"),
		deduplicated: counter("gateway_signals_deduplicated_total",
			"Signals that were counted in an existing request.", "source_type"),
		rejected: counter("gateway_signals_rejected_total",
			"Signals, or whole requests, that were refused.", "reason"),
		created: counter("gateway_crds_created_total",
			"RemediationRequests created.", "source_type", "status"),
		creationErrors: counter("gateway_crd_creation_errors_total",
			"Signals that could not be recorded in Kubernetes.", "error_type"),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "gateway_http_request_duration_seconds",
			Help:    "Time from the request's headers to the end of the answer.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
		}, []string{"endpoint", "method", "status"}),
		auditEvents: counter("gateway_audit_events_total",
			"Audit events by what became of them.", "outcome"),
		auditBuffer: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "gateway_audit_buffer_events", Help: "Audit events that wait to be sent.",
		}),
		reloads: counter("gateway_config_reloads_total",
			"Changes of the configuration while the process ran.", "outcome"),
	}
	registerer.MustRegister(m.received, m.deduplicated, m.rejected, m.created,
		m.creationErrors, m.duration, m.auditEvents, m.auditBuffer, m.reloads)
	m.declare()
	return m
}

// declare makes the series with a closed set of labels exist at zero, so that the
// first occurrence is seen as an increase.
func (m *Metrics) declare() {
	for _, source := range []v1alpha1.SignalType{v1alpha1.SignalTypePrometheusAlert, v1alpha1.SignalTypeKubernetesEvent} {
		for _, severity := range []v1alpha1.Severity{v1alpha1.SeverityCritical, v1alpha1.SeverityWarning, v1alpha1.SeverityInfo} {
			m.received.WithLabelValues(string(source), string(severity))
		}
		m.deduplicated.WithLabelValues(string(source))
		m.created.WithLabelValues(string(source), string(PlacementTarget))
		m.created.WithLabelValues(string(source), string(PlacementFallback))
	}
	for _, reason := range []Reason{
		ReasonOverload, ReasonAuthentication, ReasonAuthorization, ReasonBodyTooLarge,
		ReasonMediaType, ReasonTimestamp, ReasonMalformed, ReasonValidation, ReasonRefused,
	} {
		m.rejected.WithLabelValues(string(reason))
	}
	for _, fate := range audit.Fates() {
		m.auditEvents.WithLabelValues(string(fate))
	}
	for _, outcome := range []Reload{ReloadApplied, ReloadRefused} {
		m.reloads.WithLabelValues(string(outcome))
	}
}

// Received counts a valid signal.
func (m *Metrics) Received(source v1alpha1.SignalType, severity v1alpha1.Severity) {
	m.received.WithLabelValues(string(source), string(severity)).Inc()
}

// Deduplicated counts a signal that an existing request stands for.
func (m *Metrics) Deduplicated(source v1alpha1.SignalType) {
	m.deduplicated.WithLabelValues(string(source)).Inc()
}

// Rejected counts a refused signal or request.
func (m *Metrics) Rejected(reason Reason) {
	m.rejected.WithLabelValues(string(reason)).Inc()
}

// Created counts a created request.
func (m *Metrics) Created(source v1alpha1.SignalType, placement Placement) {
	m.created.WithLabelValues(string(source), string(placement)).Inc()
}

// CreationFailed counts a signal that Kubernetes did not take. The error type
// must come from a closed set.
func (m *Metrics) CreationFailed(errorType string) {
	m.creationErrors.WithLabelValues(errorType).Inc()
}

// Audit counts events by what became of them.
func (m *Metrics) Audit(fate audit.Fate, events int) {
	m.auditEvents.WithLabelValues(string(fate)).Add(float64(events))
}

// AuditBuffered sets how many audit events wait.
func (m *Metrics) AuditBuffered(events int) {
	m.auditBuffer.Set(float64(events))
}

// Reloaded counts a changed configuration by what became of it.
func (m *Metrics) Reloaded(outcome Reload) {
	m.reloads.WithLabelValues(string(outcome)).Inc()
}

// Observe records one answered request. The endpoint must be a route of the
// router, not the path that the sender wrote.
func (m *Metrics) Observe(endpoint, method string, status int, took time.Duration) {
	m.duration.WithLabelValues(endpoint, boundedMethod(method), strconv.Itoa(status)).Observe(took.Seconds())
}

func boundedMethod(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch,
		http.MethodDelete, http.MethodOptions:
		return method
	default:
		return "other"
	}
}
