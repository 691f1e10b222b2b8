package metrics

import (
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/hybrid-e2e/hybrid/api/remediation/v1alpha1"
	"github.com/hybrid-e2e/hybrid/pkg/audit"
)

func TestCountersCount(t *testing.T) {
	registry := prometheus.NewRegistry()
	m := New(registry)
	m.Received(v1alpha1.SignalTypePrometheusAlert, v1alpha1.SeverityCritical)
	m.Deduplicated(v1alpha1.SignalTypeKubernetesEvent)
	m.Rejected(ReasonTimestamp)
	m.Created(v1alpha1.SignalTypePrometheusAlert, PlacementFallback)
	m.CreationFailed("timeout")
	m.Audit(audit.Sent, 7)
	m.AuditBuffered(3)
	want := `
# HELP gateway_audit_buffer_events Audit events that wait to be sent.
# TYPE gateway_audit_buffer_events gauge
gateway_audit_buffer_events 3
# HELP gateway_audit_events_total Audit events by what became of them.
# TYPE gateway_audit_events_total counter
gateway_audit_events_total{outcome="lost"} 0
gateway_audit_events_total{outcome="overflow"} 0
gateway_audit_events_total{outcome="rejected"} 0
gateway_audit_events_total{outcome="sent"} 7
# HELP gateway_crd_creation_errors_total Signals that could not be recorded in Kubernetes.
# TYPE gateway_crd_creation_errors_total counter
gateway_crd_creation_errors_total{error_type="timeout"} 1
# HELP gateway_crds_created_total RemediationRequests created.
# TYPE gateway_crds_created_total counter
gateway_crds_created_total{source_type="kubernetes-event",status="created"} 0
gateway_crds_created_total{source_type="kubernetes-event",status="fallback"} 0
gateway_crds_created_total{source_type="prometheus-alert",status="created"} 0
gateway_crds_created_total{source_type="prometheus-alert",status="fallback"} 1
# HELP gateway_signals_deduplicated_total Signals that were counted in an existing request.
# TYPE gateway_signals_deduplicated_total counter
gateway_signals_deduplicated_total{source_type="kubernetes-event"} 1
gateway_signals_deduplicated_total{source_type="prometheus-alert"} 0
`
	if err := testutil.GatherAndCompare(registry, strings.NewReader(want), "gateway_audit_buffer_events",
		"gateway_audit_events_total", "gateway_crd_creation_errors_total", "gateway_crds_created_total",
		"gateway_signals_deduplicated_total"); err != nil {
		t.Error(err)
	}
	if got := testutil.ToFloat64(m.received.WithLabelValues("prometheus-alert", "critical")); got != 1 {
		t.Errorf("received %v", got)
	}
	if got := testutil.ToFloat64(m.rejected.WithLabelValues("timestamp")); got != 1 {
		t.Errorf("rejected %v", got)
	}
}

func TestMethodsAreBounded(t *testing.T) {
	m := New(prometheus.NewRegistry())
	m.Observe("/health", "GET", 200, time.Millisecond)
	m.Observe("/health", "BREW", 405, time.Millisecond)
	m.Observe("/health", "WHEN", 405, time.Millisecond)
	if got := testutil.CollectAndCount(m.duration); got != 2 {
		t.Errorf("%d series, want 2", got)
	}
}
