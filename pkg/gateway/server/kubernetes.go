package server

import (
	"context"
	"fmt"
	"sync/atomic"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/hybrid-e2e/hybrid/api/remediation/v1alpha1"
	"github.com/hybrid-e2e/hybrid/pkg/gateway/config"
)

// cluster is the Gateway's view of Kubernetes.
type cluster struct {
	live   client.Client
	cache  cache.Cache
	hint   *syncedReader
	rest   rest.Interface
	config *rest.Config
}

// connect prepares the clients. It calls nobody: an API server that cannot be
// reached must not keep the process from starting.
func connect(restConfig *rest.Config, settings config.Kubernetes) (*cluster, error) {
	restConfig = rest.CopyConfig(restConfig)
	restConfig.QPS, restConfig.Burst = settings.QPS, settings.Burst
	restConfig.UserAgent = "gateway"
	scheme, mapper, err := kinds()
	if err != nil {
		return nil, err
	}
	live, err := client.New(restConfig, client.Options{Scheme: scheme, Mapper: mapper})
	if err != nil {
		return nil, fmt.Errorf("make the Kubernetes client: %w", err)
	}
	informers, err := cache.New(restConfig, cache.Options{
		Scheme: scheme, Mapper: mapper, ReaderFailOnMissingInformer: true,
		ByObject: map[client.Object]cache.ByObject{&v1alpha1.RemediationRequest{}: {Transform: slim}},
	})
	if err != nil {
		return nil, fmt.Errorf("make the cache of requests: %w", err)
	}
	discover, err := discovery.NewDiscoveryClientForConfig(restConfig)
	if err != nil {
		return nil, fmt.Errorf("make the client of the API server's version: %w", err)
	}
	return &cluster{
		live: live, cache: informers, hint: &syncedReader{Reader: informers},
		rest: discover.RESTClient(), config: restConfig,
	}, nil
}

// kinds tells the clients of the few kinds that the Gateway uses. With a mapper
// that knows them there is no discovery at the start that could fail.
func kinds() (*runtime.Scheme, meta.RESTMapper, error) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		v1alpha1.AddToScheme, authenticationv1.AddToScheme, authorizationv1.AddToScheme,
	} {
		if err := add(scheme); err != nil {
			return nil, nil, fmt.Errorf("make the scheme: %w", err)
		}
	}
	mapper := meta.NewDefaultRESTMapper(nil)
	mapper.Add(v1alpha1.GroupVersion().WithKind("RemediationRequest"), meta.RESTScopeNamespace)
	mapper.Add(authenticationv1.SchemeGroupVersion.WithKind("TokenReview"), meta.RESTScopeRoot)
	mapper.Add(authorizationv1.SchemeGroupVersion.WithKind("SubjectAccessReview"), meta.RESTScopeRoot)
	return scheme, mapper, nil
}

// run fills the cache and keeps it up to date until ctx ends.
func (c *cluster) run(ctx context.Context) error {
	if err := c.cache.IndexField(ctx, &v1alpha1.RemediationRequest{},
		v1alpha1.SignalFingerprintField, fingerprintOf); err != nil {
		return fmt.Errorf("index the cache of requests: %w", err)
	}
	go func() {
		if c.cache.WaitForCacheSync(ctx) {
			c.hint.synced.Store(true)
		}
	}()
	if err := c.cache.Start(ctx); err != nil {
		return fmt.Errorf("run the cache of requests: %w", err)
	}
	return nil
}

// ping reaches the API server.
func (c *cluster) ping(ctx context.Context) error {
	return c.rest.Get().AbsPath("/version").Do(ctx).Error()
}

func fingerprintOf(object client.Object) []string {
	request, ok := object.(*v1alpha1.RemediationRequest)
	if !ok {
		return nil
	}
	return []string{request.Spec.SignalFingerprint}
}

// slim drops what the Gateway never reads from a cached request; the payload alone
// can be a quarter of a megabyte.
func slim(object any) (any, error) {
	if request, ok := object.(*v1alpha1.RemediationRequest); ok {
		request.ManagedFields = nil
		request.Spec.OriginalPayload = ""
		request.Spec.SignalLabels = nil
		request.Spec.SignalAnnotations = nil
	}
	return object, nil
}

// syncedReader is a cache that finds nothing until it is filled, where the cache
// itself would make the sender wait.
type syncedReader struct {
	client.Reader
	synced atomic.Bool
}

func (s *syncedReader) List(ctx context.Context, list client.ObjectList, options ...client.ListOption) error {
	if !s.synced.Load() {
		return nil
	}
	return s.Reader.List(ctx, list, options...)
}
