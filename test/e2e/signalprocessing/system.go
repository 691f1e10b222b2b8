package signalprocessing

import (
	"context"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/hybrid-e2e/hybrid/api/remediation/v1alpha1"
	"github.com/hybrid-e2e/hybrid/test/infrastructure"
	"github.com/hybrid-e2e/hybrid/test/testbed"
)

const (
	workload         = "signalprocessing"
	environmentLabel = "kubernaut.ai/environment"
)

// trail returns the types of the events of an enriched request, in their order.
func trail() []string {
	return []string{"signalprocessing.request.accepted", "signalprocessing.request.enriched"}
}

// system is the running system under test. It is empty until the suite has been set
// up, so specs may use it but containers must not.
type system struct {
	*testbed.Bed
}

// namespaceOf makes a namespace of an environment, or without the label for none.
func (s *system) namespaceOf(ctx context.Context, environment string) string {
	GinkgoHelper()
	name := s.Namespace(ctx)
	if environment != "" {
		ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
		patch := client.MergeFrom(ns.DeepCopy())
		ns.Labels = map[string]string{environmentLabel: environment}
		Expect(s.Kube.Patch(ctx, ns, patch)).To(Succeed())
	}
	return name
}

// newRequest is one as the Gateway makes it.
func newRequest(namespace string, severity v1alpha1.Severity) *v1alpha1.RemediationRequest {
	return &v1alpha1.RemediationRequest{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, GenerateName: "rr-" + namespace + "-"},
		Spec: v1alpha1.RemediationRequestSpec{
			SignalFingerprint: strings.Repeat("0", 64), SignalName: "PodCrashLooping",
			Severity: severity, SignalType: v1alpha1.SignalTypePrometheusAlert,
			TargetType:     v1alpha1.TargetTypeKubernetes,
			TargetResource: v1alpha1.TargetResource{Kind: "Pod", Name: "api-0", Namespace: namespace},
			FiringTime:     metav1.Now(), ReceivedTime: metav1.Now(),
		},
	}
}

// create creates a request of that severity in a namespace.
func (s *system) create(ctx context.Context, namespace string, severity v1alpha1.Severity) *v1alpha1.RemediationRequest {
	GinkgoHelper()
	request := newRequest(namespace, severity)
	Expect(s.Kube.Create(ctx, request)).To(Succeed())
	return request
}

// fetch returns a request as it is now.
func (s *system) fetch(ctx context.Context, request *v1alpha1.RemediationRequest) (*v1alpha1.RemediationRequest, error) {
	now := &v1alpha1.RemediationRequest{}
	return now, s.Kube.Get(ctx, client.ObjectKeyFromObject(request), now)
}

// processed waits until a request is in phase Processing and returns it.
func (s *system) processed(ctx context.Context, request *v1alpha1.RemediationRequest) *v1alpha1.RemediationRequest {
	GinkgoHelper()
	var now *v1alpha1.RemediationRequest
	Eventually(func(ctx context.Context) (phase v1alpha1.Phase, err error) {
		now, err = s.fetch(ctx, request)
		return now.Status.OverallPhase, err
	}, settleBudget, testbed.Poll).WithContext(ctx).Should(Equal(v1alpha1.PhaseProcessing))
	return now
}

// expectEnriched waits for exactly this enrichment.
func (s *system) expectEnriched(ctx context.Context, request *v1alpha1.RemediationRequest, environment string, source v1alpha1.EnvironmentSource, priority v1alpha1.Priority) {
	GinkgoHelper()
	e := s.processed(ctx, request).Status.Enrichment
	Expect(e).NotTo(BeNil())
	Expect(e.AcceptedAt).NotTo(BeNil())
	Expect(e.EnrichedAt).NotTo(BeNil())
	Expect(e.EnrichedAt.Before(e.AcceptedAt)).To(BeFalse())
	Expect(*e).To(Equal(v1alpha1.EnrichmentStatus{
		AcceptedAt: e.AcceptedAt, EnrichedAt: e.EnrichedAt, Environment: environment, EnvironmentSource: source, Priority: priority,
	}))
}

// expectTrail waits for exactly the events of an enriched request, and sees that no other
// one follows.
func (s *system) expectTrail(ctx context.Context, request *v1alpha1.RemediationRequest) {
	GinkgoHelper()
	Eventually(s.TrailTypes, trailBudget, testbed.Poll).WithContext(ctx).
		WithArguments(infrastructure.EndpointDataStorage, request.Name).Should(Equal(trail()))
	Consistently(s.TrailTypes, quiet, testbed.Poll).WithContext(ctx).
		WithArguments(infrastructure.EndpointDataStorage, request.Name).Should(Equal(trail()))
}
