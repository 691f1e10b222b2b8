package scaling

import (
	"context"
	"crypto/rand"
	_ "embed" // The template below.
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/hybrid-e2e/hybrid/hybrid"
	"github.com/hybrid-e2e/hybrid/hybrid/command"
	"github.com/hybrid-e2e/hybrid/hybrid/engine"
	"github.com/hybrid-e2e/hybrid/test/bench/speed"
	"github.com/hybrid-e2e/hybrid/test/infrastructure"
	"github.com/hybrid-e2e/hybrid/test/sample"
)

// name is that of the target, and of the files that are kept.
const name = "scaling"

//go:embed specs.txtar
var specsTemplate string

// defaultRounds is less than the comparisons have: what 50 services add is many times
// the spread of the samples, and a round takes minutes.
const defaultRounds = 3

// counts are the numbers of services, the smallest first.
func counts() []int { return []int{2, 10, 50} }

// Measure takes repositories with 2, 10 and 50 services in turn from changed sources to
// a system that answers. It fails when the time grows more with their number than it
// should. Whatever goes wrong has been printed when it returns.
func Measure(ctx context.Context) error {
	ctx, stop := hybrid.Stoppable(ctx)
	defer stop()
	return infrastructure.Tell(measure(ctx, os.Getenv, os.Stdout))
}

func measure(ctx context.Context, getenv func(string) string, out io.Writer) (err error) {
	rounds, err := speed.Rounds(getenv, defaultRounds)
	if err != nil {
		return err
	}
	o, err := infrastructure.Options(getenv, out)
	if err != nil {
		return err
	}
	dir := filepath.Join(o.ArtifactsFolder(), time.Now().UTC().Format("20060102-150405")+"-"+name, "bench")
	state := filepath.Join(o.Root, ".hybrid")
	for _, folder := range []string{dir, state} {
		if err := os.MkdirAll(folder, 0o755); err != nil {
			return fmt.Errorf("create a folder of the measurement: %w", err)
		}
	}
	log, err := os.Create(filepath.Join(dir, name+".log"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, log.Close()) }()
	work, err := os.MkdirTemp(state, name+"-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	e, err := engine.Detect(ctx, command.Exec{}, o.Engine)
	if err != nil {
		return err
	}
	sites, err := sites(work, dir, o, e, log)
	if err != nil {
		return err
	}
	defer func() {
		for _, s := range sites {
			err = errors.Join(err, s.forget(ctx))
		}
	}()
	var sides []speed.Side
	for _, s := range sites {
		_, _ = fmt.Fprintf(out, "  preparing %s: bases, the server, and a node image that starts with them\n", side(s.Services))
		if err := s.prepare(ctx); err != nil {
			return fmt.Errorf("prepare %s: %w", side(s.Services), err)
		}
		sides = append(sides, speed.Side{Name: side(s.Services), Run: s.run})
	}
	c, err := speed.Compare(ctx, name, rounds, out, log, sides...)
	if err != nil {
		return err
	}
	return finish(c, dir, out)
}

// sites generates the repositories below the folder work. What their runs leave goes to
// the folder dir.
func sites(work, dir string, o hybrid.Options, e *engine.Engine, log io.Writer) ([]*site, error) {
	var all []*site
	token := strings.ToLower(rand.Text()[:8])
	for _, n := range counts() {
		r := sample.Repository{Name: name, Dir: filepath.Join(work, fmt.Sprint(n)), Services: n, Token: token}
		if err := errors.Join(r.Generate(o.Root), r.Add(specsTemplate, nil)); err != nil {
			return nil, fmt.Errorf("generate a repository with %s: %w", side(n), err)
		}
		all = append(all, &site{Repository: r, options: siteOptions(o, r, dir, log), engine: e})
	}
	return all, nil
}

// siteOptions are what the owner of a generated repository would set: the services are
// built without coverage, and a cluster goes when its run ends.
func siteOptions(o hybrid.Options, r sample.Repository, dir string, log io.Writer) hybrid.Options {
	o.Root, o.Artifacts, o.Out = r.Dir, dir, log
	o.Plain, o.Keep = true, false
	return o
}

// finish prints the table, keeps it with samples and chart, and judges.
func finish(c speed.Comparison, dir string, out io.Writer) error {
	g := growth{c}
	if err := c.Keep(dir, g.table(), out); err != nil {
		return err
	}
	chart, err := g.chart()
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, name+".svg"), chart, 0o644); err != nil {
		return fmt.Errorf("keep the chart: %w", err)
	}
	return g.missed()
}
