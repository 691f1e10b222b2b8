package datastorage

import (
	"context"
	"encoding/json"
	"os"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/hybrid-e2e/hybrid/hybrid"
	"github.com/hybrid-e2e/hybrid/test/infrastructure"
	"github.com/hybrid-e2e/hybrid/test/testbed"
)

const (
	// setUpBudget is for building images, a cluster and everything in it, on a
	// machine that has none of them yet.
	setUpBudget = 45 * time.Minute
	// tearDownBudget is for stopping the services, collecting their coverage and
	// deleting the cluster.
	tearDownBudget = 10 * time.Minute
)

func TestDataStorage(t *testing.T) {
	RegisterFailHandler(Fail)
	s := &system{}
	s.setUp()
	for _, describe := range []func(){
		s.postgresqlOutage, s.redisOutage, s.outageOfBoth, s.killedTransaction, s.killedReplay, s.fullDisk,
		s.slowPostgreSQL, s.rollingUpdate, s.lateStores, s.replicas, s.endOfMonth, s.deadEvents,
		s.writes, s.idempotency, s.batches, s.refusals, s.validation, s.timestamps, s.content,
		s.filters, s.spans, s.pages, s.refusedQueries, s.order, s.plans, s.health, s.openAPI, s.metricsExact,
	} {
		describe()
	}
	RunSpecs(t, "DataStorage")
}

// setUp prepares s in every process. The first process finds the environment, or
// makes one when the specs are run by ginkgo alone.
func (s *system) setUp() {
	var tearDown func(context.Context) error
	SynchronizedBeforeSuite(func(ctx SpecContext) []byte {
		var env hybrid.Environment
		var err error
		if path := os.Getenv(hybrid.EnvironmentVariable); path != "" {
			env, err = hybrid.LoadEnvironment(path)
		} else {
			env, tearDown, err = infrastructure.SetupDataStorageInfrastructureHybridWithCoverage(ctx, os.Stdout)
		}
		Expect(err).NotTo(HaveOccurred())
		handover, err := json.Marshal(env)
		Expect(err).NotTo(HaveOccurred())
		return handover
	}, func(_ SpecContext, handover []byte) {
		var env hybrid.Environment
		Expect(json.Unmarshal(handover, &env)).To(Succeed())
		bed, err := testbed.Connect(env)
		Expect(err).NotTo(HaveOccurred())
		s.Bed = bed
	}, NodeTimeout(setUpBudget))
	SynchronizedAfterSuite(func() {}, func(ctx SpecContext) {
		if s.Bed != nil {
			Expect(s.DeleteNamespaces(ctx)).To(Succeed())
		}
		if tearDown != nil {
			Expect(tearDown(ctx)).To(Succeed())
		}
	}, NodeTimeout(tearDownBudget))
}
