package hybrid

import (
	"context"
	"errors"
	"io/fs"
	"slices"

	"github.com/hybrid-e2e/hybrid/hybrid/engine"
	"github.com/hybrid-e2e/hybrid/hybrid/fault"
	"github.com/hybrid-e2e/hybrid/hybrid/image"
	"github.com/hybrid-e2e/hybrid/hybrid/load"
	"github.com/hybrid-e2e/hybrid/hybrid/offline"
	"github.com/hybrid-e2e/hybrid/hybrid/stock"
)

// Images tells of the pipeline's images that the engine holds. Those that the suites use as
// the sources are now are current: with coverage and without, on the stand-ins and on the
// pinned base images. No registry is asked.
func Images(ctx context.Context, o Options, suites ...Suite) ([]stock.Image, error) {
	o = o.withDefaults()
	e, err := engine.Detect(ctx, o.Runner, o.Engine)
	if err != nil {
		return nil, err
	}
	refs, err := e.References(ctx)
	if err != nil {
		return nil, err
	}
	refs = slices.DeleteFunc(refs, func(ref string) bool { return !image.IsOurs(ref) })
	if len(refs) == 0 {
		return []stock.Image{}, nil
	}
	current := map[string]bool{}
	nodes, err := o.current(ctx, e, suites, current)
	if err != nil {
		return nil, err
	}
	for _, n := range nodes {
		refs = append(refs, n.Node)
	}
	slices.Sort(refs)
	held, err := e.Inspect(ctx, slices.Compact(refs)...)
	if err != nil {
		return nil, err
	}
	for _, n := range nodes {
		// A node image of images that are not there is not there either.
		if ref, err := n.Ref(held); err == nil {
			current[ref] = true
		}
	}
	return stock.List(held, current, o.Now()), nil
}

// current notes the references that the sources decide, and returns the node images that
// the images decide.
func (o Options) current(ctx context.Context, e *engine.Engine, suites []Suite, refs map[string]bool) ([]load.PreloadOptions, error) {
	var nodes []load.PreloadOptions
	for _, source := range []offline.Source{offline.Registry, offline.Local} {
		if wish := offline.Source(o.ImageSource); wish != "" && wish != offline.Auto && wish != source {
			continue
		}
		bases := &offline.Images{}
		_, _, err := offline.Tasks(ctx, o.offline(e, source, ""), bases)
		if errors.Is(err, fs.ErrNotExist) && o.ImageSource != string(offline.Local) {
			continue // The repository has none of what makes stand-ins.
		}
		if err != nil {
			return nil, err
		}
		for _, ref := range slices.Concat(bases.StandIns, bases.Below) {
			refs[ref] = true
		}
		for _, suite := range suites {
			for _, plain := range []bool{false, true} {
				p := Pipeline{suite: suite, o: o, engine: e, images: bases}
				p.o.Plain = plain
				plans, err := image.Plans(p.imageOptions(), p.imageSpecs())
				if err != nil {
					return nil, fault.With(err, "mend the Dockerfile, then mage build")
				}
				for _, plan := range slices.Concat(plans, image.Updated(plans)) {
					refs[plan.Ref] = true
				}
				nodes = append(nodes, p.preloadOptions(plans))
			}
		}
	}
	return nodes, nil
}
