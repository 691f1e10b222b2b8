package speed

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"sigs.k8s.io/kind/pkg/cmd"
	dockerimage "sigs.k8s.io/kind/pkg/cmd/kind/load/docker-image"
	"sigs.k8s.io/kind/pkg/log"

	"github.com/hybrid-e2e/hybrid/hybrid"
	"github.com/hybrid-e2e/hybrid/hybrid/cluster"
	"github.com/hybrid-e2e/hybrid/hybrid/load"
	"github.com/hybrid-e2e/hybrid/hybrid/task"
)

// The parts of loading.
const (
	partServices = "both service images"
	partAll      = "all images"
	partNothing  = "nothing to send"
)

// services are the images that change with the code.
func services() []string { return []string{"gateway", "datastorage"} }

// Load compares `kind load docker-image`, image by image, with the load phase, each on
// a cluster of its own that was made a moment ago. The services are other builds than
// those in the preloaded node image: a line of their code is different.
func Load(ctx context.Context) error {
	return loading(ctx, "load", func(ctx context.Context, s *stage, changed []string) error {
		c, err := Compare(ctx, "load", s.rounds, s.out, s.log,
			Side{Name: "kind load docker-image, each", Run: func(ctx context.Context, log io.Writer) (Parts, error) { return s.kindLoad(ctx, log, changed) }},
			Side{Name: "load phase", Run: func(ctx context.Context, log io.Writer) (Parts, error) { return s.ourLoad(ctx, log, 1, changed) }},
			Side{Name: "engine's save alone", Run: func(ctx context.Context, log io.Writer) (Parts, error) { return s.saveAlone(ctx, log, changed) }, Floor: true},
		)
		if err != nil {
			return err
		}
		return c.finish(s.dir, []Row{
			{Part: partServices, Target: 4, Ratio: 5}, {Part: partAll}, {Part: partNothing, Target: 0.5},
		}, s.out)
	})
}

// Nodes compares the load phase on one node with that on three, which is to take no
// more than a fifth longer.
func Nodes(ctx context.Context) error {
	return loading(ctx, "nodes", func(ctx context.Context, s *stage, changed []string) error {
		side := func(nodes int) func(context.Context, io.Writer) (Parts, error) {
			return func(ctx context.Context, log io.Writer) (Parts, error) { return s.ourLoad(ctx, log, nodes, changed) }
		}
		c, err := Compare(ctx, "nodes", s.rounds, s.out, s.log, Side{Name: "one node", Run: side(1)}, Side{Name: "three nodes", Run: side(3)})
		if err != nil {
			return err
		}
		return c.finish(s.dir, []Row{{Part: partServices, Ratio: nearFloor}, {Part: partAll, Ratio: nearFloor}, {Part: partNothing, Target: 0.5}}, s.out)
	})
}

// loading builds both services with a line that no other build has, and hands their
// references to measure.
func loading(ctx context.Context, name string, measure func(ctx context.Context, s *stage, changed []string) error) error {
	return run(ctx, name, func(ctx context.Context, s *stage) (err error) {
		checkout, remove, err := s.checkout(ctx)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, remove()) }()
		p := s.peer("changed", checkout, scenarioChange)
		p.suite.Images = slices.DeleteFunc(p.suite.Images, func(img hybrid.Image) bool { return !slices.Contains(services(), img.Name) })
		epoch, err := p.next()
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, p.forget(ctx)) }()
		var changed []string
		for _, img := range p.suite.Images {
			if err := p.build(ctx, s.log, img, epoch); err != nil {
				return err
			}
			changed = append(changed, p.tag(img.Name))
		}
		return measure(ctx, s, changed)
	})
}

// saveAlone is what the engine takes to hand out the services, with nobody to receive
// them: the floor of everything that starts from its images.
func (s *stage) saveAlone(ctx context.Context, log io.Writer, changed []string) (Parts, error) {
	began := time.Now()
	err := load.Save(ctx, s.engine, changed, io.Discard, log)
	return Parts{partServices: time.Since(began).Seconds()}, err
}

// others are the images of the suite that do not change with the code.
func (s *stage) others() []string {
	return slices.DeleteFunc(slices.Clone(s.images), func(ref string) bool {
		repository, _, _ := strings.Cut(ref, ":")
		return slices.Contains(services(), path.Base(repository))
	})
}

func (s *stage) kindLoad(ctx context.Context, out io.Writer, changed []string) (Parts, error) {
	parts := Parts{}
	err := s.withPlain(ctx, out, nil, false, func(ctx context.Context, _ time.Time, _ float64) error {
		for _, step := range []struct {
			part string
			refs []string
		}{{partServices, changed}, {partAll, s.others()}, {partNothing, append(s.others(), changed...)}} {
			for _, ref := range step.refs {
				took, err := s.kindLoadOne(ctx, ref, out)
				if err != nil {
					return err
				}
				parts[step.part] += took
			}
		}
		parts[partAll] += parts[partServices]
		return nil
	})
	return parts, err
}

func (s *stage) kindLoadOne(ctx context.Context, ref string, out io.Writer) (seconds float64, err error) {
	command := dockerimage.NewCommand(log.NoopLogger{}, cmd.IOStreams{In: os.Stdin, Out: out, ErrOut: out})
	command.SetArgs([]string{"--name", s.clusterName("plain"), ref})
	began := time.Now()
	if err := interruptible(ctx, command.Execute, s.deletePlain); err != nil {
		return 0, fmt.Errorf("kind load docker-image %s: %w", ref, err)
	}
	return time.Since(began).Seconds(), nil
}

// ourLoad runs the load phase three times: for the services, for the rest, and for what
// is there already.
func (s *stage) ourLoad(ctx context.Context, out io.Writer, nodes int, changed []string) (Parts, error) {
	parts := Parts{}
	err := s.withOurs(ctx, out, s.preloaded, nodes-1, func(ctx context.Context, c *cluster.Cluster, _ Parts) error {
		names, err := c.Nodes(ctx)
		if err != nil {
			return err
		}
		node, err := s.engine.Inspect(ctx, s.preloaded)
		if err != nil {
			return err
		}
		for _, step := range []struct {
			part string
			refs []string
			held map[string]string
		}{
			{partServices, changed, load.Held(node[s.preloaded].Config.Labels)},
			{partAll, s.others(), nil},
			{partNothing, append(s.others(), changed...), nil},
		} {
			began := time.Now()
			tasks := load.Tasks(load.Options{Engine: s.engine, Nodes: names, Refs: step.refs, Held: step.held, Now: s.started})
			if err := (task.Group{Phase: "load", LogDir: s.dir}).Run(ctx, tasks...); err != nil {
				return err
			}
			parts[step.part] = time.Since(began).Seconds()
		}
		parts[partAll] += parts[partServices]
		return nil
	})
	return parts, err
}
