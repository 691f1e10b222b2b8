package testbed

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
)

// The stores that a copy can be made stoppable of, by the name of their workload.
const (
	PostgreSQL = "postgresql"
	Redis      = "redis"
)

// store is how a stoppable store is run.
type store struct {
	// outage is a file that keeps the server from starting as long as it exists. It is
	// beside the data, so that it outlives the container as the data does.
	outage string
	// entry starts the server, which becomes PID 1.
	entry string
	// signal ends the server.
	signal string
}

func stores() map[string]store {
	return map[string]store{
		// SIGQUIT makes PostgreSQL drop everything, as in a crash.
		PostgreSQL: {outage: "/var/lib/postgresql/data/outage", entry: "/usr/local/bin/hybrid-postgresql", signal: "QUIT"},
		Redis:      {outage: "/data/outage", entry: "/usr/local/bin/hybrid-redis", signal: "TERM"},
	}
}

// Stoppable lets a copy of a store be away for a while and come back with its data:
// its container waits while the file of the outage exists. Other workloads stay as
// they are.
func Stoppable(d *appsv1.Deployment) {
	if s, ok := stores()[d.Name]; ok {
		d.Spec.Template.Spec.Containers[0].Command = []string{
			"/bin/sh", "-c", "while [ -e " + s.outage + " ]; do sleep 0.1; done; exec " + s.entry,
		}
	}
}

// Stop ends the server of a stoppable store and keeps it away until Begin.
func (b *Bed) Stop(ctx context.Context, name string) {
	GinkgoHelper()
	s := stores()[name]
	_, err := b.Execute(ctx, name, "touch "+s.outage+" && kill -"+s.signal+" 1")
	Expect(err).NotTo(HaveOccurred())
}

// Begin lets the server of a store start again. Its container is running: it waits.
func (b *Bed) Begin(ctx context.Context, name string) {
	GinkgoHelper()
	Eventually(func(ctx context.Context) error {
		_, err := b.Execute(ctx, name, "rm "+stores()[name].outage)
		return err
	}, RolloutBudget, 5*Poll).WithContext(ctx).Should(Succeed())
}
