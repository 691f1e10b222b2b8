package main

import (
	"context"

	"github.com/hybrid-e2e/hybrid/test/infrastructure"
)

// Setup makes a bare machine able to run everything and says what it does.
//
// Example: mage setup
func Setup(ctx context.Context) error {
	return failed("setup", infrastructure.Setup(ctx))
}

// Doctor looks for what would make a run fail on this machine and names the fix.
//
// Example: mage doctor -json=true
func Doctor(ctx context.Context,
	json *bool, // as JSON, for programs
) error {
	return failed("doctor", infrastructure.Doctor(ctx, json != nil && *json))
}
