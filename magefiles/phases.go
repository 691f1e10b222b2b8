package main

import (
	"context"

	"github.com/magefile/mage/mg"

	"github.com/hybrid-e2e/hybrid/hybrid"
)

// Build makes every image that does not exist yet under its content key, in parallel.
//
// Example: SUITE=datastorage mage build
func Build(ctx context.Context) error {
	return failed("build", session.Step(ctx, (*hybrid.Pipeline).Build))
}

// Cluster gives a Kind cluster that is proven to work; it is kept until `mage down`.
//
// Example: mage cluster
func Cluster(ctx context.Context) error {
	mg.CtxDeps(ctx, Build)
	return failed("cluster", session.Step(ctx, (*hybrid.Pipeline).Cluster))
}

// Load brings the images onto every node of the cluster.
//
// Example: mage load
func Load(ctx context.Context) error {
	mg.CtxDeps(ctx, Cluster)
	return failed("load", session.Step(ctx, (*hybrid.Pipeline).Load))
}

// Deploy gives stores and services that run in the cluster and answer on 127.0.0.1.
//
// Example: CLUSTER_TTL=4h mage deploy
func Deploy(ctx context.Context) error {
	mg.CtxDeps(ctx, Load)
	return failed("deploy", session.Step(ctx, (*hybrid.Pipeline).Deploy))
}
