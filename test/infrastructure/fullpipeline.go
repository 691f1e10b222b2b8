package infrastructure

import (
	"context"
	"io"

	"github.com/hybrid-e2e/hybrid/hybrid"
)

// FullPipeline declares the suite of all services together: from the alert to the audit
// trail.
func FullPipeline() hybrid.Suite {
	return hybrid.Suite{
		Name:      "fullpipeline",
		Namespace: Namespace,
		// The specs of the Gateway set phases of requests themselves.
		Alone: true,
		Images: []hybrid.Image{
			{Name: "gateway", Dockerfile: "docker/gateway-ubi9.Dockerfile", Coverage: true},
			{Name: "signalprocessing", Dockerfile: "docker/signalprocessing.Dockerfile", Coverage: true},
			{Name: "datastorage", Dockerfile: "docker/data-storage.Dockerfile", Coverage: true},
			{Name: "postgresql", Dockerfile: "docker/postgresql.Dockerfile", Native: true},
			{Name: "redis", Dockerfile: "docker/redis.Dockerfile", Native: true},
		},
		Setup:   []string{"manifests/namespaces", "manifests/crds"},
		Secrets: storeSecrets(),
		Workloads: []hybrid.Workload{
			{Name: "postgresql", Manifests: "manifests/postgresql"},
			{Name: "redis", Manifests: "manifests/redis"},
			{Name: "datastorage", Manifests: "manifests/datastorage"},
			{Name: "gateway", Manifests: "manifests/gateway"},
			{Name: "signalprocessing", Manifests: "manifests/signalprocessing"},
		},
		Endpoints: []hybrid.Endpoint{
			{Name: EndpointGateway, NodePort: PortGateway, Path: "/ready"},
			{Name: EndpointDataStorage, NodePort: PortDataStorage, Path: "/health/ready"},
			{Name: EndpointSignalProcessing, NodePort: PortSignalProcessing, Path: "/ready"},
		},
		Specs: "./test/e2e/fullpipeline",
		// Only the way through all services is taken here; their own suites have the rest.
		Floors: map[string]float64{
			"cmd/gateway":          65,
			"cmd/signalprocessing": 65,
			"pkg/signalprocessing": 65,
			"pkg/audit":            70,
		},
	}
}

// SetupFullPipelineInfrastructureHybridWithCoverage makes the environment of all services
// for running the specs by ginkgo alone, as the one of the Gateway does.
func SetupFullPipelineInfrastructureHybridWithCoverage(ctx context.Context, out io.Writer) (hybrid.Environment, func(context.Context) error, error) {
	return setUp(ctx, "fullpipeline", out)
}
