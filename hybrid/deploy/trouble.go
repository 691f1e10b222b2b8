package deploy

import (
	"fmt"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
)

const (
	// lateGrace is the time for what a state waits for to come, when it may be
	// on its way: a ServiceAccount, a Secret, a taint of a new node that goes.
	lateGrace = 5 * time.Second
	// mountGrace is longer because kubelet tries again after 0.5, 1, 2 and 4 s.
	mountGrace = 10 * time.Second
	// deafGrace is for a container that runs while its probe meets nobody: it may wait
	// for what it depends on before it listens.
	deafGrace = 30 * time.Second
	// crashes is the restart after which a container counts as crash-looping.
	// Services have to survive that their dependencies come late, so a process
	// that ended this often has a lasting reason.
	crashes = 3
)

// notBegun is what a Deployment lacks whose newest specification nobody has seen.
const notBegun = "the rollout has not begun"

// trouble is a state in which waiting longer cannot help, once it has lasted
// for grace.
type trouble struct {
	reason string
	grace  time.Duration
}

// waitingTroubles are the reasons of waiting containers that do not go away by
// themselves. CrashLoopBackOff is judged by the number of restarts instead.
//
//nolint:gochecknoglobals // A table that nothing writes to.
var waitingTroubles = map[string]time.Duration{
	"ErrImageNeverPull":          0,
	"InvalidImageName":           0,
	"ImagePullBackOff":           0,
	"RunContainerError":          0,
	"ErrImagePull":               lateGrace,
	"CreateContainerError":       lateGrace,
	"CreateContainerConfigError": lateGrace,
}

// failures are messages of events about a pod: that a volume cannot be mounted, that a
// probe failed. Each may be empty.
type failures struct{ mount, probe string }

// deaf reports whether the probe met nobody: no port is open, or the path is not known.
// An answer that says "not yet" is something else.
func (f failures) deaf() bool {
	return strings.Contains(f.probe, "connection refused") || strings.Contains(f.probe, "statuscode: 404")
}

// podTroubles judges one pod.
func podTroubles(pod *corev1.Pod, events failures) []trouble {
	var found []trouble
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse && c.Reason == corev1.PodReasonUnschedulable {
			found = append(found, trouble{fmt.Sprintf("pod %s cannot be scheduled: %s", pod.Name, c.Message), lateGrace})
		}
	}
	creating := pod.Status.Phase == corev1.PodPending
	for _, c := range statuses(pod) {
		creating = creating && c.State.Waiting != nil
		found = append(found, containerTroubles(pod, c, events)...)
	}
	if creating && events.mount != "" {
		found = append(found, trouble{fmt.Sprintf("pod %s cannot mount a volume: %s", pod.Name, events.mount), mountGrace})
	}
	return found
}

// containerTroubles judges one container of a pod.
func containerTroubles(pod *corev1.Pod, c corev1.ContainerStatus, events failures) []trouble {
	waiting := c.State.Waiting
	if waiting == nil {
		if c.State.Running == nil || c.Ready || !events.deaf() {
			return nil
		}
		return []trouble{{fmt.Sprintf("container %s of pod %s runs, and %s", c.Name, pod.Name, lowerFirst(events.probe)), deafGrace}}
	}
	var found []trouble
	if waiting.Reason == "CrashLoopBackOff" && c.RestartCount >= crashes {
		text := fmt.Sprintf("container %s of pod %s crashes again and again (%d restarts)", c.Name, pod.Name, c.RestartCount)
		if last := c.LastTerminationState.Terminated; last != nil {
			text += ", " + ended(last)
		}
		found = append(found, trouble{text, 0})
	}
	if grace, hopeless := waitingTroubles[waiting.Reason]; hopeless {
		text := fmt.Sprintf("container %s of pod %s: %s", c.Name, pod.Name, waiting.Reason)
		if waiting.Message != "" {
			text += ": " + waiting.Message
		}
		found = append(found, trouble{text, grace})
	}
	return found
}

// deploymentTroubles judges what the Deployment's controller says.
func deploymentTroubles(d *appsv1.Deployment) []trouble {
	var found []trouble
	for _, c := range d.Status.Conditions {
		switch {
		case c.Type == appsv1.DeploymentReplicaFailure && c.Status == corev1.ConditionTrue:
			found = append(found, trouble{fmt.Sprintf("pods are refused (%s): %s", c.Reason, c.Message), lateGrace})
		case c.Type == appsv1.DeploymentProgressing && c.Status == corev1.ConditionFalse && c.Reason == "ProgressDeadlineExceeded":
			found = append(found, trouble{"the rollout made no progress for progressDeadlineSeconds", 0})
		}
	}
	return found
}

// statuses are the states of all containers, init containers first.
func statuses(pod *corev1.Pod) []corev1.ContainerStatus {
	all := append([]corev1.ContainerStatus(nil), pod.Status.InitContainerStatuses...)
	return append(all, pod.Status.ContainerStatuses...)
}

// lowerFirst has a sentence go on in another one.
func lowerFirst(s string) string {
	if s == "" {
		return s
	}
	return strings.ToLower(s[:1]) + s[1:]
}

// ended says in words how a container ended.
func ended(t *corev1.ContainerStateTerminated) string {
	text := fmt.Sprintf("last exit code %d", t.ExitCode)
	if t.Reason != "" {
		text += " (" + t.Reason + ")"
	}
	return text
}

// unfinished says what a Deployment's rollout still lacks, empty when it is
// complete: the controller has seen the newest specification, all replicas are
// of it, none of an older one is left, and all are available.
func unfinished(d *appsv1.Deployment) string {
	want := int32(1)
	if d.Spec.Replicas != nil {
		want = *d.Spec.Replicas
	}
	switch s := d.Status; {
	case s.ObservedGeneration < d.Generation:
		return notBegun
	case s.UpdatedReplicas < want:
		return fmt.Sprintf("%d of %d pods are updated", s.UpdatedReplicas, want)
	case s.Replicas > s.UpdatedReplicas:
		return fmt.Sprintf("%d old pods are still there", s.Replicas-s.UpdatedReplicas)
	case s.AvailableReplicas < want:
		return fmt.Sprintf("%d of %d pods are ready", s.AvailableReplicas, want)
	}
	return ""
}
