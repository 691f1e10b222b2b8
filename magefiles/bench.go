package main

import (
	"context"

	"github.com/magefile/mage/mg"

	"github.com/hybrid-e2e/hybrid/test/bench"
)

// Bench holds one target per service whose speed is measured.
type Bench mg.Namespace

// Gateway measures the running Gateway under three loads and fails when a target is missed.
//
// Example: BENCH_DURATION=20s mage bench:gateway
func (Bench) Gateway(ctx context.Context) error {
	return failed("bench:gateway", bench.Gateway(ctx))
}
