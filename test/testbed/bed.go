package testbed

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/hybrid-e2e/hybrid/hybrid"
)

// Budgets of the steps that this package takes. Only a failure uses them up.
const (
	// AnswerBudget is for one HTTP answer of a service.
	AnswerBudget = 15 * time.Second
	// RolloutBudget is for pods to stop and others to become ready.
	RolloutBudget = 90 * time.Second
	// Poll is the time between two looks.
	Poll = 100 * time.Millisecond
)

// nameLabel is what the pods of a workload carry, with its name.
const nameLabel = "app.kubernetes.io/name"

// Bed is a running system: one namespace of a cluster, and the endpoints at which
// the host reaches it. Make one with Connect.
type Bed struct {
	Env hybrid.Environment
	// Kube reads straight from the API server; it has no cache.
	Kube client.Client
	// Clientset is for what Kube does not offer, such as logs and watches.
	Clientset kubernetes.Interface
	// config is for commands in a container.
	config *rest.Config
	http   *http.Client
}

// Connect makes clients for the cluster and endpoints of env. Kube knows the types
// of Kubernetes and those that are added.
func Connect(env hybrid.Environment, add ...func(*runtime.Scheme) error) (*Bed, error) {
	// Whatever controller-runtime would log is returned as an error too.
	ctrllog.SetLogger(logr.Discard())
	config, err := clientcmd.BuildConfigFromFlags("", env.Kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("read kubeconfig %s: %w", env.Kubeconfig, err)
	}
	// The client's own limit would make specs measure the client.
	config.QPS = -1
	scheme := runtime.NewScheme()
	for _, types := range append([]func(*runtime.Scheme) error{clientgoscheme.AddToScheme}, add...) {
		if err := types(scheme); err != nil {
			return nil, err
		}
	}
	kube, err := client.New(config, client.Options{Scheme: scheme})
	if err != nil {
		return nil, fmt.Errorf("connect to the cluster: %w", err)
	}
	clientset, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("connect to the cluster: %w", err)
	}
	return &Bed{
		Env: env, Kube: kube, Clientset: clientset, config: config,
		http: &http.Client{
			Timeout: AnswerBudget,
			// A connection of its own for each request: one that is kept would stick
			// to a pod that a spec has replaced.
			Transport: &http.Transport{DisableKeepAlives: true},
			// The services never redirect; if one does, the spec must see it.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}, nil
}

// Pods lists the pods of a workload, terminating ones included.
func (b *Bed) Pods(ctx context.Context, workload string) ([]corev1.Pod, error) {
	var list corev1.PodList
	err := b.Kube.List(ctx, &list, client.InNamespace(b.Env.Namespace),
		client.MatchingLabels{nameLabel: workload})
	if err != nil {
		return nil, fmt.Errorf("list the pods of %s: %w", workload, err)
	}
	return list.Items, nil
}

// ReadyPods names the pods of a workload. It is an error while one of them is not
// ready or is terminating.
func (b *Bed) ReadyPods(ctx context.Context, workload string) ([]string, error) {
	pods, err := b.Pods(ctx, workload)
	if err != nil {
		return nil, err
	}
	return readyNames(pods)
}

func readyNames(pods []corev1.Pod) ([]string, error) {
	names := make([]string, 0, len(pods))
	for i := range pods {
		if pods[i].DeletionTimestamp != nil || !ready(&pods[i]) {
			return nil, fmt.Errorf("pod %s is %s and not ready, or terminating", pods[i].Name, pods[i].Status.Phase)
		}
		names = append(names, pods[i].Name)
	}
	return names, nil
}

// awaitPods watches the pods of a workload until settled has no error about them. It
// is an error when they have not settled in RolloutBudget.
func (b *Bed) awaitPods(ctx context.Context, workload string, settled func([]corev1.Pod) error) error {
	ctx, cancel := context.WithTimeoutCause(ctx, RolloutBudget, fmt.Errorf("not within %s", RolloutBudget))
	defer cancel()
	selected := metav1.ListOptions{LabelSelector: nameLabel + "=" + workload}
	pods := b.Clientset.CoreV1().Pods(b.Env.Namespace)
	for {
		list, err := pods.List(ctx, selected)
		if err != nil {
			return fmt.Errorf("list the pods of %s: %w", workload, err)
		}
		if err = settled(list.Items); err == nil {
			return nil
		}
		selected.ResourceVersion = list.ResourceVersion
		changes, watchErr := pods.Watch(ctx, selected)
		selected.ResourceVersion = ""
		if watchErr != nil {
			return fmt.Errorf("watch the pods of %s, %w: %w", workload, err, watchErr)
		}
		// What changed is in the next list: one look at all of them is simpler than to
		// add up changes, and there are few.
		<-changes.ResultChan()
		changes.Stop()
		if ctx.Err() != nil {
			return fmt.Errorf("%w: %w", context.Cause(ctx), err)
		}
	}
}

func ready(pod *corev1.Pod) bool {
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}

// Restarts sums up how often the containers of a workload were started again.
func (b *Bed) Restarts(ctx context.Context, workload string) (int32, error) {
	pods, err := b.Pods(ctx, workload)
	if err != nil {
		return 0, err
	}
	var restarts int32
	for i := range pods {
		for _, container := range pods[i].Status.ContainerStatuses {
			restarts += container.RestartCount
		}
	}
	return restarts, nil
}
