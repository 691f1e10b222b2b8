package gateway

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/hybrid-e2e/hybrid/test/infrastructure"
)

// samples maps a series, written as name{label="value",...} with sorted labels, to
// its value. Of a histogram it has the number of observations.
type samples map[string]float64

// metrics reads what the Gateway counts.
func (s *system) metrics(ctx context.Context) (samples, error) {
	a, err := s.get(ctx, infrastructure.EndpointGatewayMetrics, "/metrics")
	if err != nil {
		return nil, err
	}
	if a.status != http.StatusOK {
		return nil, fmt.Errorf("metrics answered %d: %s", a.status, a.body)
	}
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(a.body))
	if err != nil {
		return nil, fmt.Errorf("parse the metrics: %w", err)
	}
	all := samples{}
	for name, family := range families {
		for _, metric := range family.GetMetric() {
			all[series(name, metric.GetLabel())] = value(metric)
		}
	}
	return all, nil
}

// moved returns what grew from before to s, in the families that are named.
func (s samples) moved(before samples, families ...string) samples {
	delta := samples{}
	for name, now := range s {
		family, _, _ := strings.Cut(name, "{")
		if grew := now - before[name]; grew != 0 && slices.Contains(families, family) {
			delta[name] = grew
		}
	}
	return delta
}

func series(name string, labels []*dto.LabelPair) string {
	pairs := make([]string, len(labels))
	for i, l := range labels {
		pairs[i] = fmt.Sprintf("%s=%q", l.GetName(), l.GetValue())
	}
	slices.Sort(pairs)
	return name + "{" + strings.Join(pairs, ",") + "}"
}

func value(metric *dto.Metric) float64 {
	switch {
	case metric.GetCounter() != nil:
		return metric.GetCounter().GetValue()
	case metric.GetGauge() != nil:
		return metric.GetGauge().GetValue()
	case metric.GetHistogram() != nil:
		return float64(metric.GetHistogram().GetSampleCount())
	default:
		return metric.GetUntyped().GetValue()
	}
}

// without returns s without the series of these endpoints, which the cluster's
// own probes move.
func (s samples) without(endpoints ...string) samples {
	left := samples{}
	for name, v := range s {
		if !slices.ContainsFunc(endpoints, func(e string) bool {
			return strings.Contains(name, fmt.Sprintf("endpoint=%q", e))
		}) {
			left[name] = v
		}
	}
	return left
}
