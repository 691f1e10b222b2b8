package main

import (
	"context"

	"github.com/hybrid-e2e/hybrid/test/bench/datastorage"
)

// DataStorage measures the running DataStorage and fails when a target is missed.
//
// Example: mage bench:datastorage
func (Bench) DataStorage(ctx context.Context) error {
	return failed("bench:datastorage", datastorage.Measure(ctx))
}
