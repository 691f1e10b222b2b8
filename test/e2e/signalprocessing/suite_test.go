package signalprocessing

import (
	"context"
	"encoding/json"
	"os"
	"testing"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/hybrid-e2e/hybrid/api/remediation/v1alpha1"
	"github.com/hybrid-e2e/hybrid/hybrid"
	"github.com/hybrid-e2e/hybrid/test/infrastructure"
	"github.com/hybrid-e2e/hybrid/test/testbed"
)

func TestSignalProcessing(t *testing.T) {
	RegisterFailHandler(Fail)
	s := &system{}
	s.setUp()
	for _, describe := range []func(){
		s.enrichment, s.phases, s.auditTrail, s.rules, s.health, s.metrics, s.permissions, s.restarts, s.outage,
	} {
		describe()
	}
	RunSpecs(t, "SignalProcessing")
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
			env, tearDown, err = infrastructure.SetupSignalProcessingInfrastructureHybridWithCoverage(ctx, os.Stdout)
		}
		Expect(err).NotTo(HaveOccurred())
		handover, err := json.Marshal(env)
		Expect(err).NotTo(HaveOccurred())
		return handover
	}, func(_ SpecContext, handover []byte) {
		var env hybrid.Environment
		Expect(json.Unmarshal(handover, &env)).To(Succeed())
		bed, err := testbed.Connect(env, v1alpha1.AddToScheme)
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
