package cluster

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	dynamicfake "k8s.io/client-go/dynamic/fake"
	kubetesting "k8s.io/client-go/testing"
)

const network = `# would you kindly template this file
# would you kindly patch this file
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: kindnet, namespace: kube-system}
---
# nothing here
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: kindnet, namespace: kube-system}
spec:
  template:
    spec:
      containers:
      - name: c
        env: [{name: POD_SUBNET, value: "{{ .PodSubnet }}"}]
`

const storage = "apiVersion: storage.k8s.io/v1\nkind: StorageClass\nmetadata: {name: standard}\n"

func TestManifests(t *testing.T) {
	objects, err := manifests([]byte(network), []byte(storage), "a-control-plane:6443")
	if err != nil {
		t.Fatal(err)
	}
	var kinds []string
	for _, o := range objects {
		kinds = append(kinds, o.GetKind()+" "+o.GetName())
	}
	same(t, "objects", kinds, []string{"ServiceAccount kindnet", "DaemonSet kindnet", "StorageClass standard"})
	containers, _, _ := unstructured.NestedSlice(objects[1].Object, "spec", "template", "spec", "containers")
	want := []any{map[string]any{"name": "c", "env": []any{
		map[string]any{"name": "POD_SUBNET", "value": "10.244.0.0/16"},
		map[string]any{"name": "CONTROL_PLANE_ENDPOINT", "value": "a-control-plane:6443"},
	}}}
	if !reflect.DeepEqual(containers, want) {
		t.Errorf("containers %v, want %v", containers, want)
	}
	plain := strings.ReplaceAll(network, "would you kindly", "do not")
	if objects, err = manifests([]byte(plain), nil, "x"); err != nil || len(objects) != 2 {
		t.Fatal(objects, err)
	}
	containers, _, _ = unstructured.NestedSlice(objects[1].Object, "spec", "template", "spec", "containers")
	want = []any{map[string]any{"name": "c", "env": []any{map[string]any{"name": "POD_SUBNET", "value": "{{ .PodSubnet }}"}}}}
	if !reflect.DeepEqual(containers, want) {
		t.Errorf("containers %v, want %v", containers, want)
	}
}

// TestKindsManifests reads the manifests that kind builds into its node images, from the
// sources of the version that is used.
func TestKindsManifests(t *testing.T) {
	dir, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "sigs.k8s.io/kind").Output()
	if err != nil {
		t.Fatal(err)
	}
	text := map[string][]byte{}
	for _, name := range []string{"const_cni.go", "const_storage.go"} {
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(strings.TrimSpace(string(dir)), "pkg", "build", "nodeimage", name), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if constant, ok := n.(*ast.ValueSpec); ok && len(constant.Values) == 1 {
				text[constant.Names[0].Name] = literal(constant.Values[0])
			}
			return true
		})
	}
	objects, err := manifests(text["defaultCNIManifest"], text["defaultStorageManifest"], "a-control-plane:6443")
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for _, o := range objects {
		all, err := o.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		found[o.GetKind()+" "+o.GetName()] = string(all)
	}
	for _, want := range []string{podSubnet, "a-control-plane:6443"} {
		if !strings.Contains(found["DaemonSet kindnet"], want) {
			t.Errorf("the pod network is not told %s: %s", want, found["DaemonSet kindnet"])
		}
	}
	if found["StorageClass standard"] == "" {
		t.Errorf("no storage class among %v", found)
	}
}

// literal is the text of a constant; names in it stand for themselves.
func literal(value ast.Expr) []byte {
	var text []byte
	ast.Inspect(value, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.BasicLit:
			text = append(text, strings.Trim(n.Value, "`\"")...)
		case *ast.Ident:
			text = append(text, n.Name...)
		}
		return true
	})
	return text
}

func TestManifestsThatAreBroken(t *testing.T) {
	for text, want := range map[string]string{
		"# would you kindly template this file {{": "fill in the manifest of the pod network: ",
		"a: [": "read the manifest of the pod network: ",
		"# would you kindly patch this file\nkind: DaemonSet":          "add the API server to DaemonSet of the pod network: it has no container",
		"# would you kindly patch this file\nkind: DaemonSet\nspec: 1": "add the API server to DaemonSet of the pod network: ",
	} {
		if _, err := manifests([]byte(text), nil, "x"); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
	if _, err := manifests(nil, []byte("a: ["), "x"); err == nil || !strings.HasPrefix(err.Error(), "read the manifest of the storage class: ") {
		t.Errorf("storage: %v", err)
	}
}

// mapping knows kinds only after it was reset.
type mapping struct {
	meta.RESTMapper
	resets atomic.Int64
}

func (m *mapping) Reset() { m.resets.Add(1) }

func (m *mapping) RESTMapping(kind schema.GroupKind, versions ...string) (*meta.RESTMapping, error) {
	if m.resets.Load() == 0 {
		return nil, &meta.NoKindMatchError{GroupKind: kind}
	}
	return m.RESTMapper.RESTMapping(kind, versions...)
}

func TestCreateAll(t *testing.T) {
	accounts := schema.GroupVersionKind{Version: "v1", Kind: "ServiceAccount"}
	classes := schema.GroupVersionKind{Group: "storage.k8s.io", Version: "v1", Kind: "StorageClass"}
	mapper := meta.NewDefaultRESTMapper(nil)
	mapper.Add(accounts, meta.RESTScopeNamespace)
	mapper.Add(classes, meta.RESTScopeRoot)
	m := &mapping{RESTMapper: mapper}
	account := func(name string) *unstructured.Unstructured {
		o := &unstructured.Unstructured{}
		o.SetGroupVersionKind(accounts)
		o.SetNamespace("kube-system")
		o.SetName(name)
		return o
	}
	client := dynamicfake.NewSimpleDynamicClient(runtime.NewScheme(), account("there"))
	var mu sync.Mutex
	tries := map[string]int{}
	client.PrependReactor("create", "serviceaccounts", func(a kubetesting.Action) (bool, runtime.Object, error) {
		o, ok := a.(kubetesting.CreateAction).GetObject().(*unstructured.Unstructured)
		if !ok {
			t.Fatalf("%T is created", a)
		}
		mu.Lock()
		defer mu.Unlock()
		tries[o.GetName()]++
		switch {
		case o.GetName() == "refused":
			return true, nil, apierrors.NewBadRequest("no")
		case o.GetName() == "early" && tries["early"] == 1:
			return true, nil, apierrors.NewNotFound(schema.GroupResource{Resource: "namespaces"}, "kube-system")
		}
		return false, nil, nil
	})
	// Kind's own has a namespace, which its kind does not have.
	class := account("class")
	class.SetGroupVersionKind(classes)
	c := &creator{client, m}
	if err := c.createAll(t.Context(), []*unstructured.Unstructured{account("there"), account("early"), class}); err != nil {
		t.Fatal(err)
	}
	if want := map[string]int{"there": 1, "early": 2}; !reflect.DeepEqual(tries, want) || m.resets.Load() == 0 {
		t.Errorf("tries %v, want %v; %d resets", tries, want, m.resets.Load())
	}
	made, err := client.Resource(classes.GroupVersion().WithResource("storageclasses")).Get(t.Context(), "class", metav1.GetOptions{})
	if err != nil || made.GetNamespace() != "" {
		t.Errorf("storage class %v, %v", made, err)
	}
	err = c.createAll(t.Context(), []*unstructured.Unstructured{account("refused")})
	if want := "create ServiceAccount refused: no"; err == nil || err.Error() != want {
		t.Errorf("error %v, want %q", err, want)
	}
}
