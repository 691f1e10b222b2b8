package deploy

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/hybrid-e2e/hybrid/hybrid/mask"
)

const (
	// evidenceTimeout bounds what an error collects before it is returned.
	evidenceTimeout = 10 * time.Second
	// eventLines and logLines are how much of each an error carries.
	eventLines = 10
	logLines   = 20
)

// gather fills in what the pods of a Deployment, or of a Service's selector,
// say about themselves. It never fails: what cannot be had is named instead.
func (d *Deployer) gather(ctx context.Context, e *NotReadyError, v *view) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), evidenceTimeout)
	defer cancel()
	about := map[types.UID]bool{}
	var pods []*corev1.Pod
	if e.selector != nil {
		pods = v.selected(e.Namespace, e.selector)
	} else if deployment := v.deployment(e.Namespace, e.Name); deployment != nil {
		about[deployment.UID] = true
		if pods = v.current(deployment); len(pods) == 0 {
			pods = v.selected(e.Namespace, selectorOf(deployment))
		}
	}
	for _, pod := range pods {
		about[pod.UID] = true
		for _, owner := range pod.OwnerReferences {
			about[owner.UID] = true
		}
		e.Evidence = append(e.Evidence, describe(pod)...)
	}
	e.Evidence = append(e.Evidence, d.events(ctx, e.Namespace, about)...)
	for _, pod := range pods {
		for _, c := range statuses(pod) {
			if c.State.Terminated != nil || c.RestartCount > 0 || !c.Ready && c.State.Running != nil {
				e.Evidence = append(e.Evidence, d.logs(ctx, pod, c)...)
			}
		}
	}
	// What cannot be read cannot be hidden; what looks like a credential is, anyway.
	hide, _ := mask.Secrets(ctx, d.typed, e.Namespace)
	e.Reason = hide.Text(e.Reason)
	for i, line := range e.Evidence {
		e.Evidence[i] = hide.Text(line)
	}
}

// describe says in a few lines how a pod and its containers are.
func describe(pod *corev1.Pod) []string {
	phase := string(pod.Status.Phase)
	if pod.DeletionTimestamp != nil {
		phase += ", being deleted"
	}
	node := cmp.Or(pod.Spec.NodeName, "no node")
	lines := []string{fmt.Sprintf("pod %s: %s on %s", pod.Name, cmp.Or(phase, "no phase"), node)}
	for _, c := range statuses(pod) {
		state := "no state"
		switch s := c.State; {
		case s.Waiting != nil:
			state = "waiting: " + strings.TrimSuffix(s.Waiting.Reason+": "+s.Waiting.Message, ": ")
		case s.Terminated != nil:
			state = "terminated, " + ended(s.Terminated)
		case s.Running != nil && c.Ready:
			state = "running and ready"
		case s.Running != nil:
			state = "running, not ready"
		}
		line := fmt.Sprintf("container %s: %s, %d restarts", c.Name, state, c.RestartCount)
		if last := c.LastTerminationState.Terminated; last != nil {
			line += ", " + ended(last)
		}
		lines = append(lines, line)
	}
	return lines
}

// events are the newest events about objects, oldest first.
func (d *Deployer) events(ctx context.Context, namespace string, about map[types.UID]bool) []string {
	list, err := d.typed.CoreV1().Events(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return []string{fmt.Sprintf("events: not available: %v", err)}
	}
	events := slices.DeleteFunc(list.Items, func(e corev1.Event) bool { return !about[e.InvolvedObject.UID] })
	slices.SortStableFunc(events, func(a, b corev1.Event) int { return lastSeen(a).Compare(lastSeen(b)) })
	var lines []string
	for _, e := range events[max(0, len(events)-eventLines):] {
		line := fmt.Sprintf("event %s %s: %s", e.Type, e.Reason, strings.TrimSpace(e.Message))
		if e.Count > 1 {
			line += fmt.Sprintf(" (%d times)", e.Count)
		}
		lines = append(lines, line)
	}
	return lines
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

// logs are the last lines of a failing container, those of the run before it
// first.
func (d *Deployer) logs(ctx context.Context, pod *corev1.Pod, c corev1.ContainerStatus) []string {
	var lines []string
	tail := int64(logLines)
	for _, previous := range []bool{true, false} {
		if previous && c.RestartCount == 0 || !previous && c.State.Waiting != nil {
			continue
		}
		name := "log " + c.Name
		if previous {
			name = "log " + c.Name + " (previous run)"
		}
		out, err := d.typed.CoreV1().Pods(pod.Namespace).GetLogs(pod.Name, &corev1.PodLogOptions{
			Container: c.Name, Previous: previous, TailLines: &tail,
		}).DoRaw(ctx)
		if err != nil {
			lines = append(lines, fmt.Sprintf("%s: not available: %v", name, err))
			continue
		}
		for line := range strings.Lines(strings.TrimSpace(string(out))) {
			lines = append(lines, name+" | "+strings.TrimRight(line, "\r\n"))
		}
	}
	return lines
}
