package hybrid

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"runtime"
	"slices"
	"strings"

	"github.com/hybrid-e2e/hybrid/hybrid/bundle"
	"github.com/hybrid-e2e/hybrid/hybrid/engine"
	"github.com/hybrid-e2e/hybrid/hybrid/fault"
	"github.com/hybrid-e2e/hybrid/hybrid/image"
	"github.com/hybrid-e2e/hybrid/hybrid/offline"
)

// What a CI system needs to hand images from one machine to the next.

// cachePrefix begins every key, so that a CI system finds the latest file when there is
// none of the same content.
const cachePrefix = "hybrid-images-"

// CacheKey names the content of all images of the suites: it changes when any of them
// would be built anew. It asks no engine.
func CacheKey(o Options, suites ...Suite) (string, error) {
	var refs []string
	for _, s := range suites {
		p := Pipeline{suite: s, o: o.withDefaults()}
		plans, err := image.Plans(image.Options{Root: o.Root, Epoch: o.Epoch}, p.imageSpecs())
		if err != nil {
			return "", fault.With(err, "mend the Dockerfile, then mage build")
		}
		for _, plan := range plans {
			refs = append(refs, plan.Ref)
		}
	}
	slices.Sort(refs)
	sum := sha256.Sum256([]byte(strings.Join(slices.Compact(refs), "\n")))
	return cachePrefix + runtime.GOARCH + "-" + hex.EncodeToString(sum[:])[:16], nil
}

// SaveImages writes those images of the suites that the engine holds to a file, for
// RestoreImages on another machine, and tells which.
func SaveImages(ctx context.Context, o Options, file string, suites ...Suite) error {
	return o.carry(ctx, suites, func(e *engine.Engine, refs []string) ([]string, error) {
		return bundle.Save(ctx, e, refs, file)
	}, "saved")
}

// RestoreImages brings the images of the suites from a file that SaveImages wrote into the
// engine, and tells which; those that are there, or not in the file, are left alone. No
// file is no error: a cache may be empty.
func RestoreImages(ctx context.Context, o Options, file string, suites ...Suite) error {
	return o.carry(ctx, suites, func(e *engine.Engine, refs []string) ([]string, error) {
		return bundle.Restore(ctx, e, refs, file)
	}, "restored")
}

func (o Options) carry(ctx context.Context, suites []Suite, do func(*engine.Engine, []string) ([]string, error), done string) error {
	o = o.withDefaults()
	e, err := engine.Detect(ctx, o.Runner, o.Engine)
	if err != nil {
		return err
	}
	refs, err := o.references(ctx, e, suites)
	if err != nil {
		return err
	}
	moved, err := do(e, refs)
	if err != nil {
		return fault.With(err, "delete the file; what is missing is built")
	}
	for _, ref := range moved {
		fmt.Fprintf(o.Out, "%s %s\n", done, ref)
	}
	fmt.Fprintf(o.Out, "%s %d of %d images\n", done, len(moved), len(refs))
	return nil
}

// references are those of all images of the suites, each once, in the order of the suites.
func (o Options) references(ctx context.Context, e *engine.Engine, suites []Suite) ([]string, error) {
	source, _, err := offline.Decide(ctx, e, o.ImageSource)
	if err != nil {
		return nil, err
	}
	bases := &offline.Images{}
	if _, _, err := offline.Tasks(ctx, o.offline(e, source, ""), bases); err != nil {
		return nil, err
	}
	var refs []string
	for _, s := range suites {
		p := Pipeline{suite: s, o: o, images: bases}
		plans, err := image.Plans(p.imageOptions(), p.imageSpecs())
		if err != nil {
			return nil, fault.With(err, "mend the Dockerfile, then mage build")
		}
		for _, plan := range plans {
			if !slices.Contains(refs, plan.Ref) {
				refs = append(refs, plan.Ref)
			}
		}
	}
	return refs, nil
}
