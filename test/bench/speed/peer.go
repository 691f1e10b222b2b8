package speed

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/hybrid-e2e/hybrid/hybrid"
	"github.com/hybrid-e2e/hybrid/hybrid/image"
	"github.com/hybrid-e2e/hybrid/test/infrastructure"
)

// peer is one way to set the suite up, with images and a cluster of its own.
type peer struct {
	*stage
	suite    hybrid.Suite
	side     string
	checkout string
	scenario string
}

func (s *stage) peer(side, checkout, scenario string) *peer {
	return &peer{stage: s, suite: infrastructure.Gateway(), side: side, checkout: checkout, scenario: scenario}
}

// next prepares a round: the change that the scenario has. It gives every side code,
// or an epoch, that no other one has built before.
func (p *peer) next() (epoch string, err error) {
	now := time.Now().UTC()
	epoch = now.Format(time.DateOnly)
	switch p.scenario {
	case scenarioEpoch:
		epoch = now.Format(time.RFC3339)
	case scenarioChange:
		text := fmt.Sprintf("package config\n\n// Round is of %s.\nvar Round = %q\n", p.side, now)
		err = os.WriteFile(filepath.Join(p.checkout, "pkg", "gateway", "config", "round.go"), []byte(text), 0o644) //nolint:gosec // The checkout is a copy of ours.
	}
	return epoch, err
}

// tag is the reference of one of the peer's own images.
func (p *peer) tag(name string) string { return image.Registry + "/" + name + ":bench-" + p.side }

// build is `docker build` of one image, as a script has it.
func (p *peer) build(ctx context.Context, log io.Writer, img hybrid.Image, epoch string) error {
	file, err := p.dockerfile(img)
	if err != nil {
		return err
	}
	args := map[string]string{"UPDATE_EPOCH": epoch, "COVERAGE": "0"}
	maps.Copy(args, p.buildArgs)
	list := []string{"build", "--file", file, "--tag", p.tag(img.Name), "--progress", "plain", "--network", "host"}
	if p.scenario == scenarioEpoch {
		// Without a key that knows of epochs, only this makes sure of the updates.
		list = append(list, "--no-cache")
	}
	for _, name := range slices.Sorted(maps.Keys(args)) {
		list = append(list, "--build-arg", name+"="+args[name])
	}
	c := p.engine.Command(log, append(list, p.checkout)...)
	c.Env = []string{"DOCKER_BUILDKIT=1"}
	if _, err := p.engine.Runner.Run(ctx, c); err != nil {
		return fmt.Errorf("build %s: %w", img.Name, err)
	}
	return nil
}

// dockerfile is the path of an image's Dockerfile. Without cache, the engine also empties
// the cache mounts that the Dockerfile names, which the pipeline and everything else on
// this machine fill too; so in a new epoch the peers name others.
func (p *peer) dockerfile(img hybrid.Image) (string, error) {
	file := filepath.Join(p.checkout, img.Dockerfile)
	if p.scenario != scenarioEpoch {
		return file, nil
	}
	own := filepath.Join(p.state, p.side+"-"+filepath.Base(img.Dockerfile))
	for _, suffix := range []string{"", ".dockerignore"} {
		text, err := os.ReadFile(file + suffix) //nolint:gosec // The path is one of the suite's declaration.
		if err != nil {
			return "", err
		}
		text = bytes.ReplaceAll(text, []byte("type=cache,id="), []byte("type=cache,id=bench-"))
		if err := os.WriteFile(own+suffix, text, 0o644); err != nil { //nolint:gosec // The folder is that of the run.
			return "", err
		}
	}
	return own, nil
}

// buildAll builds one image after the other.
func (p *peer) buildAll(ctx context.Context, log io.Writer, epoch string) error {
	for _, img := range p.suite.Images {
		if err := p.build(ctx, log, img, epoch); err != nil {
			return err
		}
	}
	return nil
}

// forget removes those of the peer's images that there are, in one call: a cancelled
// run has seconds.
func (p *peer) forget(ctx context.Context) error {
	ctx = context.WithoutCancel(ctx)
	var refs []string
	for _, img := range p.suite.Images {
		refs = append(refs, p.tag(img.Name))
	}
	present, err := p.engine.Inspect(ctx, refs...)
	if err != nil || len(present) == 0 {
		return err
	}
	_, err = p.engine.Run(ctx, p.log, append([]string{"image", "rm", "--no-prune"}, slices.Sorted(maps.Keys(present))...)...)
	return err
}
