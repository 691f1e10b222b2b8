package hybrid

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/hybrid-e2e/hybrid/hybrid/command"
	"github.com/hybrid-e2e/hybrid/hybrid/coverage"
	"github.com/hybrid-e2e/hybrid/hybrid/image"
	"github.com/hybrid-e2e/hybrid/hybrid/report"
	"github.com/hybrid-e2e/hybrid/hybrid/report/page"
	"github.com/hybrid-e2e/hybrid/hybrid/room"
	"github.com/hybrid-e2e/hybrid/hybrid/task"
)

const (
	// earlierRuns is how many runs the page compares with at most.
	earlierRuns = 30
	// factsTimeout bounds what is asked of programs for the page alone.
	factsTimeout = 3 * time.Second
)

// writePage makes report.html. A run is no worse without it: what is missing is told.
func (p *Pipeline) writePage(ctx context.Context, timeline report.Timeline) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), factsTimeout)
	defer cancel()
	r := page.Report{
		Timeline: timeline, Specs: p.summary, Coverage: p.covered, Images: p.pageImages(ctx, timeline), Facts: p.facts(ctx),
		Earlier: page.Earlier(p.o.Artifacts, p.suite.Name, p.started, earlierRuns),
	}
	if len(p.covered.Packages) > 0 {
		module, err := p.module()
		if err == nil {
			r.Sources, err = coverage.Sources(filepath.Join(p.dir, "coverage", coverage.ProfileName), module, p.o.Root)
		}
		if err != nil {
			fmt.Fprintf(p.o.Out, "  the report lacks sources: %v\n", err)
		}
	}
	if err := r.Write(p.dir); err != nil {
		fmt.Fprintf(p.o.Out, "  there is no report: %v\n", err)
	}
}

// pageImages are those of the suite, once their keys are known.
func (p *Pipeline) pageImages(ctx context.Context, timeline report.Timeline) []page.Image {
	if len(p.plans) == 0 {
		return nil
	}
	origins := map[string]string{}
	for _, phase := range timeline.Phases {
		for _, t := range phase.Tasks {
			switch t.Outcome {
			case task.Cached:
				origins[t.Name] = "cached: an image had this key"
			case task.Done:
				origins[t.Name] = fmt.Sprintf("built in %.1f s: no image had this key", t.End-t.Start)
			case task.Failed, task.Canceled:
			}
		}
	}
	refs := make([]string, len(p.plans))
	for i, plan := range p.plans {
		refs[i] = plan.Ref
	}
	known, _ := p.engine.Inspect(ctx, refs...) // Without an engine sizes are not known.
	images := make([]page.Image, len(p.plans))
	for i, plan := range p.plans {
		updated := known[plan.Ref].Config.Labels[image.EpochLabel]
		images[i] = page.Image{
			Name: plan.Name, Key: plan.Key, Size: known[plan.Ref].Size,
			Updated: updated, Age: image.Age(updated, p.o.Now()), Origin: origins[plan.TaskName()],
		}
	}
	return images
}

// commit is what git says of the sources; empty where they are in no repository.
func (p *Pipeline) commit(ctx context.Context) string {
	out, err := p.o.Runner.Run(ctx, command.Command{Args: []string{"git", "describe", "--always", "--dirty", "--abbrev=12"}, Dir: p.o.Root})
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
}

// facts are what runs differ in, beside the code.
func (p *Pipeline) facts(ctx context.Context) []page.Fact {
	var facts []page.Fact
	add := func(name, value string) {
		if value = strings.TrimSpace(value); value != "" {
			facts = append(facts, page.Fact{Name: name, Value: value})
		}
	}
	add("commit", p.commit(ctx))
	if p.engine != nil {
		add("engine", p.engine.Kind+" "+p.engine.Version)
	}
	system := runtime.GOOS + "/" + runtime.GOARCH
	if kernel, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		system += ", kernel " + string(kernel)
	}
	add("system", system)
	add("processors", strconv.Itoa(runtime.NumCPU()))
	if free, err := room.Memory(meminfo); err == nil {
		add("memory available", room.Size(free))
	}
	add("Go", runtime.Version())
	add("security epoch", p.o.Epoch.String())
	add("nodes", strconv.Itoa(1+p.o.Workers))
	add("FOCUS", p.o.Focus)
	add("LABELS", p.o.Labels)
	add("SHARD", p.o.Shard.String())
	if p.o.Plain {
		add("coverage", "not measured (COVERAGE=0)")
	}
	return facts
}
