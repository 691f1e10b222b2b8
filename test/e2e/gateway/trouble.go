package gateway

import (
	"context"
	"fmt"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// troubledPod returns a pod that only lacks its trouble. It meets the restricted
// level of Pod Security, and its image is one that every node holds.
func (s *system) troubledPod(ctx context.Context, namespace string) *corev1.Pod {
	GinkgoHelper()
	var redis appsv1.Deployment
	Expect(s.Kube.Get(ctx, client.ObjectKey{Namespace: s.Env.Namespace, Name: "redis"}, &redis)).To(Succeed())
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "troubled"},
		Spec: corev1.PodSpec{
			AutomountServiceAccountToken:  new(false),
			TerminationGracePeriodSeconds: new(int64(0)),
			SecurityContext: &corev1.PodSecurityContext{
				RunAsNonRoot:   new(true),
				RunAsUser:      new(int64(1001)),
				SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
			},
			Containers: []corev1.Container{{
				Name:            "main",
				Image:           redis.Spec.Template.Spec.Containers[0].Image,
				ImagePullPolicy: corev1.PullNever,
				Command:         []string{"/bin/sh", "-c", "exit 1"},
				SecurityContext: &corev1.SecurityContext{
					AllowPrivilegeEscalation: new(false),
					ReadOnlyRootFilesystem:   new(true),
					Capabilities:             &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
				},
			}},
		},
	}
}

// awaitEvent watches until the cluster itself has reported the reason about a pod
// for the given number of times, and returns the event.
func (s *system) awaitEvent(ctx context.Context, pod *corev1.Pod, reason string, times int32) *corev1.Event {
	GinkgoHelper()
	ctx, cancel := context.WithTimeout(ctx, settleBudget)
	defer cancel()
	watcher, err := s.Clientset.CoreV1().Events(pod.Namespace).Watch(ctx, metav1.ListOptions{
		FieldSelector: fields.Set{"involvedObject.uid": string(pod.UID), "reason": reason}.String(),
	})
	Expect(err).NotTo(HaveOccurred())
	defer watcher.Stop()
	for change := range watcher.ResultChan() {
		// An event that the scheduler reports once has no count.
		if event, ok := change.Object.(*corev1.Event); ok && max(event.Count, 1) >= times {
			return event
		}
	}
	Fail(fmt.Sprintf("event %s about %s/%s was not reported %d times: %v", reason, pod.Namespace, pod.Name, times, ctx.Err()))
	return nil
}

// touch changes the pod, so that the kubelet looks at it at once, and not only
// after the 10 to 15 s for which it leaves a pod alone that failed.
func (s *system) touch(ctx context.Context, pod *corev1.Pod) {
	GinkgoHelper()
	patch := client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"annotations":{"hybrid.test/touched":"true"}}}`))
	Expect(s.Kube.Patch(ctx, pod, patch)).To(Succeed())
}

// begin is when the event first happened, in the seconds that a request keeps.
// Where it stands depends on the API by which the cluster's component reported it.
func begin(event *corev1.Event) time.Time {
	if event.FirstTimestamp.IsZero() {
		return event.EventTime.Truncate(time.Second)
	}
	return event.FirstTimestamp.Time
}

// serialised is an event byte for byte as the API server gives it by one of the
// two APIs that have events.
func (s *system) serialised(ctx context.Context, api rest.Interface, event *corev1.Event) []byte {
	GinkgoHelper()
	body, err := api.Get().Namespace(event.Namespace).Resource("events").Name(event.Name).
		SetHeader("Accept", "application/json").Do(ctx).Raw()
	Expect(err).NotTo(HaveOccurred())
	return body
}
