package hybrid

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/onsi/ginkgo/v2/types"

	"github.com/hybrid-e2e/hybrid/hybrid/coverage"
	"github.com/hybrid-e2e/hybrid/hybrid/fault"
	"github.com/hybrid-e2e/hybrid/hybrid/progress"
	"github.com/hybrid-e2e/hybrid/hybrid/report"
	"github.com/hybrid-e2e/hybrid/hybrid/shard"
	"github.com/hybrid-e2e/hybrid/hybrid/task"
)

// phaseMerge is when the reports of shards become one.
const phaseMerge = "merge"

// mergedName ends the name of the folder with the report of all shards.
const mergedName = "-merged"

// MergeReports makes one report of those of the shards of a run: results, timeline, page and
// coverage, which is held to the suite's floors. Each folder is one of them, or has them
// somewhere below it. It refuses when a spec is missing or ran twice, or when the shards are
// not of one run. The outcome has been told to o.Out when it returns: it is that of the
// shards.
func MergeReports(ctx context.Context, suites []Suite, o Options, folders []string) error {
	ctx, stop := Stoppable(ctx)
	defer stop()
	o = o.withDefaults()
	dirs, suite, err := findShards(o.Root, suites, folders)
	if err != nil {
		return progress.Tell(o.Out, o.Getenv, err)
	}
	p := newPipeline(suite, o)
	p.run += mergedName
	p.begin()
	err = os.MkdirAll(p.dir, 0o755)
	if err == nil {
		err = p.linkLatest()
	}
	if err == nil {
		err = p.merge(ctx, dirs)
	}
	return p.Close(ctx, errors.Join(p.outcomes(), err))
}

// findShards finds the folders with a record, each run once though its folder may have been
// copied, and the suite that they are of.
func findShards(root string, suites []Suite, folders []string) ([]string, Suite, error) {
	runs := map[string]string{}
	name := ""
	for _, folder := range folders {
		if !filepath.IsAbs(folder) {
			folder = filepath.Join(root, folder)
		}
		err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.Name() != shard.RecordName {
				return err
			}
			r, err := shard.ReadRecord(filepath.Dir(path))
			if err == nil && runs[r.Run] == "" {
				runs[r.Run], name = filepath.Dir(path), r.Suite
			}
			return err
		})
		if err != nil {
			return nil, Suite{}, fmt.Errorf("look for the reports of shards: %w", err)
		}
	}
	if len(runs) == 0 {
		return nil, Suite{}, fault.With(fmt.Errorf("no report of a shard (%s) is in %v", shard.RecordName, folders), "SHARD=1/2 mage e2e:<suite> makes one")
	}
	suite, err := Find(suites, name)
	return slices.Sorted(maps.Values(runs)), suite, err
}

// reported is what the folder of a shard has.
type reported struct {
	dir string
	shard.Record
	timeline report.Timeline
	suites   []types.Report
}

func readShard(dir string) (reported, error) {
	r := reported{dir: dir}
	var err error
	if r.Record, err = shard.ReadRecord(dir); err != nil {
		return r, err
	}
	if r.timeline, err = report.Load(filepath.Join(dir, report.FileName)); err != nil {
		return r, fmt.Errorf("shard %s: %w", r.Part, err)
	}
	if r.suites, err = report.Suites(filepath.Join(dir, report.SpecsName)); err != nil {
		return r, fault.With(fmt.Errorf("shard %s has no results: %w", r.Part, err), "read "+filepath.Join(dir, "logs"))
	}
	return r, nil
}

// merge makes the report of all shards in the run's folder.
func (p *Pipeline) merge(ctx context.Context, dirs []string) error {
	var shards []reported
	defer p.showCovered()
	return p.group(phaseMerge, 0).Run(ctx,
		task.Task{Name: "merge.prove", Run: func(_ context.Context, h *task.Handle) (err error) {
			if shards, err = p.prove(dirs); err != nil {
				return err
			}
			h.Detail("%d specs in %d shards, each ran once", len(shards[0].All), len(shards))
			return nil
		}},
		task.Task{Name: "merge.results", Needs: []string{"merge.prove"}, Run: func(_ context.Context, h *task.Handle) error {
			all := make([][]types.Report, len(shards))
			for i, s := range shards {
				all[i] = s.suites
			}
			merged := report.Merge(all)
			summary := report.Summarise(merged)
			p.summary = &summary
			h.Detail("%d passed, %d failed, %d skipped", summary.Passed, summary.Failed, summary.Skipped)
			return report.WriteSuites(p.dir, merged)
		}},
		task.Task{Name: "merge.coverage", Needs: []string{"merge.results"}, Run: func(ctx context.Context, h *task.Handle) error {
			return p.mergeCoverage(ctx, h, shards)
		}},
	)
}

// prove reads the shards and shows that they are all of one run. The timelines of those
// that can be read are kept in any case.
func (p *Pipeline) prove(dirs []string) ([]reported, error) {
	var (
		shards  []reported
		errs    []error
		records []shard.Record
		ran     [][]string
	)
	for _, dir := range dirs {
		s, err := readShard(dir)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		shards, records, ran = append(shards, s), append(records, s.Record), append(ran, report.Ran(s.suites))
		p.shards = append(p.shards, report.Shard{Name: s.Part.String(), Timeline: s.timeline})
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	if err := shard.Prove(records, ran); err != nil {
		return nil, err
	}
	p.o.Focus, p.o.Labels, p.o.Plain = shards[0].Focus, shards[0].Labels, shards[0].Plain
	return shards, nil
}

// mergeCoverage holds what all shards covered to the floors, if all specs ran and passed.
func (p *Pipeline) mergeCoverage(ctx context.Context, h *task.Handle, shards []reported) error {
	services := p.suite.covered()
	if p.o.Plain || len(services) == 0 {
		h.Detail("not measured")
		return nil
	}
	module, err := p.module()
	if err != nil {
		return err
	}
	o := coverage.Options{Out: filepath.Join(p.dir, "coverage"), Module: module, ModuleRoot: p.o.Root, Log: h, Floors: p.floors()}
	for _, name := range services {
		o.Sources = append(o.Sources, coverage.Source{Service: name, Start: p.run})
	}
	for _, s := range shards {
		o.Parts = append(o.Parts, filepath.Join(s.dir, "coverage"))
	}
	p.covered, err = coverage.Collect(ctx, p.o.Runner, o)
	h.Detail("%.1f %% of statements", p.covered.Total.Percent)
	return err
}

// outcomes are the failures of the shards themselves.
func (p *Pipeline) outcomes() error {
	var errs []error
	for _, s := range p.shards {
		switch s.Result {
		case report.Passed:
		case report.Failed:
			errs = append(errs, fmt.Errorf("shard %s: %w: %s", s.Name, ErrSpecs, s.Error))
		default:
			errs = append(errs, fmt.Errorf("shard %s ended with %q: %s", s.Name, s.Result, s.Error))
		}
	}
	return errors.Join(errs...)
}
