package infrastructure

import (
	"context"
	"io"

	"github.com/hybrid-e2e/hybrid/hybrid"
)

// Names under which the specs of SignalProcessing find the URL of an endpoint.
const (
	EndpointSignalProcessing        = "signalprocessing"
	EndpointSignalProcessingMetrics = "signalprocessing-metrics"
)

// SignalProcessing declares the suite of SignalProcessing: the controller, and DataStorage
// with its stores, which keeps its audit trail.
func SignalProcessing() hybrid.Suite {
	return hybrid.Suite{
		Name:      "signalprocessing",
		Namespace: Namespace,
		// The specs of the Gateway set phases of requests themselves.
		Alone: true,
		Images: []hybrid.Image{
			{Name: "signalprocessing", Dockerfile: "docker/signalprocessing.Dockerfile", Coverage: true},
			{Name: "datastorage", Dockerfile: "docker/data-storage.Dockerfile", Coverage: true},
			{Name: "postgresql", Dockerfile: "docker/postgresql.Dockerfile", Native: true},
			{Name: "redis", Dockerfile: "docker/redis.Dockerfile", Native: true},
		},
		Setup:   []string{"manifests/namespaces", "manifests/crds"},
		Secrets: storeSecrets(),
		// No workload waits for another: they stay up and retry until what they need has come.
		Workloads: []hybrid.Workload{
			{Name: "postgresql", Manifests: "manifests/postgresql"},
			{Name: "redis", Manifests: "manifests/redis"},
			{Name: "datastorage", Manifests: "manifests/datastorage"},
			{Name: "signalprocessing", Manifests: "manifests/signalprocessing"},
		},
		Endpoints: []hybrid.Endpoint{
			{Name: EndpointDataStorage, NodePort: PortDataStorage, Path: "/health/ready"},
			{Name: EndpointSignalProcessing, NodePort: PortSignalProcessing, Path: "/ready"},
			{Name: EndpointSignalProcessingMetrics, NodePort: PortSignalProcessingMetrics},
		},
		Specs: "./test/e2e/signalprocessing",
		Floors: map[string]float64{
			"cmd/signalprocessing": 65,
			"pkg/signalprocessing": 75,
			"pkg/audit":            70,
			"pkg/livefile":         75,
		},
	}
}

// SetupSignalProcessingInfrastructureHybridWithCoverage makes the environment of
// SignalProcessing for running the specs by ginkgo alone, as the one of the Gateway does.
func SetupSignalProcessingInfrastructureHybridWithCoverage(ctx context.Context, out io.Writer) (hybrid.Environment, func(context.Context) error, error) {
	return setUp(ctx, "signalprocessing", out)
}
