package main

import (
	"context"

	"github.com/hybrid-e2e/hybrid/test/infrastructure"
)

// Down deletes the clusters that this checkout made, kept ones too, and names each.
// A cluster is deleted only when its nodes are the very containers that were made for
// it; one of the same name that somebody else made stays.
//
// Example: mage down -all
func Down(ctx context.Context,
	all *bool, // also delete those of other checkouts whose run is gone or that have expired; a live one is named and left alone
) error {
	return failed("down", session.Down(ctx, all != nil && *all))
}

// Status lists the clusters of this checkout and of your other ones: age, owner, end, nodes, disk.
//
// Example: mage status -json=true
func Status(ctx context.Context,
	json *bool, // as JSON, for programs
) error {
	return failed("status", infrastructure.Status(ctx, json != nil && *json))
}

// Images lists the images of this pipeline that the engine holds: size, age of the security updates, use.
//
// Example: mage images -json=true
func Images(ctx context.Context,
	json *bool, // as JSON, for programs
) error {
	return failed("images", infrastructure.Images(ctx, json != nil && *json))
}
