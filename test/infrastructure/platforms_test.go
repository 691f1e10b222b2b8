package infrastructure

import (
	"testing"

	"github.com/hybrid-e2e/hybrid/hybrid/image"
)

// Every image that is not declared as Native can be made for another platform.
func TestImagesCanBeMadeForOtherPlatforms(t *testing.T) {
	for _, suite := range All() {
		var specs []image.Spec
		for _, img := range suite.Images {
			if !img.Native {
				specs = append(specs, image.Spec{Name: img.Name, Dockerfile: img.Dockerfile})
			}
		}
		if err := image.CheckForeign(repository, specs); err != nil {
			t.Errorf("suite %s: %v", suite.Name, err)
		}
	}
}
