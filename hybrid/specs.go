package hybrid

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"

	"github.com/hybrid-e2e/hybrid/hybrid/command"
	"github.com/hybrid-e2e/hybrid/hybrid/fault"
	"github.com/hybrid-e2e/hybrid/hybrid/report"
	"github.com/hybrid-e2e/hybrid/hybrid/task"
)

// Test runs the specs in parallel processes against the ready environment.
func (p *Pipeline) Test(ctx context.Context) error {
	if p.env == nil {
		return errors.New("test: refused, since nothing is deployed yet")
	}
	ctx, stop := p.cluster.Watch(ctx)
	defer stop()
	return p.group(report.PhaseTest, 0).Run(ctx, task.Task{Name: "specs." + p.suite.Name, Run: p.runSpecs})
}

// processes is how many run the specs: what the option says, else what the suite
// declares.
func processes(option, extra, processors int) int {
	if option > 0 {
		return option
	}
	return processors + max(1, extra)
}

// ginkgo is its command line, without what says which specs.
func (p *Pipeline) ginkgo(procs int) []string {
	return []string{
		"ginkgo", "run", "--no-color", "--procs=" + strconv.Itoa(procs), "--timeout=" + p.o.TestTimeout.String(),
		"--json-report=" + report.SpecsName, "--junit-report=" + report.JUnitName, "--grace-period=5s",
	}
}

func (p *Pipeline) runSpecs(ctx context.Context, h *task.Handle) error {
	if err := p.useStart(); err != nil {
		return err
	}
	procs := processes(p.o.Procs, p.suite.ExtraProcs, cmp.Or(p.processors, runtime.NumCPU()))
	focus, err := p.focus()
	if err == nil {
		err = p.recordShard(ctx)
	}
	if err != nil {
		return err
	}
	var runErr error
	if p.job != nil {
		runErr = p.job.await(ctx, h, p)
	} else {
		args := slices.Concat([]string{"go", "tool"}, p.ginkgo(procs), []string{"--output-dir=" + p.dir}, focus)
		if len(p.specs) > 1 {
			args = append(args, "--keep-going")
		}
		_, runErr = p.o.Runner.Run(ctx, command.Command{
			Args: append(args, p.specs...), Dir: p.o.Root, Env: []string{EnvironmentVariable + "=" + p.environmentFile()}, Log: h,
		})
	}
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	specs, err := p.results()
	if err != nil {
		return errors.Join(runErr, fault.With(fmt.Errorf("read the specs' report: %w", err), "see "+h.LogFile()))
	}
	p.summary = &specs
	h.Detail("%d passed, %d failed, %d skipped, %d processes", specs.Passed, specs.Failed, specs.Skipped, procs)
	if runErr != nil {
		return fault.With(fmt.Errorf("%w: %s", ErrSpecs, failures(specs)),
			"FOCUS='<text of the spec>' KEEP_CLUSTER=1 "+p.again())
	}
	if specs.Passed == 0 {
		return fault.With(errors.New("no spec ran"), "check FOCUS and LABELS")
	}
	return nil
}

// results are those of the specs that the run has.
func (p *Pipeline) results() (report.Summary, error) {
	file := filepath.Join(p.dir, report.SpecsName)
	if p.division == nil {
		return report.Specs(file)
	}
	suites, err := report.Suites(file)
	return report.Summarise(report.Own(suites, p.division.of(p.o.Shard))), err
}
