package hybrid

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hybrid-e2e/hybrid/hybrid/fault"
	"github.com/hybrid-e2e/hybrid/hybrid/image"
	"github.com/hybrid-e2e/hybrid/hybrid/offline"
	"github.com/hybrid-e2e/hybrid/hybrid/platforms"
	"github.com/hybrid-e2e/hybrid/hybrid/task"
)

// Images for several platforms.

// platformFolder has, in a run's folder, an OCI layout with an index for each image.
const platformFolder = "images"

// parsePlatforms reads PLATFORMS: names separated by commas.
func parsePlatforms(value string) ([]string, error) {
	if value == "" {
		return nil, nil
	}
	var all []string
	for p := range strings.SplitSeq(value, ",") {
		switch {
		case image.Platforms()[p] == "":
			return nil, fmt.Errorf("PLATFORMS=%q: %q is none of %s", value, p, strings.Join(slices.Sorted(maps.Keys(image.Platforms())), ", "))
		case slices.Contains(all, p):
			return nil, fmt.Errorf("PLATFORMS=%q names %s twice", value, p)
		}
		all = append(all, p)
	}
	if !slices.Contains(all, image.Native()) {
		return nil, fmt.Errorf("PLATFORMS=%q: this machine's, %s, is always made and has to be among them", value, image.Native())
	}
	return all, nil
}

// foreign are the platforms that are made beside this machine's.
func (o Options) foreign() []string {
	return slices.DeleteFunc(slices.Clone(o.Platforms), func(p string) bool { return p == image.Native() })
}

// portable are the images that are made for every platform.
func (p *Pipeline) portable() []image.Spec {
	var specs []image.Spec
	for i, s := range p.imageSpecs() {
		if !p.suite.Images[i].Native {
			specs = append(specs, s)
		}
	}
	return specs
}

// checkPlatforms finds, before any work, images that cannot be made for other platforms.
func (p *Pipeline) checkPlatforms() error {
	if len(p.o.foreign()) == 0 {
		return nil
	}
	if p.o.BuildKit != "" {
		return fault.With(errors.New("PLATFORMS: images for other platforms are made by the engine"), "unset BUILDKIT_HOST, or PLATFORMS")
	}
	return fault.With(image.CheckForeign(p.o.Root, p.portable()),
		"move what it runs into an earlier stage, declare the image as Native in its suite, or unset PLATFORMS")
}

// foreignTasks build the images for the other platforms, and write and prove the indexes.
func (p *Pipeline) foreignTasks(ctx context.Context, native []image.Plan) ([]task.Task, error) {
	var tasks []task.Task
	all := map[string]map[string]string{}
	needs := map[string][]string{}
	for _, plan := range native {
		all[plan.Name], needs[plan.Name] = map[string]string{image.Native(): plan.Ref}, []string{plan.TaskName()}
	}
	for _, platform := range p.o.foreign() {
		o := p.imageOptions()
		f := image.Foreign{
			Platform: platform, Tool: o.Args[offline.GoToolsetArg],
			Bases: map[string]string{o.Args[offline.UBIMinimalArg]: p.foreignBase(platform)},
		}
		plans, err := image.ForeignPlans(o, f, p.portable())
		if err != nil {
			return nil, err
		}
		some, err := image.ForeignTasks(ctx, o, plans)
		if err != nil {
			return nil, err
		}
		tasks = append(tasks, some...)
		for _, plan := range plans {
			all[plan.Name][platform] = plan.Ref
			needs[plan.Name] = append(needs[plan.Name], plan.TaskName())
		}
		p.foreignPlans[platform] = plans
	}
	for _, plan := range native {
		if len(all[plan.Name]) < 2 {
			continue // Only native.
		}
		tasks = append(tasks, task.Task{Name: "index." + plan.Name, Needs: needs[plan.Name], Run: func(ctx context.Context, h *task.Handle) error {
			dir := filepath.Join(p.dir, platformFolder, plan.Name)
			digest, err := platforms.Index(ctx, p.engine, dir, all[plan.Name], h)
			if err != nil {
				return err
			}
			made := strings.Join(slices.Sorted(maps.Keys(all[plan.Name])), ", ")
			h.Detail("%s: %.19s", made, digest)
			if p.o.Registry.IsZero() {
				return nil
			}
			at, err := p.o.Registry.PushIndex(ctx, plan.Ref, dir)
			if err != nil {
				at = "not pushed: " + err.Error() // No run fails for the lack of a registry.
			}
			h.Detail("%s: %s", made, at)
			return nil
		}})
	}
	return tasks, nil
}

// foreignBase is UBI-minimal of another platform. Who replaces it names an image that has
// the platforms.
func (p *Pipeline) foreignBase(platform string) string {
	return cmp.Or(p.o.BaseImages[offline.UBIMinimalArg], p.images.Foreign[platform])
}

// forNodes are the plans of the images that nodes of an architecture run: those of the
// platform where they were made, else an error.
func (p *Pipeline) forNodes(architecture string) ([]image.Plan, error) {
	platform := "linux/" + architecture
	if platform == image.Native() {
		return p.plans, nil
	}
	plans, ok := p.foreignPlans[platform]
	if !ok {
		return nil, fault.With(fmt.Errorf("the nodes are of %s, and the images were made for %s", platform, image.Native()),
			"PLATFORMS="+image.Native()+","+platform+" makes both")
	}
	if len(plans) < len(p.plans) {
		var missing []string
		for _, plan := range p.plans {
			if !slices.ContainsFunc(plans, func(f image.Plan) bool { return f.Name == plan.Name }) {
				missing = append(missing, plan.Name)
			}
		}
		return nil, fault.With(fmt.Errorf("the nodes are of %s, and %s can be made for %s alone", platform, strings.Join(missing, ", "), image.Native()),
			"take nodes of "+path.Base(image.Native()))
	}
	return plans, nil
}
