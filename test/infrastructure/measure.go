package infrastructure

import (
	"context"
	"errors"
	"io"

	"github.com/hybrid-e2e/hybrid/hybrid"
)

// ErrMissed says that the system works and is slower than it should be.
var ErrMissed = errors.New("a target was missed")

// Measure hands the running environment of the suite called name to measure, built
// as the product is, without coverage. A cluster that is not to be kept is deleted
// afterwards. Whatever goes wrong has been printed when it returns.
func Measure(ctx context.Context, name string, measure func(context.Context, hybrid.Environment, io.Writer) error) error {
	ctx, stop := hybrid.Stoppable(ctx)
	defer stop()
	suite, o, err := prepare(name)
	if err != nil {
		return tell(err)
	}
	o.Plain = true
	p, err := hybrid.Open(ctx, suite, o)
	if err != nil {
		return err
	}
	for _, phase := range []func(context.Context) error{p.Build, p.Cluster, p.Load, p.Deploy} {
		if err := phase(ctx); err != nil {
			return p.Close(ctx, err)
		}
	}
	return p.Close(ctx, measure(ctx, *p.Environment(), o.Out))
}

// Built hands what Build makes of the suite called name to use, built as the product
// is, without coverage. There is no cluster. Whatever goes wrong has been printed when
// it returns.
func Built(ctx context.Context, name string, use func(context.Context, hybrid.Built) error) error {
	ctx, stop := hybrid.Stoppable(ctx)
	defer stop()
	suite, o, err := prepare(name)
	if err != nil {
		return tell(err)
	}
	o.Plain = true
	p, err := hybrid.Open(ctx, suite, o)
	if err != nil {
		return err
	}
	if err := p.Build(ctx); err != nil {
		return p.Close(ctx, err)
	}
	return p.Close(ctx, use(ctx, p.Built()))
}

// Tell prints err with its next command, and returns it.
func Tell(err error) error { return tell(err) }
