package fullpipeline

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/hybrid-e2e/hybrid/api/remediation/v1alpha1"
	"github.com/hybrid-e2e/hybrid/test/infrastructure"
	"github.com/hybrid-e2e/hybrid/test/testbed"
)

// system is the running system under test. It is empty until the suite has been set
// up, so specs may use it but containers must not.
type system struct {
	*testbed.Bed
}

// sender is what a spec sends alerts with, and about: a namespace with an account in it.
type sender struct {
	*system
	namespace, token string
}

// newSender makes a namespace of an environment and lets an account in it send alerts.
func (s *system) newSender(ctx context.Context, environment string) sender {
	GinkgoHelper()
	name := s.Namespace(ctx)
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
	patch := client.MergeFrom(ns.DeepCopy())
	ns.Labels = map[string]string{"kubernaut.ai/environment": environment}
	Expect(s.Kube.Patch(ctx, ns, patch)).To(Succeed())
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: name, Name: "sender"}}
	Expect(s.Kube.Create(ctx, account)).To(Succeed())
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: s.Labels(nil)},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: s.Env.Own("gateway-signal-source")},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: name, Name: account.Name}},
	}
	Expect(s.Kube.Create(ctx, binding)).To(Succeed())
	DeferCleanup(func(ctx context.Context) { Expect(s.Kube.Delete(ctx, binding)).To(Succeed()) })
	request := &authenticationv1.TokenRequest{}
	Expect(s.Kube.SubResource("token").Create(ctx, account, request)).To(Succeed())
	made := sender{system: s, namespace: name, token: request.Status.Token}
	// A resolved alert makes no request. It tells when the role has reached the Gateway.
	Eventually(func(ctx context.Context) (int, error) {
		a, err := made.post(ctx, made.alert("probe", "info", "resolved"))
		return a.Status, err
	}, settleBudget, testbed.Poll).WithContext(ctx).Should(Equal(http.StatusOK))
	return made
}

// alert is one about a pod in the namespace of the sender.
func (s sender) alert(pod, severity, status string) map[string]any {
	return map[string]any{
		"status":      status,
		"labels":      map[string]string{"alertname": "PodCrashLooping", "namespace": s.namespace, "pod": pod, "severity": severity},
		"annotations": map[string]string{"summary": "it restarts again and again"},
		"startsAt":    time.Now().Add(-time.Minute).UTC().Format(time.RFC3339),
		"endsAt":      "0001-01-01T00:00:00Z",
	}
}

// post sends alerts as Prometheus does, in one body.
func (s sender) post(ctx context.Context, alerts ...map[string]any) (testbed.Answer, error) {
	body, err := json.Marshal(map[string]any{"version": "4", "groupKey": "{}", "status": "firing", "receiver": "kubernaut", "alerts": alerts})
	if err != nil {
		return testbed.Answer{}, err
	}
	return s.Send(ctx, testbed.Call{
		Endpoint: infrastructure.EndpointGateway, Method: http.MethodPost, Path: "/api/v1/signals/prometheus", Body: body,
		Header: http.Header{
			"Authorization": {"Bearer " + s.token}, "Content-Type": {"application/json"},
			"X-Timestamp": {strconv.FormatInt(time.Now().Unix(), 10)},
		},
	})
}

// send posts alerts and wants them answered so.
func (s sender) send(ctx context.Context, status int, alerts ...map[string]any) {
	GinkgoHelper()
	a, err := s.post(ctx, alerts...)
	Expect(err).NotTo(HaveOccurred())
	Expect(a.Status).To(Equal(status), string(a.Body))
}

// requests waits until the namespace of the sender has exactly that many requests, all of
// them in phase Processing, and returns them.
func (s sender) requests(ctx context.Context, count int) []v1alpha1.RemediationRequest {
	GinkgoHelper()
	list := &v1alpha1.RemediationRequestList{}
	want := make([]v1alpha1.Phase, count)
	for i := range want {
		want[i] = v1alpha1.PhaseProcessing
	}
	Eventually(func(ctx context.Context) ([]v1alpha1.Phase, error) {
		err := s.Kube.List(ctx, list, client.InNamespace(s.namespace))
		phases := make([]v1alpha1.Phase, len(list.Items))
		for i := range list.Items {
			phases[i] = list.Items[i].Status.OverallPhase
		}
		return phases, err
	}, settleBudget, testbed.Poll).WithContext(ctx).Should(Equal(want))
	return list.Items
}

// expectTrail waits until the trail of a request has exactly these events, in any order:
// two services have written it.
func (s *system) expectTrail(ctx context.Context, request string, types ...string) {
	GinkgoHelper()
	Eventually(s.TrailTypes, outageBudget, testbed.Poll).WithContext(ctx).
		WithArguments(infrastructure.EndpointDataStorage, request).Should(ConsistOf(types))
	Consistently(s.TrailTypes, quiet, testbed.Poll).WithContext(ctx).
		WithArguments(infrastructure.EndpointDataStorage, request).Should(ConsistOf(types))
}

// phases counts the requests of the sender by phase.
func (s sender) phases(ctx context.Context) (map[v1alpha1.Phase]int, error) {
	list := &v1alpha1.RemediationRequestList{}
	err := s.Kube.List(ctx, list, client.InNamespace(s.namespace))
	counts := map[v1alpha1.Phase]int{}
	for i := range list.Items {
		counts[list.Items[i].Status.OverallPhase]++
	}
	return counts, err
}

// names returns the names of the requests of the sender.
func (s sender) names(ctx context.Context) []string {
	GinkgoHelper()
	list := &v1alpha1.RemediationRequestList{}
	Expect(s.Kube.List(ctx, list, client.InNamespace(s.namespace))).To(Succeed())
	names := make([]string, len(list.Items))
	for i := range list.Items {
		names[i] = list.Items[i].Name
	}
	return names
}
