package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/hybrid-e2e/hybrid/api/remediation/v1alpha1"
	"github.com/hybrid-e2e/hybrid/hybrid"
	"github.com/hybrid-e2e/hybrid/hybrid/fault"
	"github.com/hybrid-e2e/hybrid/test/infrastructure"
)

// Gateway measures the Gateway of this repository: it brings up the cluster with the
// product's build, or reuses the kept one, measures, prints the table, and keeps it
// beside the run's artifacts. A missed target is an error.
func Gateway(ctx context.Context) error {
	o, err := OptionsFrom(os.Getenv)
	if err != nil {
		return infrastructure.Tell(err)
	}
	return infrastructure.Measure(ctx, "gateway", func(ctx context.Context, env hybrid.Environment, out io.Writer) error {
		return measure(ctx, env, o, out)
	})
}

// measure makes a tenant in the running system, sends the loads, and removes the
// tenant again.
func measure(ctx context.Context, env hybrid.Environment, o Options, out io.Writer) (err error) {
	s, err := connect(env)
	if err != nil {
		return err
	}
	if err := s.findNode(ctx); err != nil {
		return err
	}
	t, err := s.moveIn(ctx)
	defer func() { err = errors.Join(err, s.moveOut(ctx, t)) }()
	if err != nil {
		return err
	}
	load, err := loadAverage()
	if err != nil {
		return err
	}
	base := s.direct(ctx, infrastructure.PortGateway, env.Endpoints[infrastructure.EndpointGateway])
	fmt.Fprintf(out, "  loads are sent to %s\n", base)
	m := &measurement{
		system: s, options: o, tenant: t, out: out,
		sender: sender{base: base, token: t.token, namespace: t.namespace.Name, now: time.Now, problems: o.Problems},
		report: Report{
			Run: env.Run, Started: time.Now().UTC(), Command: o.command(), Image: env.Images["gateway"],
			Machine:  Machine{Processors: runtime.NumCPU(), Load: load},
			Problems: o.Problems,
		},
	}
	if err := m.run(ctx); err != nil {
		return err
	}
	dir := filepath.Join(env.Artifacts, "bench")
	if err := m.report.Save(dir); err != nil {
		return err
	}
	fmt.Fprintf(out, "\n%s\nbench: %s\n", m.report.Text(), filepath.Join(dir, "gateway.txt"))
	if m.report.Missed() {
		return fault.With(fmt.Errorf("%w; the table says which", infrastructure.ErrMissed), "see docs/decisions/0004-gateway-throughput.md")
	}
	return nil
}

// measurement is one run of all loads.
type measurement struct {
	system  *system
	options Options
	tenant  tenant
	sender  sender
	out     io.Writer
	report  Report
	// accepted counts the signals that were answered 201 or 202.
	accepted int
}

func (m *measurement) run(ctx context.Context) error {
	if err := m.open(ctx); err != nil {
		return err
	}
	for _, l := range []load{
		{LoadNew, m.options.NewRate, m.options.Duration, m.sender.opening("new-")},
		{LoadDuplicates, m.options.DuplicateRate, m.options.Duration, m.sender.repeating()},
		{LoadRefusals, m.options.RefusalRate, m.options.Duration, m.sender.refused()},
	} {
		fmt.Fprintf(m.out, "  %s: %d per second for %s\n", l.name, l.rate, l.duration)
		result, _, err := m.one(ctx, l)
		if err != nil {
			return fmt.Errorf("%s: %w", l.name, err)
		}
		m.report.Results = append(m.report.Results, result)
	}
	if err := m.floors(ctx); err != nil || m.options.Soak == 0 {
		return err
	}
	fmt.Fprintf(m.out, "  %s: %d per second for %s\n", LoadSoak, m.options.SoakRate, m.options.Soak)
	return m.soak(ctx)
}

// open sends the alerts that the duplicates will repeat. It warms up connections and
// the Gateway's memory of the token too.
func (m *measurement) open(ctx context.Context) error {
	var c counter
	opening := load{name: "opening", rate: 2 * m.sender.problems, duration: time.Minute, targets: m.sender.first()}
	if err := opening.attack(ctx, 1, c.add); err != nil {
		return err
	}
	tally := c.done()
	if tally.Created != m.sender.problems {
		return fault.With(fmt.Errorf("of %d alerts %d were answered with 201: %s", m.sender.problems, tally.Created, strings.Join(tally.Reasons, "; ")),
			"see the Gateway's log: kubectl --kubeconfig "+m.system.env.Kubeconfig+" -n "+m.system.env.Namespace+" logs deploy/gateway")
	}
	m.accepted += tally.Created
	return nil
}

// one measures one load.
func (m *measurement) one(ctx context.Context, l load) (Result, *usage, error) {
	done := m.system.observe(ctx)
	since := time.Now()
	var c counter
	err := l.attack(ctx, m.options.Connections, c.add)
	used := done()
	if err != nil {
		return Result{}, used, err
	}
	if used.missed != nil {
		fmt.Fprintf(m.out, "  %s: a sample is missing: %v\n", l.name, used.missed)
	}
	r := Result{Load: l.name, Offered: l.rate, Tally: c.done(), Memory: used.gateway().memory(), Cores: used.cores()}
	r.Achieved, r.Ratio = r.PerSecond(), r.Success()
	m.accepted += r.Created + r.Counted
	if r.Audit, err = m.system.events(ctx, since, r.Events()); err != nil {
		return r, used, err
	}
	counted, err := m.system.signals(ctx, m.tenant.namespace.Name)
	r.Objects = Objects{Accepted: m.accepted, Counted: counted}
	r.Missed = targetOf(l.name).judge(r)
	return r, used, err
}

// signals sums up how many signals the Gateway's requests of the namespace stand for.
func (s *system) signals(ctx context.Context, namespace string) (int, error) {
	var requests v1alpha1.RemediationRequestList
	if err := s.kube.List(ctx, &requests, client.InNamespace(namespace), client.HasLabels{v1alpha1.LabelManagedBy}); err != nil {
		return 0, fmt.Errorf("list the requests: %w", err)
	}
	sum := 0
	for i := range requests.Items {
		if status := requests.Items[i].Status.Deduplication; status != nil && status.OccurrenceCount > 0 {
			sum += int(status.OccurrenceCount)
		} else {
			sum++
		}
	}
	return sum, nil
}
