package hybrid

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/hybrid-e2e/hybrid/hybrid/command"
	"github.com/hybrid-e2e/hybrid/hybrid/fault"
	"github.com/hybrid-e2e/hybrid/hybrid/report"
	"github.com/hybrid-e2e/hybrid/hybrid/shard"
	"github.com/hybrid-e2e/hybrid/hybrid/task"
)

// Shards: which of a suite's specs a run has.

// focusBytes is how much one command may be given to select specs. Linux takes 2 MiB of
// arguments and environment.
const focusBytes = 1 << 20

// division is how the specs of a suite are divided.
type division struct {
	specs  []shard.Spec
	shards [][]shard.Unit
	times  shard.Times
}

// dividing is the task that divides the specs, among so many shards, once they have been
// compiled; there is none when the run has them all.
func (p *Pipeline) dividing(among int, binaries *[]string) []task.Task {
	if among == 0 {
		return nil
	}
	return []task.Task{{Name: "specs.shard", Needs: []string{"specs." + p.suite.Name}, Run: func(ctx context.Context, h *task.Handle) error {
		d, err := p.divide(ctx, h, among, *binaries)
		if err != nil {
			return err
		}
		p.division = d
		h.Detail("%s", d.detail(p.o.Shard))
		return nil
	}}}
}

// divide asks the compiled specs what there is to run, and splits it.
func (p *Pipeline) divide(ctx context.Context, h *task.Handle, among int, binaries []string) (*division, error) {
	const listed = "selected.json"
	args := []string{"go", "tool", "ginkgo", "run", "--no-color", "--dry-run", "--output-dir=" + p.state, "--json-report=" + listed}
	_, err := p.o.Runner.Run(ctx, command.Command{Args: slices.Concat(args, p.selection(), binaries), Dir: p.o.Root, Log: h})
	if err != nil {
		return nil, fault.With(fmt.Errorf("list the specs: %w", err), "check FOCUS and LABELS")
	}
	d := &division{}
	if d.specs, err = report.Selected(filepath.Join(p.state, listed)); err != nil {
		return nil, fmt.Errorf("list the specs: %w", err)
	}
	if d.times, err = p.times(); err != nil {
		return nil, err
	}
	units := shard.Units(d.specs, d.times)
	if len(units) < among {
		return nil, fault.With(fmt.Errorf("%d specs that may run apart are too few for %d shards", len(units), among), "take fewer shards, or check FOCUS and LABELS")
	}
	d.shards = shard.Split(units, among)
	return d, nil
}

// selection are ginkgo's options for what FOCUS and LABELS say.
func (p *Pipeline) selection() []string {
	var args []string
	if p.o.Focus != "" {
		args = append(args, "--focus="+p.o.Focus)
	}
	if p.o.Labels != "" {
		args = append(args, "--label-filter="+p.o.Labels)
	}
	return args
}

// times are how long specs take: what the file says that was handed over, else what earlier
// runs measured here.
func (p *Pipeline) times() (shard.Times, error) {
	switch file := p.o.ShardTimes; {
	case file == "":
		return report.Measured(p.o.Artifacts, p.suite.Name), nil
	case filepath.IsAbs(file):
		return shard.ReadTimes(file)
	default:
		return shard.ReadTimes(filepath.Join(p.o.Root, file))
	}
}

// detail tells what a part has, or how all are divided when it is zero.
func (d *division) detail(part shard.Part) string {
	known := 0
	for _, s := range d.specs {
		if _, ok := d.times.Seconds[s.Text]; ok {
			known++
		}
	}
	by := "evenly, since no earlier run measured them"
	if known > 0 {
		by = fmt.Sprintf("by the times of %d", known)
	}
	if part.Of == 0 {
		return fmt.Sprintf("%d specs in %d shards, divided %s", len(d.specs), len(d.shards), by)
	}
	text := fmt.Sprintf("shard %s: %d of %d specs, divided %s", part, len(d.of(part)), len(d.specs), by)
	if known > 0 {
		// The processes share the work, but none of them a spec.
		seconds := shard.Load(d.shards[part.Number-1]).Seconds() / float64(max(1, d.times.Procs))
		for _, text := range d.of(part) {
			seconds = max(seconds, d.times.Seconds[text])
		}
		text += fmt.Sprintf("; about %.0f s", seconds)
	}
	return text
}

// of are the texts of the specs of a part; one of two specs stands twice.
func (d *division) of(part shard.Part) []string {
	mine := map[string]bool{}
	for _, text := range shard.Texts(d.shards[part.Number-1]) {
		mine[text] = true
	}
	var texts []string
	for _, s := range d.specs {
		if mine[s.Text] {
			texts = append(texts, s.Text)
		}
	}
	return texts
}

// all are the texts of all specs.
func (d *division) all() []string {
	texts := make([]string, len(d.specs))
	for i, s := range d.specs {
		texts[i] = s.Text
	}
	return texts
}

// focus are ginkgo's options for the specs of the run. FOCUS has decided already which
// specs there are; the labels are said again, for a spec that differs from another in them
// alone.
func (p *Pipeline) focus() ([]string, error) {
	if p.division == nil {
		return p.selection(), nil
	}
	var args []string
	bytes := 0
	for _, f := range shard.Focus(shard.Texts(p.division.shards[p.o.Shard.Number-1])) {
		args = append(args, "--focus="+f)
		bytes += len(f)
	}
	if bytes > focusBytes {
		return nil, fault.With(fmt.Errorf("the names of the %d specs of shard %s are %d bytes, and a command takes %d", len(args), p.o.Shard, bytes, focusBytes), "take more shards")
	}
	if p.o.Labels != "" {
		args = append(args, "--label-filter="+p.o.Labels)
	}
	return args, nil
}

// recordShard writes down what a merge needs to know of this run; nothing when it has all
// specs.
func (p *Pipeline) recordShard(ctx context.Context) error {
	if p.o.Shard.Of == 0 {
		return nil
	}
	if p.division == nil {
		return errors.New("the specs are not divided yet")
	}
	r := shard.Record{
		Run: p.run, Suite: p.suite.Name, Part: p.o.Shard, Commit: p.commit(ctx), Images: map[string]string{}, Plain: p.o.Plain,
		Focus: p.o.Focus, Labels: p.o.Labels, All: p.division.all(), Specs: p.division.of(p.o.Shard),
	}
	for _, plan := range p.plans {
		r.Images[plan.Name] = plan.Ref
	}
	return r.Save(p.dir)
}
