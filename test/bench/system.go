package bench

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/hybrid-e2e/hybrid/api/remediation/v1alpha1"
	"github.com/hybrid-e2e/hybrid/hybrid"
)

const (
	// answerBudget is for one answer of a service to anything but a load.
	answerBudget = 15 * time.Second
	// settleBudget is for what must follow by itself, such as a permission that the
	// API server is to know of.
	settleBudget = 30 * time.Second
	// poll is the pause between two looks where nothing can be watched.
	poll = 250 * time.Millisecond
)

// system is the running system that is measured.
type system struct {
	env       hybrid.Environment
	kube      client.Client
	clientset kubernetes.Interface
	http      *http.Client
	// node is the one that runs everything, address where it is reached inside the
	// cluster.
	node, address string
}

// connect makes the clients for the cluster and endpoints of env.
func connect(env hybrid.Environment) (*system, error) {
	for name, address := range env.Endpoints {
		if err := local(address); err != nil {
			return nil, fmt.Errorf("endpoint %s: %w", name, err)
		}
	}
	// Whatever controller-runtime would log is returned as an error too.
	ctrllog.SetLogger(logr.Discard())
	config, err := clientcmd.BuildConfigFromFlags("", env.Kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("read kubeconfig %s: %w", env.Kubeconfig, err)
	}
	config.QPS = -1
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			return nil, fmt.Errorf("make the scheme: %w", err)
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
	return &system{env: env, kube: kube, clientset: clientset, http: &http.Client{Timeout: answerBudget}}, nil
}

// get asks the path of an endpoint and returns the body of an answer 200.
func (s *system) get(ctx context.Context, endpoint, path string) ([]byte, error) {
	base, known := s.env.Endpoints[endpoint]
	if !known {
		return nil, fmt.Errorf("the environment has no endpoint %q", endpoint)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, base+path, nil)
	if err != nil {
		return nil, err
	}
	response, err := s.http.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, fmt.Errorf("read the answer of %s: %w", request.URL, err)
	}
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answered %s: %.300s", request.URL, response.Status, body)
	}
	return body, nil
}
