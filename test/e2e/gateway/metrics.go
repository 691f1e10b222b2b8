package gateway

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/hybrid-e2e/hybrid/test/infrastructure"
	"github.com/hybrid-e2e/hybrid/test/testbed"
)

// metrics reads what the Gateway counts.
func (s *system) metrics(ctx context.Context) (testbed.Samples, error) {
	return s.Metrics(ctx, infrastructure.EndpointGatewayMetrics)
}

// without leaves out the series of these endpoints, which the cluster's own probes
// move.
func without(all testbed.Samples, endpoints ...string) testbed.Samples {
	left := testbed.Samples{}
	for name, v := range all {
		if !slices.ContainsFunc(endpoints, func(e string) bool {
			return strings.Contains(name, fmt.Sprintf("endpoint=%q", e))
		}) {
			left[name] = v
		}
	}
	return left
}
