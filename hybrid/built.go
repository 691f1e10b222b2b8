package hybrid

import (
	"io"
	"maps"

	"github.com/hybrid-e2e/hybrid/hybrid/cluster"
	"github.com/hybrid-e2e/hybrid/hybrid/engine"
)

// Built is what Build leaves in the engine, for programs that do the rest themselves.
type Built struct {
	Engine *engine.Engine
	// Node is the Kind node image, Preloaded the one that starts with the images;
	// they are the same with Options.NoPreload.
	Node, Preloaded string
	// Images are the full references of the suite's images, in the order in which the
	// suite declares them.
	Images []string
	// BuildArgs are the arguments that all Dockerfiles are given: the base images, and
	// how modules are reached.
	BuildArgs map[string]string
	// Root is the repository, State the suite's folder in it that outlives runs,
	// Artifacts that of the run.
	Root, State, Artifacts string
	// Leases is where clusters made with it are to be told of.
	Leases cluster.Leases
	// Out is where people read.
	Out io.Writer
}

// Built tells what Build made; it is of use only after Build.
func (p *Pipeline) Built() Built {
	b := Built{
		Engine: p.engine, Node: p.images.Node, Preloaded: p.node,
		Root: p.o.Root, State: p.state, Artifacts: p.dir, Leases: p.inventory.Leases, Out: p.o.Out,
	}
	b.BuildArgs = maps.Clone(p.images.BuildArgs)
	for name, value := range p.o.Transport {
		if value != "" {
			b.BuildArgs[name] = value
		}
	}
	for _, plan := range p.plans {
		b.Images = append(b.Images, plan.Ref)
	}
	return b
}
