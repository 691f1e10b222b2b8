package infrastructure

import (
	"context"
	"fmt"
	"strings"

	"github.com/hybrid-e2e/hybrid/hybrid/fault"
	"github.com/hybrid-e2e/hybrid/test/scaffold"
)

// NewSuite writes a suite of that name into this repository, for a service with an API
// or for a controller, and prints what it wrote and what to do next. Whatever goes wrong
// has been printed when it returns, and nothing has been written then.
func NewSuite(ctx context.Context, name string, controller bool) error {
	root, err := findRoot()
	if err != nil {
		return tell(err)
	}
	port, metricsPort, err := FreePorts(name, Ports())
	if err != nil {
		return tell(fault.With(err, "give the table in test/infrastructure/ports.go room"))
	}
	plan, err := scaffold.New(scaffold.Options{
		Root: root, Name: name, Controller: controller, Namespace: Namespace,
		Port: port, MetricsPort: metricsPort, Suites: All(),
	})
	if err == nil {
		err = plan.Write(ctx)
	}
	if err != nil {
		return tell(err)
	}
	fmt.Printf("The suite %s has been written.\n\n  new:\n    %s\n  extended:\n    %s\n\nNext:\n  mage test e2e:%s\n",
		name, strings.Join(plan.Created(), "\n    "), strings.Join(plan.Changed(), "\n    "), name)
	return nil
}
