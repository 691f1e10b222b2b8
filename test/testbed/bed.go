package testbed

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
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

// Bed is a running system: one namespace of a cluster, and the endpoints at which
// the host reaches it. Make one with Connect.
type Bed struct {
	Env hybrid.Environment
	// Kube reads straight from the API server; it has no cache.
	Kube client.Client
	// clientset and config are for commands in a container.
	clientset kubernetes.Interface
	config    *rest.Config
	http      *http.Client
}

// Connect makes clients for the cluster and endpoints of env.
func Connect(env hybrid.Environment) (*Bed, error) {
	// Whatever controller-runtime would log is returned as an error too.
	ctrllog.SetLogger(logr.Discard())
	config, err := clientcmd.BuildConfigFromFlags("", env.Kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("read kubeconfig %s: %w", env.Kubeconfig, err)
	}
	// The client's own limit would make specs measure the client.
	config.QPS = -1
	scheme := runtime.NewScheme()
	if err := clientgoscheme.AddToScheme(scheme); err != nil {
		return nil, err
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
		Env: env, Kube: kube, clientset: clientset, config: config,
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
		client.MatchingLabels{"app.kubernetes.io/name": workload})
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
