package gateway

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/google/uuid"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	apiwatch "k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/hybrid-e2e/hybrid/api/remediation/v1alpha1"
	"github.com/hybrid-e2e/hybrid/test/infrastructure"
)

// namespace creates a namespace for the running spec. Afterwards the requests in
// it are attached to the report of a spec that failed.
func (s *system) namespace(ctx context.Context) string {
	GinkgoHelper()
	ns := s.Namespace(ctx)
	DeferCleanup(func(ctx context.Context) {
		if CurrentSpecReport().Failed() {
			s.attachRequests(ctx, ns)
		}
	})
	return ns
}

// attachRequests adds what is in the namespace to the report. It never fails the
// spec a second time.
func (s *system) attachRequests(ctx context.Context, namespace string) {
	var list v1alpha1.RemediationRequestList
	if err := s.Kube.List(ctx, &list, client.InNamespace(namespace)); err != nil {
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
	Expect(s.Kube.List(ctx, &list, client.InNamespace(namespace))).To(Succeed())
	return list.Items
}

// request reads the RemediationRequest that an answer names.
func (s *system) request(ctx context.Context, a signalAnswer) *v1alpha1.RemediationRequest {
	GinkgoHelper()
	rr := &v1alpha1.RemediationRequest{}
	Expect(s.Kube.Get(ctx, client.ObjectKey{Namespace: a.Namespace, Name: a.Name}, rr)).To(Succeed())
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
	err := s.Kube.Update(ctx, changed)
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
	Expect(s.Kube.Status().Patch(ctx, rr, client.MergeFrom(before))).To(Succeed())
}

// occurrences is how many signals a request stands for.
func occurrences(rr v1alpha1.RemediationRequest) int64 {
	if rr.Status.Deduplication == nil {
		return 1
	}
	return rr.Status.Deduplication.OccurrenceCount
}

// stopGateway asks the only Gateway pod to stop and returns how it exited.
func (s *system) stopGateway(ctx context.Context) int32 {
	GinkgoHelper()
	before, err := s.ReadyPods(ctx, "gateway")
	Expect(err).NotTo(HaveOccurred())
	Expect(before).To(HaveLen(1))
	watch, err := s.Clientset.CoreV1().Pods(s.Env.Namespace).Watch(ctx,
		metav1.SingleObject(metav1.ObjectMeta{Name: before[0]}))
	Expect(err).NotTo(HaveOccurred())
	defer watch.Stop()
	old := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: s.Env.Namespace, Name: before[0]}}
	Expect(s.Kube.Delete(ctx, old)).To(Succeed())
	var last *corev1.ContainerStateTerminated
	for event := range watch.ResultChan() {
		pod, ok := event.Object.(*corev1.Pod)
		Expect(ok).To(BeTrue(), "watch told %v", event.Object)
		for i := range pod.Status.ContainerStatuses {
			if ended := pod.Status.ContainerStatuses[i].State.Terminated; ended != nil {
				last = ended
			}
		}
		if event.Type == apiwatch.Deleted {
			break
		}
	}
	Expect(last).NotTo(BeNil(), "nothing tells how pod "+before[0]+" ended")
	return last.ExitCode
}

// awaitGateway waits until the host reaches a ready Gateway.
func (s *system) awaitGateway(ctx context.Context) {
	GinkgoHelper()
	Eventually(func(ctx context.Context) (int, error) {
		a, err := s.Get(ctx, infrastructure.EndpointGateway, "/ready")
		return a.Status, err
	}, settleBudget, poll).WithContext(ctx).Should(Equal(200))
}

// gatewayLog reads what the Gateway has logged since a moment.
func (s *system) gatewayLog(ctx context.Context, since time.Time) ([]byte, error) {
	pods, err := s.ReadyPods(ctx, "gateway")
	if err != nil {
		return nil, err
	}
	if len(pods) != 1 {
		return nil, fmt.Errorf("want one Gateway pod, there are %v", pods)
	}
	stream, err := s.Clientset.CoreV1().Pods(s.Env.Namespace).GetLogs(pods[0], &corev1.PodLogOptions{
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
