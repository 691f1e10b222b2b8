package main

import (
	"context"

	"github.com/magefile/mage/mg"

	"github.com/hybrid-e2e/hybrid/test/infrastructure"
)

// E2E holds one target per suite: the whole way from sources to tested.
type E2E mg.Namespace

// Gateway tests the Gateway in a real cluster, with coverage, and leaves nothing behind.
//
// Example: FOCUS='replay' KEEP_CLUSTER=1 mage e2e:gateway
func (E2E) Gateway(ctx context.Context) error {
	return failed("e2e:gateway", infrastructure.EndToEnd(ctx, "gateway"))
}

// DataStorage tests DataStorage in a real cluster, with coverage, and leaves nothing behind.
//
// Example: PROCS=4 mage e2e:datastorage
func (E2E) DataStorage(ctx context.Context) error {
	return failed("e2e:datastorage", infrastructure.EndToEnd(ctx, "datastorage"))
}

// SignalProcessing tests SignalProcessing in a real cluster, with coverage, and leaves nothing behind.
//
// Example: KEEP_CLUSTER=1 mage e2e:signalprocessing
func (E2E) SignalProcessing(ctx context.Context) error {
	return failed("e2e:signalprocessing", infrastructure.EndToEnd(ctx, "signalprocessing"))
}

// FullPipeline tests all services together, from the alert to the audit trail, with coverage.
//
// Example: mage e2e:fullpipeline
func (E2E) FullPipeline(ctx context.Context) error {
	return failed("e2e:fullpipeline", infrastructure.EndToEnd(ctx, "fullpipeline"))
}

// All tests every suite; those that can share an environment have one cluster together.
//
// Example: mage e2e:all
func (E2E) All(ctx context.Context) error {
	return failed("e2e:all", infrastructure.EndToEndShared(ctx))
}

// Suite tests the suite of the given name, as declared in test/infrastructure.
//
// Example: mage e2e:suite gateway
func (E2E) Suite(ctx context.Context, name string) error {
	return failed("e2e:suite "+name, infrastructure.EndToEnd(ctx, name))
}

// Sharded tests a suite, SUITE or the Gateway's, in n clusters at once, and merges their reports.
// Images are built once. It is refused when the memory is too small for n clusters.
//
// Example: SUITE=datastorage mage e2e:sharded 2
func (E2E) Sharded(ctx context.Context, n int) error {
	return failed("e2e:sharded", infrastructure.EndToEndSharded(ctx, n))
}

// Job tests a suite, SUITE or the Gateway's, as n shards in the pods of a Job, and merges their reports.
// It needs a cluster that exists.
//
// Example: CLUSTER=existing KUBECONFIG=$HOME/clusters/team REGISTRY=registry.example.com/e2e mage e2e:job 4
func (E2E) Job(ctx context.Context, n int) error {
	return failed("e2e:job", infrastructure.EndToEndJob(ctx, n))
}
