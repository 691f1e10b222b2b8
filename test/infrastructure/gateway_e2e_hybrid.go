package infrastructure

import (
	"context"
	"io"

	"github.com/hybrid-e2e/hybrid/hybrid"
)

// SetupGatewayInfrastructureHybridWithCoverage makes the Gateway's environment
// by the four phases, for running the specs by ginkgo alone: images first and
// in parallel, then the cluster, then loading, then deploying. The function
// returned collects coverage and deletes the cluster unless KEEP_CLUSTER is set.
// What happens is told to out.
func SetupGatewayInfrastructureHybridWithCoverage(ctx context.Context, out io.Writer) (hybrid.Environment, func(context.Context) error, error) {
	return setUp(ctx, "gateway", out)
}

// SetupDataStorageInfrastructureHybridWithCoverage is the same for DataStorage.
func SetupDataStorageInfrastructureHybridWithCoverage(ctx context.Context, out io.Writer) (hybrid.Environment, func(context.Context) error, error) {
	return setUp(ctx, "datastorage", out)
}

func setUp(ctx context.Context, name string, out io.Writer) (hybrid.Environment, func(context.Context) error, error) {
	suite, o, err := prepare(name)
	if err != nil {
		return hybrid.Environment{}, nil, tell(err)
	}
	o.Out = out
	p, err := hybrid.Open(ctx, suite, o)
	if err != nil {
		return hybrid.Environment{}, nil, err
	}
	for _, phase := range []func(context.Context) error{p.Build, p.Cluster, p.Load, p.Deploy} {
		if err := phase(ctx); err != nil {
			return hybrid.Environment{}, nil, p.Close(ctx, err)
		}
	}
	return *p.Environment(), func(ctx context.Context) error { return p.Close(ctx, p.Collect(ctx)) }, nil
}
