package main

import (
	"context"

	"github.com/magefile/mage/mg"

	"github.com/hybrid-e2e/hybrid/test/infrastructure"
)

// Report holds what is done with the artifacts of runs.
type Report mg.Namespace

// Merge makes one report of those of the shards of a run, and judges their coverage together.
// The folders stand in one argument, with commas between them; each is a shard's, or has
// those of shards somewhere below it. A spec that is missing or ran twice is an error.
//
// Example: mage report:merge shards
func (Report) Merge(ctx context.Context, folders string) error {
	return failed("report:merge", infrastructure.MergeReports(ctx, folders))
}
