package main

import (
	"context"

	"github.com/magefile/mage/mg"

	"github.com/hybrid-e2e/hybrid/test/infrastructure"
)

// Base holds the target for what the machines of an organisation share.
type Base mg.Namespace

// Refresh makes images and bases with the security updates of the day, and publishes them in REGISTRY.
//
// Example: REGISTRY=registry.example.com/e2e mage base:refresh
func (Base) Refresh(ctx context.Context) error {
	return failed("base:refresh", infrastructure.Refresh(ctx))
}
