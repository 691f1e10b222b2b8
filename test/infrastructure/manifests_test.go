package infrastructure

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"

	"github.com/hybrid-e2e/hybrid/hybrid"
)

// repository is the root of the repository as tests of this package see it.
const repository = "../.."

// manifests are the parsed objects of a suite that its declaration speaks about.
type manifests struct {
	deployments map[string]appsv1.Deployment
	services    map[string]corev1.Service
	namespaces  map[string]corev1.Namespace
	configs     map[string]corev1.ConfigMap
	// secrets are the names of Secret objects written down in a manifest.
	secrets []string
}

// readManifests parses every YAML document below the folders of the suite.
func readManifests(t *testing.T, suite hybrid.Suite) manifests {
	t.Helper()
	m := manifests{
		deployments: map[string]appsv1.Deployment{},
		services:    map[string]corev1.Service{},
		namespaces:  map[string]corev1.Namespace{},
		configs:     map[string]corev1.ConfigMap{},
	}
	folders := append([]string{}, suite.Setup...)
	for _, w := range suite.Workloads {
		folders = append(folders, w.Manifests)
	}
	for _, folder := range folders {
		files, err := filepath.Glob(filepath.Join(repository, folder, "*.yaml"))
		if err != nil {
			t.Fatal(err)
		}
		if len(files) == 0 {
			t.Errorf("%s holds no manifest", folder)
		}
		for _, file := range files {
			m.readFile(t, file)
		}
	}
	return m
}

func (m *manifests) readFile(t *testing.T, file string) {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	documents := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(content)))
	for {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		m.add(t, file, document)
	}
}

func (m *manifests) add(t *testing.T, file string, document []byte) {
	t.Helper()
	var object metav1.PartialObjectMetadata
	if err := yaml.Unmarshal(document, &object); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	switch object.Kind {
	case "Deployment":
		m.deployments[object.Name] = strict[appsv1.Deployment](t, file, document)
	case "Service":
		m.services[object.Name] = strict[corev1.Service](t, file, document)
	case "Namespace":
		m.namespaces[object.Name] = strict[corev1.Namespace](t, file, document)
	case "ConfigMap":
		m.configs[object.Name] = strict[corev1.ConfigMap](t, file, document)
	case "Secret":
		m.secrets = append(m.secrets, object.Name)
	}
}

// strict decodes document and refuses fields that the type does not have, which
// the API server would drop with a warning that nobody reads.
func strict[T any](t *testing.T, file string, document []byte) T {
	t.Helper()
	var object T
	if err := yaml.UnmarshalStrict(document, &object); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return object
}
