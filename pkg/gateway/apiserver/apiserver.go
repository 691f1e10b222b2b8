package apiserver

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	apiruntime "k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/hybrid-e2e/hybrid/api/remediation/v1alpha1"
)

// Assets names the environment variable with the folder of kube-apiserver and
// etcd. It is the one that controller-runtime's envtest uses.
const Assets = "KUBEBUILDER_ASSETS"

// patience bounds the start of each program; both together take about 5 s on two
// processors.
const patience = time.Minute

// API is a Kubernetes API that knows RemediationRequests.
type API struct {
	// Name says what answers.
	Name string
	// Config reaches the real API server with all rights. It is nil for the fake,
	// which has no connections.
	Config *rest.Config
	// Client reads and writes without a cache.
	Client client.Client
}

// All returns every API that can be had here: always the fake, and the real API
// server when Assets is set. A real one that does not start fails the test.
func All(t *testing.T) []*API {
	t.Helper()
	all := []*API{Fake(t)}
	folder := os.Getenv(Assets)
	if folder == "" {
		t.Logf("%s is not set: no real API server, the fake alone answers; `mage test` sets it where the node image is at hand", Assets)
		return all
	}
	started, err := start(t, folder)
	if err != nil {
		t.Fatalf("%s=%s: %v", Assets, folder, err)
	}
	return append(all, started)
}

// Fake returns controller-runtime's fake, which checks versions on writes and
// knows status as a subresource, but neither the schema nor conflicts inside etcd. The
// schema's count of a new request is filled in as the real one does.
func Fake(t *testing.T) *API {
	t.Helper()
	index := func(object client.Object) []string {
		request, ok := object.(*v1alpha1.RemediationRequest)
		if !ok {
			return nil
		}
		return []string{request.Spec.SignalFingerprint}
	}
	return &API{Name: "fake client", Client: fake.NewClientBuilder().WithScheme(kinds(t)).
		WithStatusSubresource(&v1alpha1.RemediationRequest{}).
		WithIndex(&v1alpha1.RemediationRequest{}, v1alpha1.SignalFingerprintField, index).
		WithInterceptorFuncs(interceptor.Funcs{Create: createCounted, List: listCounted}).Build()}
}

func createCounted(ctx context.Context, inner client.WithWatch, object client.Object, options ...client.CreateOption) error {
	err := inner.Create(ctx, object, options...)
	if request, ok := object.(*v1alpha1.RemediationRequest); ok {
		fillIn(request)
	}
	return err
}

func listCounted(ctx context.Context, inner client.WithWatch, list client.ObjectList, options ...client.ListOption) error {
	err := inner.List(ctx, list, options...)
	if requests, ok := list.(*v1alpha1.RemediationRequestList); ok {
		for i := range requests.Items {
			fillIn(&requests.Items[i])
		}
	}
	return err
}

func fillIn(request *v1alpha1.RemediationRequest) {
	if request.Status.Deduplication == nil {
		request.Status.Deduplication = &v1alpha1.DeduplicationStatus{OccurrenceCount: 1}
	}
}

// start runs etcd and kube-apiserver out of folder until the test ends.
func start(t *testing.T, folder string) (*API, error) {
	t.Helper()
	ctrllog.SetLogger(logr.Discard())
	existing := false // Whatever the environment says: never somebody's cluster.
	environment := &envtest.Environment{
		CRDDirectoryPaths: []string{crds()}, ErrorIfCRDPathMissing: true,
		BinaryAssetsDirectory: folder, UseExistingCluster: &existing,
		ControlPlaneStartTimeout: patience, ControlPlaneStopTimeout: patience,
	}
	config, err := environment.Start()
	t.Cleanup(func() {
		if err := environment.Stop(); err != nil {
			t.Errorf("stop the API server: %v", err)
		}
	})
	if err != nil {
		return nil, fmt.Errorf("start the API server: %w", err)
	}
	direct, err := client.New(config, client.Options{Scheme: kinds(t)})
	if err != nil {
		return nil, fmt.Errorf("make a client of the API server: %w", err)
	}
	return &API{Name: "kube-apiserver", Config: config, Client: direct}, nil
}

// Namespace makes one.
func (a *API) Namespace(t *testing.T, name string) {
	t.Helper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
	if err := a.Client.Create(t.Context(), namespace); err != nil {
		t.Fatalf("make the namespace %s: %v", name, err)
	}
}

// Requests returns those of one namespace.
func (a *API) Requests(t *testing.T, namespace string) []v1alpha1.RemediationRequest {
	t.Helper()
	var list v1alpha1.RemediationRequestList
	if err := a.Client.List(t.Context(), &list, client.InNamespace(namespace)); err != nil {
		t.Fatalf("list the requests of %s: %v", namespace, err)
	}
	return list.Items
}

func kinds(t *testing.T) *apiruntime.Scheme {
	t.Helper()
	scheme := apiruntime.NewScheme()
	if err := errors.Join(v1alpha1.AddToScheme(scheme), corev1.AddToScheme(scheme)); err != nil {
		t.Fatal(err)
	}
	return scheme
}

// crds is the folder of the manifests that the clusters get, too.
func crds() string {
	_, here, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(here), "..", "..", "..", "manifests", "crds")
}
