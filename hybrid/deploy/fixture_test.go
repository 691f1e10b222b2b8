package deploy

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	dynamicfake "k8s.io/client-go/dynamic/fake"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/kubernetes/scheme"
	clienttesting "k8s.io/client-go/testing"
)

const testNamespace = "ns"

// cluster is a Kubernetes that exists only as client-go's fakes: what is applied
// is recorded, and the test plays the controllers.
type cluster struct {
	t       *testing.T
	typed   *fake.Clientset
	dynamic *dynamicfake.FakeDynamicClient
	mapper  *staticMapper
	root    string

	mu      sync.Mutex
	applied []string
	// onApply is called for every applied object, before the answer; an error
	// is the answer.
	onApply func(*unstructured.Unstructured) error
}

type staticMapper struct {
	meta.RESTMapper
	mu     sync.Mutex
	resets int
}

func (m *staticMapper) Reset() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.resets++
}

func newCluster(t *testing.T) *cluster {
	crd := schema.GroupVersionKind{Group: "apiextensions.k8s.io", Version: "v1", Kind: "CustomResourceDefinition"}
	mapper := meta.NewDefaultRESTMapper(nil)
	mapper.Add(crd, meta.RESTScopeRoot)
	mapper.Add(corev1.SchemeGroupVersion.WithKind("Namespace"), meta.RESTScopeRoot)
	for _, kind := range []string{"ConfigMap", "Service"} {
		mapper.Add(corev1.SchemeGroupVersion.WithKind(kind), meta.RESTScopeNamespace)
	}
	mapper.Add(appsv1.SchemeGroupVersion.WithKind("Deployment"), meta.RESTScopeNamespace)
	c := &cluster{
		t:     t,
		typed: fake.NewClientset(),
		dynamic: dynamicfake.NewSimpleDynamicClientWithCustomListKinds(scheme.Scheme, map[schema.GroupVersionResource]string{
			crd.GroupVersion().WithResource("customresourcedefinitions"): "CustomResourceDefinitionList",
			{Group: "kubernaut.ai", Version: "v1", Resource: "rs"}:       "RList",
		}),
		mapper: &staticMapper{RESTMapper: mapper},
		root:   t.TempDir(),
	}
	c.dynamic.PrependReactor("patch", "*", c.patch)
	return c
}

// deployer has images and coverage as given by the options; the rest is set.
func (c *cluster) deployer(o Options) *Deployer {
	o.Root, o.Namespace, o.Kubeconfig = c.root, testNamespace, "/kc"
	if o.Images == nil {
		o.Images = images()
	}
	return assemble(o, c.typed, c.dynamic, c.mapper)
}

// file writes a manifest below the root.
func (c *cluster) file(name, data string) {
	c.t.Helper()
	path := filepath.Join(c.root, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		c.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(data), 0o600); err != nil {
		c.t.Fatal(err)
	}
}

// patch answers server-side apply.
func (c *cluster) patch(action clienttesting.Action) (bool, runtime.Object, error) {
	p := action.(clienttesting.PatchActionImpl)
	if o := p.PatchOptions; p.GetPatchType() != types.ApplyPatchType || o.FieldManager != "hybrid" || o.Force == nil || !*o.Force || o.FieldValidation != "Strict" {
		c.t.Errorf("%s was not applied server-side by hybrid, forced and strict: %s %+v", p.GetName(), p.GetPatchType(), o)
	}
	u := &unstructured.Unstructured{}
	if err := json.Unmarshal(p.GetPatch(), &u.Object); err != nil {
		return true, nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.applied = append(c.applied, title(u.GetKind(), u.GetNamespace(), u.GetName()))
	if u.GetKind() == "Deployment" {
		u.SetUID("d1")
		u.SetGeneration(1)
	}
	if c.onApply != nil {
		if err := c.onApply(u); err != nil {
			return true, nil, err
		}
	}
	return true, u, nil
}

// appliedObjects lists them in the order in which they came.
func (c *cluster) appliedObjects() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.applied)
}

// put stores typed objects, new or changed.
func (c *cluster) put(objects ...runtime.Object) {
	c.t.Helper()
	for _, o := range objects {
		gvks, _, err := scheme.Scheme.ObjectKinds(o)
		if err != nil {
			c.t.Fatal(err)
		}
		gvr, _ := meta.UnsafeGuessKindToResource(gvks[0])
		accessor, _ := meta.Accessor(o)
		if err := c.typed.Tracker().Create(gvr, o, accessor.GetNamespace()); err == nil {
			continue
		}
		if err := c.typed.Tracker().Update(gvr, o, accessor.GetNamespace()); err != nil {
			c.t.Fatal(err)
		}
	}
}

func (c *cluster) remove(resource, name string) {
	c.t.Helper()
	if err := c.typed.Tracker().Delete(corev1.SchemeGroupVersion.WithResource(resource), testNamespace, name); err != nil {
		c.t.Fatal(err)
	}
}

// deployment is the Deployment "gateway" with its controller's status: one
// replica wanted, ready of it available.
func deployment(ready int32) *appsv1.Deployment {
	one := int32(1)
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{
			Name: "gateway", Namespace: testNamespace, UID: "d1", Generation: 1,
			Annotations: map[string]string{revisionAnnotation: "2"},
		},
		Spec: appsv1.DeploymentSpec{Replicas: &one, Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "gateway"}}},
		Status: appsv1.DeploymentStatus{
			ObservedGeneration: 1, Replicas: 1, UpdatedReplicas: 1, AvailableReplicas: ready, ReadyReplicas: ready,
		},
	}
}

func controlledBy(kind, name string, uid types.UID) []metav1.OwnerReference {
	yes := true
	return []metav1.OwnerReference{{Kind: kind, Name: name, UID: uid, Controller: &yes}}
}

// replicaSet is of the given revision of the Deployment.
func replicaSet(name, revision string) *appsv1.ReplicaSet {
	return &appsv1.ReplicaSet{ObjectMeta: metav1.ObjectMeta{
		Name: name, Namespace: testNamespace, UID: types.UID(name), Annotations: map[string]string{revisionAnnotation: revision},
		OwnerReferences: controlledBy("Deployment", "gateway", "d1"),
	}}
}

// pod belongs to a ReplicaSet; its one container is called "gateway".
func pod(name, set string, phase corev1.PodPhase, status corev1.ContainerStatus) *corev1.Pod {
	status.Name = "gateway"
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name: name, Namespace: testNamespace, UID: types.UID(name), Labels: map[string]string{"app": "gateway"},
			OwnerReferences: controlledBy("ReplicaSet", set, types.UID(set)),
		},
		Spec:   corev1.PodSpec{NodeName: "node-1"},
		Status: corev1.PodStatus{Phase: phase, ContainerStatuses: []corev1.ContainerStatus{status}},
	}
}

func waiting(reason, message string) corev1.ContainerStatus {
	return corev1.ContainerStatus{State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}}}
}

func running(ready bool) corev1.ContainerStatus {
	return corev1.ContainerStatus{Ready: ready, State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}}
}

// endpoint is the slice of Service "gateway" with one address of a pod.
func endpoint(pod string, ready bool) *discoveryv1.EndpointSlice {
	return &discoveryv1.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{Name: "gateway-1", Namespace: testNamespace, Labels: map[string]string{discoveryv1.LabelServiceName: "gateway"}},
		Endpoints: []discoveryv1.Endpoint{{
			Addresses: []string{"10.0.0.1"}, Conditions: discoveryv1.EndpointConditions{Ready: &ready},
			TargetRef: &corev1.ObjectReference{Kind: "Pod", Name: pod},
		}},
	}
}

func event(object types.UID, reason, message string) *corev1.Event {
	return &corev1.Event{
		ObjectMeta:     metav1.ObjectMeta{Name: string(object) + reason, Namespace: testNamespace},
		InvolvedObject: corev1.ObjectReference{UID: object}, Type: "Warning", Reason: reason, Message: message, Count: 2,
	}
}
