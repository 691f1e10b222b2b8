package main

import (
	"context"

	"github.com/magefile/mage/mg"

	"github.com/hybrid-e2e/hybrid/test/infrastructure"
)

// Cache holds the targets by which a CI system hands images from one machine to the next.
type Cache mg.Namespace

// Key prints what names the content of all images: it changes when any would be built anew.
//
// Example: mage cache:key
func (Cache) Key() error {
	return failed("cache:key", infrastructure.CacheKey())
}

// Save writes the images of all suites that the engine holds to a file.
//
// Example: mage cache:save images.tar
func (Cache) Save(ctx context.Context, file string) error {
	return failed("cache:save "+file, infrastructure.SaveImages(ctx, file))
}

// Restore brings the images of a file that cache:save wrote into the engine, if it lacks them.
//
// Example: mage cache:restore images.tar
func (Cache) Restore(ctx context.Context, file string) error {
	return failed("cache:restore "+file, infrastructure.RestoreImages(ctx, file))
}
