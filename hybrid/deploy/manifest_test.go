package deploy

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// images are the references that tests deploy.
func images() map[string]string {
	return map[string]string{
		"hybrid.local/gateway":     "hybrid.local/gateway:k1",
		"hybrid.local/datastorage": "hybrid.local/datastorage:k2",
		"hybrid.local/redis":       "hybrid.local/redis:k3",
	}
}

func TestPrepareGolden(t *testing.T) {
	instrumented := map[string]string{"hybrid.local/gateway": "gateway/k1.r", "hybrid.local/datastorage": "datastorage/k2.r"}
	for golden, coverage := range map[string]map[string]string{"plain.yaml": nil, "coverage.yaml": instrumented} {
		t.Run(golden, func(t *testing.T) {
			objects, err := Load("testdata/overlay", "in.yaml")
			if err != nil {
				t.Fatal(err)
			}
			if err := prepare(objects, Options{Namespace: "kubernaut-system", Images: images(), Coverage: coverage}); err != nil {
				t.Fatal(err)
			}
			var docs []string
			for _, o := range objects {
				doc, err := yaml.Marshal(o.Object)
				if err != nil {
					t.Fatal(err)
				}
				docs = append(docs, string(doc))
			}
			got := strings.Join(docs, "---\n")
			file := filepath.Join("testdata/overlay", golden)
			if os.Getenv("UPDATE_GOLDEN") != "" {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("%s differs; UPDATE_GOLDEN=1 go test writes it anew. Got:\n%s", file, got)
			}
		})
	}
}

func TestDecodeMistakes(t *testing.T) {
	const good = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"
	tests := []struct{ name, data, want string }{
		{
			"unknown field", good + "---\napiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec: {prots: []}\n",
			`f.yaml: document 2: Service s: strict decoding error: unknown field "spec.prots"`,
		},
		{
			"doubled key", "apiVersion: v1\nkind: ConfigMap\nkind: Secret\nmetadata: {name: a}\n",
			`f.yaml: document 1: yaml: unmarshal errors:` + "\n" + `  line 3: key "kind" already set in map`,
		},
		{
			"wrong type", "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\nspec: {replicas: many}\n",
			`f.yaml: document 1: Deployment d: json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32`,
		},
		{
			"no kind", "apiVersion: v1\nmetadata: {name: a}\n",
			`f.yaml: document 1: Object 'Kind' is missing in '{"apiVersion":"v1","metadata":{"name":"a"}}'`,
		},
		{"no apiVersion", "kind: ConfigMap\nmetadata: {name: a}\n", `f.yaml: document 1: apiVersion is missing`},
		{"no name", "apiVersion: v1\nkind: ConfigMap\n", `f.yaml: document 1: ConfigMap: metadata.name is missing`},
		{
			"list", "apiVersion: v1\nkind: List\nitems: []\n",
			`f.yaml: document 1: List: write the objects as documents of their own, not as a list`,
		},
		{
			"not waited for", "apiVersion: batch/v1\nkind: Job\nmetadata: {name: j}\n",
			`f.yaml: document 1: Job j: Hybrid waits for Deployments only; make it one`,
		},
		{
			"two mistakes", "apiVersion: v1\nkind: ConfigMap\n---\nkind: ConfigMap\nmetadata: {name: a}\n",
			"f.yaml: document 1: ConfigMap: metadata.name is missing\nf.yaml: document 2: apiVersion is missing",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := Decode("f.yaml", []byte(tt.data)); err == nil || err.Error() != tt.want {
				t.Errorf("got  %v\nwant %s", err, tt.want)
			}
		})
	}
}

func TestDecodeCountsEmptyDocumentsAndLeavesUnknownKindsToTheServer(t *testing.T) {
	objects, err := Decode("f.yaml", []byte("# a\n---\n# b\n---\napiVersion: kubernaut.ai/v1alpha1\nkind: RemediationRequest\nmetadata: {name: r}\nspec: {any: 1}\n"))
	if err != nil || len(objects) != 1 {
		t.Fatalf("got %v, %v", objects, err)
	}
	if got, want := objects[0].String(), "RemediationRequest r (f.yaml, document 3)"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestLoad(t *testing.T) {
	write := func(t *testing.T, files map[string]string) string {
		dir := t.TempDir()
		for name, data := range files {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(data), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		return dir
	}
	const a = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: ns}\n"
	const b = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: b}\n"
	t.Run("files in order of names, others left alone", func(t *testing.T) {
		objects, err := Load(write(t, map[string]string{"2.yaml": a, "1.yml": b, "README.md": "{"}), ".")
		if err != nil || len(objects) != 2 || objects[0].File != "1.yml" || objects[1].File != "2.yaml" {
			t.Errorf("got %v, %v", objects, err)
		}
	})
	t.Run("the same object twice", func(t *testing.T) {
		_, err := Load(write(t, map[string]string{"1.yaml": a, "2.yaml": b + "---\n" + a}), ".")
		want := "ConfigMap ns/a (2.yaml, document 2) stands also in 1.yaml, document 1"
		if err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	})
	t.Run("nothing", func(t *testing.T) {
		if _, err := Load(write(t, nil), "."); err == nil || err.Error() != ". holds no manifest" {
			t.Errorf("got %v", err)
		}
	})
	t.Run("no such folder", func(t *testing.T) {
		if _, err := Load(write(t, nil), "gone"); !os.IsNotExist(unwrapAll(err)) {
			t.Errorf("got %v", err)
		}
	})
}

func unwrapAll(err error) error {
	for {
		inner, ok := err.(interface{ Unwrap() error })
		if !ok || inner.Unwrap() == nil {
			return err
		}
		if os.IsNotExist(err) {
			return err
		}
		err = inner.Unwrap()
	}
}

func TestCheck(t *testing.T) {
	dir := t.TempDir()
	deployment := func(image, policy string) string {
		return "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d, namespace: ns}\nspec:\n  template:\n    spec:\n" +
			"      containers:\n        - {name: c, image: '" + image + "', imagePullPolicy: '" + policy + "'}\n"
	}
	known := map[string]bool{"hybrid.local/gateway": true}
	for name, tt := range map[string]struct{ image, policy, want string }{
		"good":     {"hybrid.local/gateway", "Never", ""},
		"foreign":  {"docker.io/library/busybox:1", "", ""},
		"unknown":  {"hybrid.local/gatway", "Never", "container c: image hybrid.local/gatway is not among the images that are built"},
		"tagged":   {"hybrid.local/gateway:v1", "Never", "container c: image hybrid.local/gateway:v1 must be written without tag or digest; the content key is put there"},
		"pulled":   {"hybrid.local/gateway", "Always", `container c: imagePullPolicy of hybrid.local/gateway is "Always"; it must be Never, since no registry holds the image`},
		"defaults": {"hybrid.local/gateway", "", `container c: imagePullPolicy of hybrid.local/gateway is ""; it must be Never, since no registry holds the image`},
	} {
		t.Run(name, func(t *testing.T) {
			if err := os.WriteFile(filepath.Join(dir, "d.yaml"), []byte(deployment(tt.image, tt.policy)), 0o600); err != nil {
				t.Fatal(err)
			}
			got, want := "", tt.want
			if err := Check(dir, []string{"."}, known); err != nil {
				got = err.Error()
			}
			if want != "" {
				want = "Deployment ns/d (d.yaml, document 1): " + want
			}
			if got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		})
	}
}

func TestOverlayRefusesASecondSource(t *testing.T) {
	for name, tt := range map[string]struct{ extra, want string }{
		"env":    {"env: [{name: GOCOVERDIR, value: /tmp}]", "container c: env GOCOVERDIR is already there; coverage is added by the deployer, not by manifests"},
		"mount":  {"volumeMounts: [{name: x, mountPath: /coverdata}]", "container c: volumeMounts /coverdata is already there; coverage is added by the deployer, not by manifests"},
		"volume": {"}], volumes: [{name: coverdata, emptyDir: {}", "volumes coverdata is already there; coverage is added by the deployer, not by manifests"},
	} {
		t.Run(name, func(t *testing.T) {
			objects, err := Decode("d.yaml", []byte("{apiVersion: apps/v1, kind: Deployment, metadata: {name: d}, spec: {template: {spec: {"+
				"containers: [{name: c, image: i, "+tt.extra+"}]}}}}"))
			if err != nil {
				t.Fatal(err)
			}
			err = overlay(objects[0], Options{Coverage: map[string]string{"i": "i/1"}})
			if want := "Deployment d (d.yaml, document 1): " + tt.want; err == nil || err.Error() != want {
				t.Errorf("got  %v\nwant %s", err, want)
			}
		})
	}
}

// The repository's own manifests must pass their own check.
func TestManifestsOfTheRepository(t *testing.T) {
	folders, err := filepath.Glob("../../manifests/*")
	if err != nil || len(folders) == 0 {
		t.Fatalf("no manifests: %v", err)
	}
	known := map[string]bool{
		"hybrid.local/gateway": true, "hybrid.local/datastorage": true,
		"hybrid.local/postgresql": true, "hybrid.local/redis": true, "hybrid.local/alertmanager": true,
		"hybrid.local/signalprocessing": true,
	}
	if err := Check(".", folders, known); err != nil {
		t.Error(err)
	}
}

func FuzzDecode(f *testing.F) {
	seed, err := os.ReadFile("testdata/overlay/in.yaml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	f.Add([]byte("a: &a [*a]\n---\n- 1\n---\n\"x\"\n"))
	f.Add([]byte("apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\nspec: {template: {spec: {containers: [1]}}}\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		objects, _ := Decode("f.yaml", data)
		for _, o := range objects {
			if o.GetKind() == "" || o.GetName() == "" || o.GetAPIVersion() == "" || o.Document < 1 {
				t.Errorf("an object without identity came through: %v", o)
			}
		}
		// Whatever was let in must be possible to prepare.
		_ = prepare(objects, Options{Namespace: "n", Coverage: map[string]string{"hybrid.local/gateway": "gateway/1"}})
	})
}
