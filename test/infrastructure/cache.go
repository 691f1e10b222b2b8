package infrastructure

import (
	"context"
	"fmt"
	"os"

	"github.com/hybrid-e2e/hybrid/hybrid"
)

// CacheKey prints the key of all images. What a CI system stores under it stays good until
// one of them would be built anew.
func CacheKey() error {
	o, err := Options(os.Getenv, os.Stdout)
	if err != nil {
		return tell(err)
	}
	key, err := hybrid.CacheKey(o, All()...)
	if err != nil {
		return tell(err)
	}
	fmt.Println(key)
	return nil
}

// SaveImages writes the images of all suites to a file.
func SaveImages(ctx context.Context, file string) error {
	_, o, err := prepare(defaultSuite)
	if err != nil {
		return tell(err)
	}
	return tell(hybrid.SaveImages(ctx, o, file, All()...))
}

// RestoreImages brings the images of a file into the engine.
func RestoreImages(ctx context.Context, file string) error {
	_, o, err := prepare(defaultSuite)
	if err != nil {
		return tell(err)
	}
	return tell(hybrid.RestoreImages(ctx, o, file, All()...))
}
