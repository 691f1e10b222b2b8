package gateway

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/google/uuid"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/hybrid-e2e/hybrid/api/remediation/v1alpha1"
	"github.com/hybrid-e2e/hybrid/test/infrastructure"
)

// namespace creates a namespace for the running spec. Afterwards the requests in
// it are attached to the report of a spec that failed, and it is deleted without
// waiting for its end.
func (s *system) namespace(ctx context.Context) string {
	GinkgoHelper()
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "gateway-spec-"}}
	Expect(s.kube.Create(ctx, ns)).To(Succeed())
	DeferCleanup(func(ctx context.Context) {
		if CurrentSpecReport().Failed() {
			s.attachRequests(ctx, ns.Name)
		}
		Expect(client.IgnoreNotFound(s.kube.Delete(ctx, ns))).To(Succeed())
	})
	return ns.Name
}

// attachRequests adds what is in the namespace to the report. It never fails the
// spec a second time.
func (s *system) attachRequests(ctx context.Context, namespace string) {
	var list v1alpha1.RemediationRequestList
	if err := s.kube.List(ctx, &list, client.InNamespace(namespace)); err != nil {
		AddReportEntry("requests in "+namespace+" are unknown", err.Error())
		return
	}
	text, err := yaml.Marshal(list.Items)
	if err != nil {
		text = []byte(err.Error())
	}
	AddReportEntry(fmt.Sprintf("%d requests in %s", len(list.Items), namespace), string(text))
}

// requests lists the RemediationRequests of a namespace.
func (s *system) requests(ctx context.Context, namespace string) []v1alpha1.RemediationRequest {
	GinkgoHelper()
	var list v1alpha1.RemediationRequestList
	Expect(s.kube.List(ctx, &list, client.InNamespace(namespace))).To(Succeed())
	return list.Items
}

// request reads the RemediationRequest that an answer names.
func (s *system) request(ctx context.Context, a signalAnswer) *v1alpha1.RemediationRequest {
	GinkgoHelper()
	rr := &v1alpha1.RemediationRequest{}
	Expect(s.kube.Get(ctx, client.ObjectKey{Namespace: a.Namespace, Name: a.Name}, rr)).To(Succeed())
	return rr
}

// onlyRequest asserts that the namespace holds exactly one request.
func (s *system) onlyRequest(ctx context.Context, namespace string) v1alpha1.RemediationRequest {
	GinkgoHelper()
	all := s.requests(ctx, namespace)
	Expect(all).To(HaveLen(1))
	return all[0]
}

// expectImmutable asserts that the API server refuses another fingerprint.
func (s *system) expectImmutable(ctx context.Context, rr *v1alpha1.RemediationRequest, fingerprint string) {
	GinkgoHelper()
	changed := rr.DeepCopy()
	changed.Spec.SignalFingerprint = fingerprint
	err := s.kube.Update(ctx, changed)
	Expect(apierrors.IsInvalid(err)).To(BeTrue(), "got %v", err)
	Expect(err).To(MatchError(ContainSubstring("signalFingerprint is immutable")))
}

// missingNamespace returns the name of a namespace that does not exist.
func missingNamespace() string { return "gateway-missing-" + uuid.NewString()[:8] }

// setPhase does what a remediation controller does.
func (s *system) setPhase(ctx context.Context, a signalAnswer, phase v1alpha1.Phase) {
	GinkgoHelper()
	rr := s.request(ctx, a)
	before := rr.DeepCopy()
	rr.Status.OverallPhase = phase
	Expect(s.kube.Status().Patch(ctx, rr, client.MergeFrom(before))).To(Succeed())
}

// occurrences is how many signals a request stands for.
func occurrences(rr v1alpha1.RemediationRequest) int64 {
	if rr.Status.Deduplication == nil {
		return 1
	}
	return rr.Status.Deduplication.OccurrenceCount
}

// scale sets the replicas of a workload and waits until exactly that many pods are
// left, all of them ready.
func (s *system) scale(ctx context.Context, workload string, replicas int) {
	GinkgoHelper()
	deployment := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: s.env.Namespace, Name: workload}}
	patch := client.RawPatch(types.MergePatchType, fmt.Appendf(nil, `{"spec":{"replicas":%d}}`, replicas))
	Expect(s.kube.Patch(ctx, deployment, patch)).To(Succeed())
	Eventually(s.readyPods, rolloutBudget, poll).WithContext(ctx).WithArguments(workload).
		Should(HaveLen(replicas), "ready pods of "+workload)
}

// readyPods names the pods of a workload. It is an error while one of them is not
// ready or is terminating.
func (s *system) readyPods(ctx context.Context, workload string) ([]string, error) {
	pods, err := s.pods(ctx, workload)
	if err != nil {
		return nil, err
	}
	names := make([]string, 0, len(pods))
	for i := range pods {
		if pods[i].DeletionTimestamp != nil || !ready(&pods[i]) {
			return nil, fmt.Errorf("pod %s is %s and not ready, or terminating", pods[i].Name, pods[i].Status.Phase)
		}
		names = append(names, pods[i].Name)
	}
	return names, nil
}

func ready(pod *corev1.Pod) bool {
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}

// replaceGateway deletes the only Gateway pod, gracefully, and waits until another
// one answers and the old one has gone.
func (s *system) replaceGateway(ctx context.Context) {
	GinkgoHelper()
	before, err := s.readyPods(ctx, "gateway")
	Expect(err).NotTo(HaveOccurred())
	Expect(before).To(HaveLen(1))
	old := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: s.env.Namespace, Name: before[0]}}
	Expect(s.kube.Delete(ctx, old)).To(Succeed())
	Eventually(func(ctx context.Context) bool {
		return apierrors.IsNotFound(s.kube.Get(ctx, client.ObjectKeyFromObject(old), &corev1.Pod{}))
	}, rolloutBudget, poll).WithContext(ctx).Should(BeTrue(), "the old pod has gone")
	Eventually(s.readyPods, rolloutBudget, poll).WithContext(ctx).WithArguments("gateway").Should(HaveLen(1))
	s.awaitGateway(ctx)
}

// awaitGateway waits until the host reaches a ready Gateway.
func (s *system) awaitGateway(ctx context.Context) {
	GinkgoHelper()
	Eventually(func(ctx context.Context) (int, error) {
		a, err := s.get(ctx, infrastructure.EndpointGateway, "/ready")
		return a.status, err
	}, settleBudget, poll).WithContext(ctx).Should(Equal(200))
}

// gatewayLog reads what the Gateway has logged since a moment.
func (s *system) gatewayLog(ctx context.Context, since time.Time) ([]byte, error) {
	pods, err := s.readyPods(ctx, "gateway")
	if err != nil {
		return nil, err
	}
	if len(pods) != 1 {
		return nil, fmt.Errorf("want one Gateway pod, there are %v", pods)
	}
	stream, err := s.clientset.CoreV1().Pods(s.env.Namespace).GetLogs(pods[0], &corev1.PodLogOptions{
		SinceTime: new(metav1.NewTime(since)),
	}).Stream(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the log of %s: %w", pods[0], err)
	}
	log, err := io.ReadAll(stream)
	if closeErr := stream.Close(); err == nil {
		err = closeErr
	}
	return log, err
}
