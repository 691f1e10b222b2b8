package diagnose

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

// logLines is how much of each container's log is kept; about 2 MB of ordinary
// lines.
const logLines = 20000

// namespace collects pods, their logs and events of one namespace.
func (c *collector) namespace(ctx context.Context, namespace string) {
	c.background(func() {
		list, err := c.o.Client.CoreV1().Events(namespace).List(ctx, metav1.ListOptions{})
		if err != nil {
			c.gap("events of namespace "+namespace, err)
			return
		}
		c.save(path.Join(namespace, "events.txt"), eventTable(list.Items), nil)
	})
	c.background(func() {
		list, err := c.o.Client.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{})
		if err != nil {
			c.gap("pods of namespace "+namespace, err)
			return
		}
		c.save(path.Join(namespace, "pods.txt"), podTable(list.Items, c.o.Now()), nil)
		for _, pod := range list.Items {
			c.pod(ctx, pod)
		}
	})
}

// pod collects the logs of all containers, and the whole object when the pod is
// not ready.
func (c *collector) pod(ctx context.Context, pod corev1.Pod) {
	if !ready(pod) {
		status := podStatus(pod)
		c.find("Pod %s/%s is not ready: %s.", pod.Namespace, pod.Name, status)
		pod.ManagedFields = nil
		// Lists leave out what every item of them is.
		pod.APIVersion, pod.Kind = "v1", "Pod"
		data, err := yaml.Marshal(pod)
		c.save(path.Join(pod.Namespace, "not-ready", pod.Name+".yaml"), data, err)
	}
	for _, s := range slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses) {
		if s.State.Running != nil || s.State.Terminated != nil {
			c.background(func() { c.log(ctx, pod, s.Name, false) })
		}
		if s.RestartCount > 0 {
			c.background(func() { c.log(ctx, pod, s.Name, true) })
		}
	}
}

func (c *collector) log(ctx context.Context, pod corev1.Pod, container string, previous bool) {
	tail := int64(logLines)
	name := pod.Name + "_" + container
	if previous {
		name += ".previous"
	}
	data, err := c.o.Client.CoreV1().Pods(pod.Namespace).GetLogs(pod.Name, &corev1.PodLogOptions{
		Container: container, Previous: previous, Timestamps: true, TailLines: &tail,
	}).DoRaw(ctx)
	c.save(path.Join(pod.Namespace, "logs", name+".log"), data, err)
}

// nodeObjects writes what the API server thinks of the nodes.
func (c *collector) nodeObjects(ctx context.Context) {
	list, err := c.o.Client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		c.gap("nodes.txt", err)
		return
	}
	var t table
	t.row("NODE", "CONDITION", "STATUS", "REASON", "MESSAGE")
	for _, node := range list.Items {
		for _, cond := range node.Status.Conditions {
			t.row(node.Name, string(cond.Type), string(cond.Status), cond.Reason, cond.Message)
			healthy := corev1.ConditionFalse
			if cond.Type == corev1.NodeReady {
				healthy = corev1.ConditionTrue
			}
			if cond.Status != healthy {
				c.find("Node %s: %s is %s: %s.", node.Name, cond.Type, cond.Status, cmp.Or(cond.Message, cond.Reason))
			}
		}
	}
	c.save("nodes.txt", t.bytes(), nil)
}

// podTable is like "kubectl get pods --output wide", with the images.
func podTable(pods []corev1.Pod, now time.Time) []byte {
	slices.SortFunc(pods, func(a, b corev1.Pod) int { return cmp.Compare(a.Name, b.Name) })
	var t table
	t.row("NAME", "READY", "STATUS", "RESTARTS", "AGE", "IP", "NODE", "IMAGES")
	for _, pod := range pods {
		up, restarts := 0, int32(0)
		for _, s := range pod.Status.ContainerStatuses {
			restarts += s.RestartCount
			if s.Ready {
				up++
			}
		}
		var images []string
		for _, s := range pod.Spec.Containers {
			images = append(images, s.Image)
		}
		status := podStatus(pod)
		t.row(pod.Name, fmt.Sprintf("%d/%d", up, len(pod.Spec.Containers)), status, fmt.Sprint(restarts),
			now.Sub(pod.CreationTimestamp.Time).Round(time.Second).String(), pod.Status.PodIP, pod.Spec.NodeName,
			strings.Join(images, ","))
	}
	return t.bytes()
}

// podStatus is the most telling word about a pod: why a container waits or how
// it ended, else the phase.
func podStatus(pod corev1.Pod) string {
	for _, s := range slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses) {
		if w := s.State.Waiting; w != nil && w.Reason != "" {
			return w.Reason
		}
		if t := s.State.Terminated; t != nil && t.ExitCode != 0 {
			return fmt.Sprintf("%s(exit %d)", cmp.Or(t.Reason, "Terminated"), t.ExitCode)
		}
	}
	if pod.DeletionTimestamp != nil {
		return "Terminating"
	}
	return cmp.Or(pod.Status.Reason, string(pod.Status.Phase), "Unknown")
}

func ready(pod corev1.Pod) bool {
	if pod.Status.Phase == corev1.PodSucceeded {
		return true
	}
	return slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}

// eventTable lists events, oldest first.
func eventTable(events []corev1.Event) []byte {
	slices.SortStableFunc(events, func(a, b corev1.Event) int { return lastSeen(a).Compare(lastSeen(b)) })
	var t table
	t.row("TIME", "TYPE", "REASON", "OBJECT", "COUNT", "MESSAGE")
	for _, e := range events {
		t.row(lastSeen(e).UTC().Format(time.RFC3339), e.Type, e.Reason,
			strings.ToLower(e.InvolvedObject.Kind)+"/"+e.InvolvedObject.Name, fmt.Sprint(max(e.Count, 1)),
			string(bytes.Join(bytes.Fields([]byte(e.Message)), []byte(" "))))
	}
	return t.bytes()
}

// lastSeen is the best of the times that an event may carry.
func lastSeen(e corev1.Event) time.Time {
	for _, t := range []time.Time{e.LastTimestamp.Time, e.EventTime.Time, e.FirstTimestamp.Time} {
		if !t.IsZero() {
			return t
		}
	}
	return e.CreationTimestamp.Time
}
