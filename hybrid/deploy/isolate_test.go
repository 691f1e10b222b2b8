package deploy

import (
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	clienttesting "k8s.io/client-go/testing"
	"sigs.k8s.io/yaml"
)

const isolated = `apiVersion: v1
kind: Namespace
metadata: {name: sys}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: things.example.com}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: gate, labels: {part-of: sys}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: gate}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: gate}
subjects:
  - {kind: ServiceAccount, name: gate, namespace: sys}
  - {kind: ServiceAccount, name: prometheus, namespace: monitoring}
  - {kind: Group, name: sys}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: see, namespace: sys}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view}
subjects: [{kind: ServiceAccount, name: gate, namespace: sys}]
---
apiVersion: v1
kind: Service
metadata: {name: gate, namespace: sys}
spec:
  type: NodePort
  ports: [{name: http, port: 8080, nodePort: 30080}]
---
apiVersion: v1
kind: ConfigMap
metadata: {name: config, namespace: sys}
data:
  config.yaml: "fallback: sys\nurl: http://store.sys.svc:8080\nsystem: sys-tem my_sys\n"
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: gate, namespace: sys}
spec:
  selector: {matchLabels: {app: sys}}
  template:
    metadata: {labels: {app: sys}}
    spec:
      containers:
        - name: sys
          image: example.com/sys
          args: ["--namespace=sys"]
          env: [{name: STORE, value: store.sys}]
`

func TestIsolate(t *testing.T) {
	objects, err := Decode("in.yaml", []byte(isolated))
	if err != nil {
		t.Fatal(err)
	}
	i, err := Isolate("r1", objects)
	if err != nil {
		t.Fatal(err)
	}
	if got, other := i.Namespace("sys"), i.Namespace("default"); got != "sys-r1" || other != "default" {
		t.Errorf("namespaces %s, %s", got, other)
	}
	want := strings.NewReplacer(
		"kind: Namespace\nmetadata: {name: sys}", "kind: Namespace\nmetadata: {name: sys-r1, labels: {hybrid.local/run: r1}}",
		"{name: gate, labels: {part-of: sys}}", "{name: gate-r1, labels: {part-of: sys, hybrid.local/run: r1}}",
		"kind: ClusterRoleBinding\nmetadata: {name: gate}", "kind: ClusterRoleBinding\nmetadata: {name: gate-r1, labels: {hybrid.local/run: r1}}",
		"kind: ClusterRole, name: gate}", "kind: ClusterRole, name: gate-r1}",
		"name: gate, namespace: sys}\n  - {kind", "name: gate, namespace: sys-r1}\n  - {kind",
		"name: gate, namespace: sys}]", "name: gate, namespace: sys-r1}]",
		", namespace: sys}", ", namespace: sys-r1, labels: {hybrid.local/run: r1}}",
		", nodePort: 30080", "",
		"fallback: sys", "fallback: sys-r1", "store.sys", "store.sys-r1", "--namespace=sys", "--namespace=sys-r1",
	).Replace(isolated)
	documents := strings.Split(want, "---\n")
	for k, o := range objects {
		i.Apply(o)
		var expected map[string]any
		if err := yaml.Unmarshal([]byte(documents[k]), &expected); err != nil {
			t.Fatal(err)
		}
		got, err := yaml.Marshal(o.Object)
		if err != nil {
			t.Fatal(err)
		}
		wanted, err := yaml.Marshal(expected)
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != string(wanted) {
			t.Errorf("%s is\n%s\nwant\n%s", o, got, wanted)
		}
	}
}

// The suites' own manifests can be isolated: none would touch what is not the run's.
func TestIsolateTakesTheProjectsManifests(t *testing.T) {
	var objects []Object
	for _, folder := range []string{"namespaces", "crds", "postgresql", "redis", "datastorage", "gateway", "alertmanager"} {
		found, err := Load("../..", "manifests/"+folder)
		if err != nil {
			t.Fatal(err)
		}
		objects = append(objects, found...)
	}
	i, err := Isolate("r1", objects)
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range objects {
		i.Apply(o)
		text, err := yaml.Marshal(o.Object)
		if err != nil {
			t.Fatal(err)
		}
		if got := replaceLabel(string(text), "kubernaut-system", "?"); got != string(text) {
			t.Errorf("%s still speaks of the namespace that it was written for:\n%s", o, got)
		}
	}
}

func TestIsolateRefuses(t *testing.T) {
	const namespace = "apiVersion: v1\nkind: Namespace\nmetadata: {name: sys}\n---\n"
	for _, c := range []struct{ name, run, in, want string }{
		{"a run id that no name can end with", "R 1", namespace, `the run id "R 1": `},
		{"a name too long", strings.Repeat("r", 60), namespace, "Namespace sys (in.yaml, document 1): with the run id it would be sys-"},
		{
			"no namespace", "r1", namespace + "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n",
			"ConfigMap a (in.yaml, document 2): it names no namespace, so that nothing keeps it apart from other runs",
		},
		{
			"a foreign namespace", "r1", namespace + "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: kube-system}\n",
			"ConfigMap kube-system/a (in.yaml, document 2): the suite does not make its namespace, and may not write to those of others",
		},
	} {
		objects, err := Decode("in.yaml", []byte(c.in))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Isolate(c.run, objects); err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %s", c.name, err, c.want)
		}
	}
}

func TestReplaceLabel(t *testing.T) {
	got := []string{}
	for _, text := range []string{"", "a", "ab a-b a_b ba", "a.a:a", "aa", "x.a.svc"} {
		got = append(got, replaceLabel(text, "a", "Z"))
	}
	if want := []string{"", "Z", "ab a-b a_b ba", "Z.Z:Z", "aa", "x.Z.svc"}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestDeployerIsolates(t *testing.T) {
	c := newCluster(t)
	c.file("setup.yaml", namespaceManifest)
	c.file("pods.yaml", `apiVersion: apps/v1
kind: Deployment
metadata: {name: gateway, namespace: ns}
spec:
  selector: {matchLabels: {app: gateway}}
  template:
    metadata: {labels: {app: gateway}}
    spec:
      containers: [{name: gateway, image: hybrid.local/gateway, imagePullPolicy: Never}, {name: redis, image: hybrid.local/redis, imagePullPolicy: Never}]
`)
	setup, err := Load(c.root, "setup.yaml")
	if err != nil {
		t.Fatal(err)
	}
	isolation, err := Isolate("r1", setup)
	if err != nil {
		t.Fatal(err)
	}
	pushed := "registry.example.com/gateway@sha256:" + strings.Repeat("a", 64)
	d := c.deployer(Options{Isolation: isolation, Images: map[string]string{"hybrid.local/gateway": pushed, "hybrid.local/redis": "hybrid.local/redis:k3"}})
	objects, err := Load(c.root, "pods.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if err := d.applyAll(t.Context(), io.Discard, objects); err != nil {
		t.Fatal(err)
	}
	if got, want := c.appliedObjects(), []string{"Deployment ns-r1/gateway"}; !reflect.DeepEqual(got, want) {
		t.Errorf("applied %q, want %q", got, want)
	}
	var got [][2]any
	for _, container := range containers(objects[0]) {
		got = append(got, [2]any{container["image"], container["imagePullPolicy"]})
	}
	if want := [][2]any{{pushed, "IfNotPresent"}, {"hybrid.local/redis:k3", "Never"}}; !reflect.DeepEqual(got, want) {
		t.Errorf("images %v, want %v", got, want)
	}
	if err := d.Secret(t.Context(), "auth", nil, []string{"password"}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.typed.CoreV1().Secrets("ns-r1").Get(t.Context(), "auth", metav1.GetOptions{}); err != nil {
		t.Errorf("the secret is not in the run's namespace: %v", err)
	}
}

func TestIsolatedRunLeavesCRDsAsTheyAre(t *testing.T) {
	const of = "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: rs.kubernaut.ai}\nspec: {group: "
	for _, c := range []struct{ name, present, want string }{
		{"none", "", ""},
		{"the same", "kubernaut.ai", ""},
		{"another", "example.com", "CustomResourceDefinition rs.kubernaut.ai (crd.yaml, document 1) differs from the one that the cluster has, which stays as it is"},
	} {
		t.Run(c.name, func(t *testing.T) {
			fake := newCluster(t)
			fake.file("crd.yaml", of+"kubernaut.ai}\n")
			if c.present != "" {
				there, err := Decode("there.yaml", []byte(of+c.present+"}\n"))
				if err != nil {
					t.Fatal(err)
				}
				fake.store(there[0].Unstructured, established("True"))
			}
			isolation, err := Isolate("r1", nil)
			if err != nil {
				t.Fatal(err)
			}
			d := fake.deployer(Options{Isolation: isolation})
			wet := 0
			fake.dynamic.PrependReactor("patch", "*", func(a clienttesting.Action) (bool, runtime.Object, error) {
				if len(a.(clienttesting.PatchActionImpl).PatchOptions.DryRun) == 0 {
					wet++
				}
				return false, nil, nil
			})
			fake.onApply = func(u *unstructured.Unstructured) error {
				u.Object["status"] = established("True")
				return nil
			}
			err = d.Setup(t.Context(), nil, "crd.yaml")
			if got := fmt.Sprint(err); c.want == "" && err != nil || c.want != "" && got != c.want {
				t.Errorf("error %v, want %q", err, c.want)
			}
			if want := map[bool]int{true: 1}[c.present == ""]; wet != want {
				t.Errorf("applied %d times, want %d", wet, want)
			}
		})
	}
}
