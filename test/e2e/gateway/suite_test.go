package gateway

import (
	"context"
	"os"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/hybrid-e2e/hybrid/hybrid"
	"github.com/hybrid-e2e/hybrid/test/infrastructure"
)

const (
	// setUpBudget is for building images, a cluster and everything in it, on a
	// machine that has none of them yet.
	setUpBudget = 45 * time.Minute
	// tearDownBudget is for stopping the services, collecting their coverage and
	// deleting the cluster.
	tearDownBudget = 10 * time.Minute
)

func TestGateway(t *testing.T) {
	RegisterFailHandler(Fail)
	s := &system{}
	s.setUp()
	for _, describe := range []func(){
		s.deduplication, s.phases, s.concurrency, s.isolation, s.fingerprints,
		s.alerts, s.events, s.content, s.validation, s.eventValidation, s.batches,
		s.authentication, s.errors, s.mediaTypes, s.replay, s.clocks, s.cors, s.securityHeaders, s.openAPI,
		s.lifecycle, s.logs, s.health, s.auditTrail,
		s.alertmanager, s.realEvents, s.metricsExact, s.metricsOfRefusals,
		s.replicas, s.restart, s.rollingUpdate, s.stopInABurst, s.reload, s.permissions,
		s.redisOutage, s.postgresqlOutage, s.dataStorageOutage,
	} {
		describe()
	}
	RunSpecs(t, "Gateway")
}

// setUp prepares s in every process. The first process finds the environment, or
// makes one when the specs are run by ginkgo alone, and the senders.
func (s *system) setUp() {
	var (
		tearDown func(context.Context) error
		made     senders
	)
	SynchronizedBeforeSuite(func(ctx SpecContext) []byte {
		var env hybrid.Environment
		var err error
		if path := os.Getenv(hybrid.EnvironmentVariable); path != "" {
			env, err = hybrid.LoadEnvironment(path)
		} else {
			env, tearDown, err = infrastructure.SetupGatewayInfrastructureHybridWithCoverage(ctx, os.Stdout)
		}
		Expect(err).NotTo(HaveOccurred())
		Expect(s.connect(env)).To(Succeed())
		made, err = s.createSenders(ctx)
		Expect(err).NotTo(HaveOccurred())
		return encode(handover{Environment: env, Token: made.token, Stranger: made.stranger})
	}, func(_ SpecContext, b []byte) {
		h, err := decodeHandover(b)
		Expect(err).NotTo(HaveOccurred())
		Expect(s.connect(h.Environment)).To(Succeed())
		s.token, s.stranger = h.Token, h.Stranger
	}, NodeTimeout(setUpBudget))
	SynchronizedAfterSuite(func() {}, func(ctx SpecContext) {
		if s.Bed != nil {
			Expect(s.deleteSenders(ctx, made)).To(Succeed())
			Expect(s.DeleteNamespaces(ctx)).To(Succeed())
		}
		if tearDown != nil {
			Expect(tearDown(ctx)).To(Succeed())
		}
	}, NodeTimeout(tearDownBudget))
}
