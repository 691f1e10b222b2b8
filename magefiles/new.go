package main

import (
	"context"

	"github.com/magefile/mage/mg"

	"github.com/hybrid-e2e/hybrid/test/infrastructure"
)

// New holds what adds to this repository.
type New mg.Namespace

// Suite writes a suite that works for another service: sources, image, manifests, ports, specs.
// The name is that of the service: lower-case letters and digits, as a Go package has.
// Nothing is written when anything of that name is there already.
//
// Example: mage new:suite orders
func (New) Suite(ctx context.Context, name string,
	controller *bool, // a controller that watches RemediationRequests instead of a service with an API
) error {
	return failed("new:suite "+name, infrastructure.NewSuite(ctx, name, controller != nil && *controller))
}
