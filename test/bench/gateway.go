package bench

import (
	"bytes"
	"context"
	"fmt"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/hybrid-e2e/hybrid/test/infrastructure"
)

// gatewayState is what the Gateway says of itself.
type gatewayState struct {
	sample
	// heap is in bytes; goroutines and events, the audit events that wait, are counts.
	heap, goroutines, events float64
}

// gateway reads the Gateway's own metrics.
func (s *system) gateway(ctx context.Context) (gatewayState, error) {
	body, err := s.get(ctx, infrastructure.EndpointGatewayMetrics, "/metrics")
	if err != nil {
		return gatewayState{}, fmt.Errorf("read the Gateway's metrics: %w", err)
	}
	return parseState(body, time.Now())
}

func parseState(text []byte, now time.Time) (gatewayState, error) {
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(text))
	if err != nil {
		return gatewayState{}, fmt.Errorf("parse the Gateway's metrics: %w", err)
	}
	state := gatewayState{sample: sample{at: now}}
	for name, into := range map[string]*float64{
		"process_cpu_seconds_total":     &state.cpu,
		"process_resident_memory_bytes": &state.memory,
		"go_memstats_heap_inuse_bytes":  &state.heap,
		"go_goroutines":                 &state.goroutines,
		"gateway_audit_buffer_events":   &state.events,
	} {
		family, found := families[name]
		if !found || len(family.GetMetric()) != 1 {
			return gatewayState{}, fmt.Errorf("the Gateway's metrics have no single %s", name)
		}
		*into = number(family.GetMetric()[0])
	}
	return state, nil
}

func number(metric *dto.Metric) float64 {
	if counter := metric.GetCounter(); counter != nil {
		return counter.GetValue()
	}
	return metric.GetGauge().GetValue()
}
