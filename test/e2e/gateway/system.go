package gateway

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/hybrid-e2e/hybrid/api/remediation/v1alpha1"
	"github.com/hybrid-e2e/hybrid/hybrid"
)

// system is the running system under test, with everything that a spec needs to
// talk to it. It is empty until the suite has been set up, so specs may use it but
// containers must not.
type system struct {
	env hybrid.Environment
	// kube reads straight from the API server; it has no cache.
	kube client.Client
	// clientset is for what kube does not offer: logs, tokens and commands in a
	// container, which config is for too.
	clientset kubernetes.Interface
	config    *rest.Config
	http      *http.Client
	// token belongs to a sender that may post signals, stranger to one that the
	// cluster knows and that may not.
	token, stranger string
}

// handover is what the first parallel process tells all of them.
type handover struct {
	Environment hybrid.Environment `json:"environment"`
	Token       string             `json:"token"`
	Stranger    string             `json:"stranger"`
}

func decodeHandover(b []byte) (handover, error) {
	var h handover
	if err := json.Unmarshal(b, &h); err != nil {
		return h, fmt.Errorf("read what the first process handed over: %w", err)
	}
	return h, nil
}

// connect fills s with clients for the cluster and endpoints of env.
func (s *system) connect(env hybrid.Environment) error {
	config, err := clientcmd.BuildConfigFromFlags("", env.Kubeconfig)
	if err != nil {
		return fmt.Errorf("read kubeconfig %s: %w", env.Kubeconfig, err)
	}
	// The client's own limit would make specs measure the client.
	config.QPS = -1
	scheme := runtime.NewScheme()
	if err := clientgoscheme.AddToScheme(scheme); err != nil {
		return err
	}
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		return err
	}
	s.env, s.config = env, config
	if s.kube, err = client.New(config, client.Options{Scheme: scheme}); err != nil {
		return fmt.Errorf("connect to the cluster: %w", err)
	}
	if s.clientset, err = kubernetes.NewForConfig(config); err != nil {
		return fmt.Errorf("connect to the cluster: %w", err)
	}
	s.http = &http.Client{
		Timeout: answerBudget,
		// A connection of its own for each request: one that is kept would stick
		// to a pod that a spec has replaced.
		Transport: &http.Transport{DisableKeepAlives: true},
		// The services never redirect; if one does, the spec must see it.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return nil
}

// url returns the address of path at a declared endpoint.
func (s *system) url(endpoint, path string) (string, error) {
	base, ok := s.env.Endpoints[endpoint]
	if !ok {
		return "", fmt.Errorf("the environment has no endpoint %q", endpoint)
	}
	return base + path, nil
}

// pods lists the pods of a workload, terminating ones included.
func (s *system) pods(ctx context.Context, workload string) ([]corev1.Pod, error) {
	var list corev1.PodList
	err := s.kube.List(ctx, &list, client.InNamespace(s.env.Namespace),
		client.MatchingLabels{"app.kubernetes.io/name": workload})
	if err != nil {
		return nil, fmt.Errorf("list the pods of %s: %w", workload, err)
	}
	return list.Items, nil
}
