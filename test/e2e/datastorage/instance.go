package datastorage

import (
	"context"
	"fmt"
	"maps"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	"sigs.k8s.io/yaml"

	"github.com/hybrid-e2e/hybrid/test/infrastructure"
	"github.com/hybrid-e2e/hybrid/test/testbed"
)

// The spare endpoints by the spec that uses them: specs run at the same time, so each
// has its own. Those named metrics are for a second port of the spec before.
const (
	spareOfPostgreSQL = iota
	spareOfRedis
	spareOfBoth
	spareOfTransaction
	spareOfReplay
	spareOfDisk
	spareOfSlow
	spareOfSlowMetrics
	spareOfRollingUpdate
	spareOfLatePostgreSQL
	spareOfLateRedis
	spareOfReplicas
	spareOfRetention
	spareOfNoRetention
	spareOfDeadEvents
	spareOfDeadEventsMetrics
)

// patient is added to the configuration by specs that are not about deadlines: what is
// only slow, because the machine that runs them is shared, does not count as down.
const patient = "write:\n  postgresql_timeout: 10s\npostgresql:\n  connect_timeout: 10s\n"

// instance is what a spec starts for itself because it is going to disturb it: copies
// of DataStorage and its stores, in a namespace of their own.
type instance struct {
	// spare is the number of the endpoint at which DataStorage is reached.
	spare int
	// metrics is that of its metrics; zero means none.
	metrics int
	// onlyReady keeps requests from pods that are not ready, as the Service does. Else
	// a service that says that it is not ready is heard too.
	onlyReady bool
	// config has the keys of DataStorage's configuration that differ from the deployed.
	config string
	// adjust may change the copies before they are created.
	adjust func(*appsv1.Deployment)
}

// start creates the instance and returns the system that it forms. It does not wait.
func (s *system) start(ctx context.Context, i instance) *system {
	GinkgoHelper()
	own := s.prepare(ctx, i)
	for _, workload := range []string{"postgresql", "redis", "datastorage"} {
		s.copyOf(ctx, own, workload, i)
	}
	return own
}

// prepare creates the namespace of an instance and the ways into it.
func (s *system) prepare(ctx context.Context, i instance) *system {
	GinkgoHelper()
	own := &system{Bed: s.Elsewhere(s.Namespace(ctx))}
	own.Open(ctx, "datastorage", "http", infrastructure.EndpointDataStorage, infrastructure.Spare(i.spare), !i.onlyReady)
	if i.metrics > 0 {
		own.Open(ctx, "datastorage", "metrics", infrastructure.EndpointDataStorageMetrics, infrastructure.Spare(i.metrics), true)
	}
	return own
}

// copyOf creates one workload of an instance.
func (s *system) copyOf(ctx context.Context, own *system, workload string, i instance) {
	GinkgoHelper()
	s.Copy(ctx, own.Bed, workload, testbed.Change{
		Deployment: func(d *appsv1.Deployment) {
			testbed.Stoppable(d)
			if i.adjust != nil {
				i.adjust(d)
			}
		},
		Config: func(data map[string]string) {
			if _, ok := data["config.yaml"]; ok {
				data["config.yaml"] = changed(data["config.yaml"], i.config)
			}
		},
	})
}

// changed is a configuration with the keys that another one has.
func changed(configuration, by string) string {
	GinkgoHelper()
	var all, some map[string]map[string]any
	Expect(yaml.Unmarshal([]byte(configuration), &all)).To(Succeed())
	Expect(yaml.Unmarshal([]byte(by), &some)).To(Succeed())
	for section, keys := range some {
		if all[section] == nil {
			all[section] = map[string]any{}
		}
		maps.Copy(all[section], keys)
	}
	text, err := yaml.Marshal(all)
	Expect(err).NotTo(HaveOccurred())
	return string(text)
}

// startReady is start, and waits until everything is ready.
func (s *system) startReady(ctx context.Context, i instance) *system {
	GinkgoHelper()
	own := s.start(ctx, i)
	for _, workload := range []string{"postgresql", "redis", "datastorage"} {
		own.AwaitReady(ctx, workload, 1)
	}
	own.awaitStores(ctx, storesAre("up", true, "up"))
	return own
}

// awaitStores waits until DataStorage is ready and sees its stores in that state.
func (s *system) awaitStores(ctx context.Context, stores string) {
	GinkgoHelper()
	Eventually(func(ctx context.Context) (string, error) {
		a, err := s.Get(ctx, infrastructure.EndpointDataStorage, routeReady)
		return string(a.Body), err
	}, settleBudget, poll).WithContext(ctx).Should(MatchJSON(`{"status":"ready","stores":` + stores + `}`))
}

// storesAre is the part of a health answer about the stores.
func storesAre(postgresql string, migrated bool, redis string) string {
	return fmt.Sprintf(`{"postgresql":{"state":%q,"migrated":%t},"redis":{"state":%q}}`, postgresql, migrated, redis)
}
