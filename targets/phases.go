package targets

import (
	"context"

	"github.com/magefile/mage/mg"

	"github.com/hybrid-e2e/hybrid/hybrid"
)

// phase is one of those that keep the cluster, in their order.
type phase int

const (
	build phase = iota
	cluster
	load
	deploy
)

// upTo does the phases up to last in one run, and keeps their cluster. It does not leave
// the order to mg.CtxDeps: that runs each target once in a process, which would tie the
// run of `mage load deploy` to a state of the whole process. What is done already is
// found done. An error has been printed.
func upTo(ctx context.Context, last phase) error {
	ctx, stop := hybrid.Stoppable(ctx)
	defer stop()
	suite, o, err := declared(ctx)
	if err != nil {
		return err
	}
	p, err := hybrid.Open(ctx, suite, o)
	if err != nil {
		return err
	}
	defer p.Release()
	steps := []func(context.Context) error{p.Build, p.Cluster, p.Load, p.Deploy}
	for _, step := range steps[:last+1] {
		if err := p.Step(ctx, step); err != nil {
			return err
		}
	}
	return nil
}

// failed ends a target whose reason has been printed already.
func failed(target string, err error) error {
	if err == nil {
		return nil
	}
	return mg.Fatalf(hybrid.ExitCode(err), "%s failed; the reason stands above", target)
}
