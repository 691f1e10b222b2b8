package testbed

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
)

// Samples maps a series, written as name{label="value",...} with sorted labels, to
// its value. Of a histogram it has the number of observations.
type Samples map[string]float64

// Metrics reads what the service behind an endpoint counts.
func (b *Bed) Metrics(ctx context.Context, endpoint string) (Samples, error) {
	a, err := b.Get(ctx, endpoint, "/metrics")
	if err != nil {
		return nil, err
	}
	if a.Status != http.StatusOK {
		return nil, fmt.Errorf("metrics answered %d: %s", a.Status, a.Body)
	}
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(a.Body))
	if err != nil {
		return nil, fmt.Errorf("parse the metrics: %w", err)
	}
	all := Samples{}
	for name, family := range families {
		for _, metric := range family.GetMetric() {
			all[series(name, metric.GetLabel())] = value(metric)
		}
	}
	return all, nil
}

// Moved returns what grew from before to s, in the families that are named.
func (s Samples) Moved(before Samples, families ...string) Samples {
	delta := Samples{}
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
