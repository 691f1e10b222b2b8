package deploy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
	watchtools "k8s.io/client-go/tools/watch"

	"github.com/hybrid-e2e/hybrid/hybrid/delivery"
	"github.com/hybrid-e2e/hybrid/hybrid/fault"
)

// JobFolder is where the pods of a Job find its files.
const JobFolder = "/job"

// Job is an Indexed Job, each of whose pods does its part once and delivers files.
type Job struct {
	// Name is that of the Job and its Secret, in the deployer's namespace.
	Name string
	// Image is what the pods run, with JobFolder as its argument.
	Image string
	// Pods is how many there are, all at the same time.
	Pods int
	// Files are the Secret's.
	Files map[string][]byte
}

// StartJob creates the Job. A pod that fails is not started again, and does not keep the
// others from their end.
func (d *Deployer) StartJob(ctx context.Context, j Job) error {
	about := metav1.ObjectMeta{Name: j.Name, Labels: d.o.Isolation.Labels()}
	_, err := d.typed.CoreV1().Secrets(d.o.Namespace).Create(ctx, &corev1.Secret{ObjectMeta: about, Data: j.Files}, metav1.CreateOptions{FieldManager: fieldManager})
	if err != nil {
		return fmt.Errorf("create the Secret of Job %s/%s: %w", d.o.Namespace, j.Name, err)
	}
	_, err = d.typed.BatchV1().Jobs(d.o.Namespace).Create(ctx, &batchv1.Job{ObjectMeta: about, Spec: j.spec()}, metav1.CreateOptions{FieldManager: fieldManager})
	if err != nil {
		return fmt.Errorf("create Job %s/%s: %w", d.o.Namespace, j.Name, err)
	}
	return nil
}

func (j Job) spec() batchv1.JobSpec {
	return batchv1.JobSpec{
		Completions: new(int32(j.Pods)), Parallelism: new(int32(j.Pods)), //nolint:gosec // There are at most tens.
		CompletionMode: new(batchv1.IndexedCompletion), BackoffLimitPerIndex: new(int32(0)),
		Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{
			RestartPolicy: corev1.RestartPolicyNever, EnableServiceLinks: new(false),
			SecurityContext: &corev1.PodSecurityContext{
				RunAsNonRoot: new(true), SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
			},
			Containers: []corev1.Container{{
				Name: j.Name, Image: j.Image, ImagePullPolicy: corev1.PullIfNotPresent, Args: []string{JobFolder},
				// Some programs want a home.
				Env:       []corev1.EnvVar{{Name: "HOME", Value: "/tmp"}},
				Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("100m"), corev1.ResourceMemory: resource.MustParse("128Mi")}},
				SecurityContext: &corev1.SecurityContext{
					AllowPrivilegeEscalation: new(false), ReadOnlyRootFilesystem: new(true),
					Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
				},
				VolumeMounts: []corev1.VolumeMount{{Name: "job", MountPath: JobFolder, ReadOnly: true}, {Name: "tmp", MountPath: "/tmp"}},
			}},
			Volumes: []corev1.Volume{
				{Name: "job", VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: j.Name}}},
				{Name: "tmp", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}},
			},
		}},
	}
}

// AwaitJob follows the pod of an index, whose log goes to log, until it has delivered its
// files to dir. A pod that ends without is an error.
func (d *Deployer) AwaitJob(ctx context.Context, log io.Writer, name string, index int, dir string) error {
	return d.awaitJob(ctx, log, name, index, dir, func(ctx context.Context, pod *corev1.Pod) (io.ReadCloser, error) {
		return d.typed.CoreV1().Pods(pod.Namespace).GetLogs(pod.Name, &corev1.PodLogOptions{Follow: true}).Stream(ctx)
	})
}

func (d *Deployer) awaitJob(ctx context.Context, log io.Writer, name string, index int, dir string, open func(context.Context, *corev1.Pod) (io.ReadCloser, error)) error {
	pod, err := d.jobPod(ctx, name, index, jobStarted)
	for rest := discard(log); err == nil; rest = io.Discard {
		var text io.ReadCloser
		if text, err = open(ctx, pod); err != nil {
			break
		}
		_, err = delivery.Receive(text, dir, rest)
		_ = text.Close() // It was read only.
		if !errors.Is(err, delivery.ErrCut) {
			break
		}
		// The pod has ended without, or a connection that was silent was cut.
		if jobEnded(pod) || wait(ctx, nil, followPause) != nil {
			break
		}
		pod, err = d.jobPod(ctx, name, index, jobStarted)
	}
	if err == nil {
		return nil
	}
	return cause(ctx, fault.With(fmt.Errorf("the pod of index %d of Job %s/%s: %w", index, d.o.Namespace, name, err),
		d.kubectl(fmt.Sprintf("--namespace %s describe pods --selector %s", d.o.Namespace, jobSelector(name, index)))))
}

func jobSelector(name string, index int) string {
	return labels.Set{batchv1.JobNameLabel: name, batchv1.JobCompletionIndexAnnotation: strconv.Itoa(index)}.String()
}

// jobStarted tells whether a pod has run; one that cannot is an error.
func jobStarted(pod *corev1.Pod) (bool, error) {
	for _, c := range pod.Status.ContainerStatuses {
		if c.State.Running != nil || c.State.Terminated != nil {
			return true, nil
		}
		if w := c.State.Waiting; w != nil && (w.Reason == "ImagePullBackOff" || w.Reason == "CreateContainerConfigError" || w.Reason == "CreateContainerError") {
			return false, fmt.Errorf("it cannot start: %s: %s", w.Reason, w.Message)
		}
	}
	if pod.Status.Phase == corev1.PodFailed {
		return false, fmt.Errorf("it failed: %s: %s", pod.Status.Reason, pod.Status.Message)
	}
	return false, nil
}

func jobEnded(pod *corev1.Pod) bool {
	return pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
}

// jobPod waits for the pod of an index.
func (d *Deployer) jobPod(ctx context.Context, name string, index int, until func(*corev1.Pod) (bool, error)) (*corev1.Pod, error) {
	client := d.typed.CoreV1().Pods(d.o.Namespace)
	only := jobSelector(name, index)
	lw := narrowed(client.List, client.Watch, func(o *metav1.ListOptions) { o.LabelSelector = only })
	limited, cancel := context.WithTimeoutCause(ctx, d.o.Timeout, fmt.Errorf("it did not start within %s", d.o.Timeout))
	defer cancel()
	var found *corev1.Pod
	_, err := watchtools.UntilWithSync(limited, cache.ToListWatcherWithWatchListSemantics(lw, d.typed), &corev1.Pod{}, nil, func(e watch.Event) (bool, error) {
		pod, ok := e.Object.(*corev1.Pod)
		if !ok || e.Type == watch.Deleted {
			return false, nil
		}
		found = pod
		return until(pod)
	})
	if err != nil && context.Cause(limited) != nil {
		err = context.Cause(limited)
	}
	return found, err
}
