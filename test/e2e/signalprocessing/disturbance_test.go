package signalprocessing

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/hybrid-e2e/hybrid/api/remediation/v1alpha1"
	"github.com/hybrid-e2e/hybrid/test/infrastructure"
	"github.com/hybrid-e2e/hybrid/test/testbed"
)

const rulesFile = "rules.yaml"

// restarts is Serial: no other spec has a controller meanwhile.
func (s *system) restarts() {
	Describe("A restart", Serial, Label("restart"), func() {
		It("does no work twice", SpecTimeout(serialBudget), func(ctx SpecContext) {
			request := s.processed(ctx, s.create(ctx, s.namespaceOf(ctx, "production"), v1alpha1.SeverityCritical))
			s.expectTrail(ctx, request)
			s.Scale(ctx, workload, 0)
			s.Scale(ctx, workload, 1)
			// What comes after is worked on, so what was there before has been looked at.
			s.processed(ctx, s.create(ctx, s.namespaceOf(ctx, "production"), v1alpha1.SeverityCritical))
			now, err := s.fetch(ctx, request)
			Expect(err).NotTo(HaveOccurred())
			Expect(now.ResourceVersion).To(Equal(request.ResourceVersion))
			s.expectTrail(ctx, request)
		})

		It("takes up what came meanwhile, and what was only begun", SpecTimeout(serialBudget), func(ctx SpecContext) {
			ns := s.namespaceOf(ctx, "staging")
			s.Scale(ctx, workload, 0)
			DeferCleanup(func(ctx context.Context) { s.Scale(ctx, workload, 1) })
			fresh, begun := s.create(ctx, ns, v1alpha1.SeverityCritical), s.create(ctx, ns, v1alpha1.SeverityWarning)
			pending := begun.DeepCopy()
			pending.Status = v1alpha1.RemediationRequestStatus{
				OverallPhase: v1alpha1.PhasePending, Enrichment: &v1alpha1.EnrichmentStatus{AcceptedAt: new(metav1.NowMicro())},
			}
			Expect(s.Kube.Status().Patch(ctx, pending, client.MergeFrom(begun))).To(Succeed())
			over := s.create(ctx, ns, v1alpha1.SeverityInfo)
			ended := over.DeepCopy()
			ended.Status.OverallPhase = v1alpha1.PhaseCancelled
			Expect(s.Kube.Status().Patch(ctx, ended, client.MergeFrom(over))).To(Succeed())
			s.Scale(ctx, workload, 1)
			s.expectEnriched(ctx, fresh, "staging", v1alpha1.EnvironmentFromLabel, v1alpha1.PriorityP1)
			s.expectEnriched(ctx, begun, "staging", v1alpha1.EnvironmentFromLabel, v1alpha1.PriorityP2)
			s.expectTrail(ctx, begun)
			now, err := s.fetch(ctx, over)
			Expect(err).NotTo(HaveOccurred())
			Expect(now.Status).To(Equal(ended.Status))
		})
	})
}

// outage is Serial: other specs need DataStorage.
func (s *system) outage() {
	Describe("DataStorage that is away", Serial, Label("audit", "outage"), func() {
		It("delays no request, and gets its events when it returns", SpecTimeout(serialBudget), func(ctx SpecContext) {
			ns := s.namespaceOf(ctx, "production")
			s.Scale(ctx, "datastorage", 0)
			DeferCleanup(func(ctx context.Context) { s.Scale(ctx, "datastorage", 1) })
			requests := make([]*v1alpha1.RemediationRequest, 5)
			for i := range requests {
				requests[i] = s.create(ctx, ns, v1alpha1.SeverityCritical)
			}
			for _, request := range requests {
				s.expectEnriched(ctx, request, "production", v1alpha1.EnvironmentFromLabel, v1alpha1.PriorityP0)
			}
			s.Scale(ctx, "datastorage", 1)
			for _, request := range requests {
				Eventually(s.TrailTypes, outageBudget, testbed.Poll).WithContext(ctx).
					WithArguments(infrastructure.EndpointDataStorage, request.Name).Should(Equal(trail()))
			}
		})
	})
}

// rules changes what holds for all requests in its Serial spec.
func (s *system) rules() {
	Describe("Rules", Label("rules"), func() {
		It("take effect while it runs, and are kept when the new ones make no sense", Serial, SpecTimeout(serialBudget), func(ctx SpecContext) {
			before, err := s.Metrics(ctx, infrastructure.EndpointSignalProcessingMetrics)
			Expect(err).NotTo(HaveOccurred())
			deployed := s.setRules(ctx, "default_priority: P0\npriorities: [{environment: lab, priority: P2}]\n")
			DeferCleanup(func(ctx context.Context) {
				s.setRules(ctx, deployed)
				s.awaitReloads(ctx, before, 2, 1, 1)
			})
			s.awaitReloads(ctx, before, 1, 0, 1)
			lab, other := s.namespaceOf(ctx, "lab"), s.namespaceOf(ctx, "development")
			s.expectEnriched(ctx, s.create(ctx, lab, v1alpha1.SeverityInfo), "lab", v1alpha1.EnvironmentFromLabel, v1alpha1.PriorityP2)
			s.expectEnriched(ctx, s.create(ctx, other, v1alpha1.SeverityInfo), "development", v1alpha1.EnvironmentFromLabel, v1alpha1.PriorityP0)

			s.setRules(ctx, "priorities: [{environment: lab, priority: P9}]\n")
			s.awaitReloads(ctx, before, 1, 1, 0)
			s.expectEnriched(ctx, s.create(ctx, lab, v1alpha1.SeverityInfo), "lab", v1alpha1.EnvironmentFromLabel, v1alpha1.PriorityP2)
			Expect(s.Restarts(ctx, workload)).To(Equal(int32(0)))
		})

		It("that make no sense end the start, with what is wrong", SpecTimeout(serialBudget), func(ctx SpecContext) {
			own := s.Elsewhere(s.Namespace(ctx))
			s.Copy(ctx, own, workload, testbed.Change{
				Config: func(data map[string]string) { data[rulesFile] = "priorities: [{severity: loud, priority: P1}]\n" },
				Deployment: func(d *appsv1.Deployment) {
					d.Spec.Template.Spec.Containers[0].TerminationMessagePolicy = corev1.TerminationMessageFallbackToLogsOnError
				},
			})
			Eventually(func(ctx context.Context) (*corev1.ContainerStateTerminated, error) {
				pods, err := own.Pods(ctx, workload)
				if err != nil || len(pods) != 1 || len(pods[0].Status.ContainerStatuses) != 1 {
					return nil, err
				}
				status := pods[0].Status.ContainerStatuses[0]
				if status.State.Terminated != nil {
					return status.State.Terminated, nil
				}
				return status.LastTerminationState.Terminated, nil
			}, testbed.RolloutBudget, testbed.Poll).WithContext(ctx).Should(HaveValue(And(
				HaveField("ExitCode", int32(1)),
				HaveField("Message", ContainSubstring(`priorities[0].severity "loud" must be one of [critical warning info]`)))))
		})
	})
}

// setRules writes the rules and returns those before.
func (s *system) setRules(ctx context.Context, content string) string {
	GinkgoHelper()
	config := &corev1.ConfigMap{}
	Expect(s.Kube.Get(ctx, client.ObjectKey{Namespace: s.Env.Namespace, Name: "signalprocessing-rules"}, config)).To(Succeed())
	before := config.Data[rulesFile]
	config.Data[rulesFile] = content
	Expect(s.Kube.Update(ctx, config)).To(Succeed())
	// The kubelet looks at mounted ConfigMaps about once a minute, and when a pod changes.
	pods, err := s.Pods(ctx, workload)
	Expect(err).NotTo(HaveOccurred())
	for i := range pods {
		old := pods[i].DeepCopy()
		metav1.SetMetaDataAnnotation(&pods[i].ObjectMeta, "spec/rules", config.ResourceVersion)
		Expect(s.Kube.Patch(ctx, &pods[i], client.MergeFrom(old))).To(Succeed())
	}
	return before
}

// awaitReloads waits until that many changes were applied and refused since a moment, and
// the rules of the file hold, or not.
func (s *system) awaitReloads(ctx context.Context, before testbed.Samples, applied, refused, current float64) {
	GinkgoHelper()
	const name = "signalprocessing_rules_reloads_total"
	Eventually(func(ctx context.Context) ([]float64, error) {
		now, err := s.Metrics(ctx, infrastructure.EndpointSignalProcessingMetrics)
		moved := now.Moved(before, name)
		return []float64{moved[name+`{outcome="applied"}`], moved[name+`{outcome="refused"}`], now["signalprocessing_rules_current{}"]}, err
	}, testbed.RolloutBudget, testbed.Poll).WithContext(ctx).Should(Equal([]float64{applied, refused, current}))
}
