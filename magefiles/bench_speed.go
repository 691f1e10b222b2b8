package main

import (
	"context"

	"github.com/hybrid-e2e/hybrid/test/bench/scaling"
	"github.com/hybrid-e2e/hybrid/test/bench/speed"
)

// Cluster compares the cluster phase with kind create cluster.
//
// Example: BENCH_ROUNDS=5 mage bench:cluster
func (Bench) Cluster(ctx context.Context) error {
	return failed("bench:cluster", speed.Cluster(ctx))
}

// Setup compares whole set-ups: a plain script, phases without caches, and ours.
//
// Example: BENCH_SCENARIO=change mage bench:setup
func (Bench) Setup(ctx context.Context) error {
	return failed("bench:setup", speed.Setup(ctx))
}

// Nodes compares the load phase on one node with that on three.
//
// Example: BENCH_ROUNDS=5 mage bench:nodes
func (Bench) Nodes(ctx context.Context) error {
	return failed("bench:nodes", speed.Nodes(ctx))
}

// Load compares the load phase with kind load docker-image.
//
// Example: BENCH_ROUNDS=5 mage bench:load
func (Bench) Load(ctx context.Context) error {
	return failed("bench:load", speed.Load(ctx))
}

// Floors compares phases with the least that the compiler, the API server and the engine take.
//
// Example: BENCH_ROUNDS=5 mage bench:floors
func (Bench) Floors(ctx context.Context) error {
	return failed("bench:floors", speed.Floors(ctx))
}

// Scaling measures what 2, 10 and 50 images and workloads take.
//
// Example: BENCH_ROUNDS=3 mage bench:scaling
func (Bench) Scaling(ctx context.Context) error {
	return failed("bench:scaling", scaling.Measure(ctx))
}
