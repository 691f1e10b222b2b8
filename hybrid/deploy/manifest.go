package deploy

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer/json"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/yaml"
)

// Object is one Kubernetes object as a manifest states it.
type Object struct {
	*unstructured.Unstructured
	// File is where it stands, as given to Load or Decode.
	File string
	// Document is its position in the file; the first is 1. Documents that hold
	// only comments count, those without a single line do not.
	Document int
}

// String names the object and its place, as errors show it.
func (o Object) String() string {
	return fmt.Sprintf("%s (%s, document %d)", o.title(), o.File, o.Document)
}

// title is "Kind namespace/name", or "Kind name" without a namespace.
func (o Object) title() string {
	return title(o.GetKind(), o.GetNamespace(), o.GetName())
}

func title(kind, namespace, name string) string {
	if namespace == "" {
		return kind + " " + name
	}
	return kind + " " + namespace + "/" + name
}

// unsupported are the kinds that start pods but whose readiness Hybrid does not
// judge. Applying one and not waiting for it would let specs run too early, so
// they are refused when the manifest is read.
//
//nolint:gochecknoglobals // A table that nothing writes to.
var unsupported = []string{"StatefulSet", "DaemonSet", "ReplicaSet", "ReplicationController", "Job", "CronJob", "Pod"}

// Load decodes all .yaml and .yml files of a folder in the order of their
// names, or one file. The path is relative to root, and the objects' File too.
// Every mistake of every file is reported, joined. A folder without a manifest
// and an object that stands there twice are mistakes.
func Load(root, path string) ([]Object, error) {
	files, err := manifests(root, path)
	if err != nil {
		return nil, err
	}
	var (
		objects []Object
		errs    []error
	)
	for _, file := range files {
		data, err := os.ReadFile(filepath.Join(root, file))
		if err != nil {
			errs = append(errs, fmt.Errorf("read the manifest: %w", err))
			continue
		}
		found, err := Decode(file, data)
		if err != nil {
			errs = append(errs, err)
		}
		objects = append(objects, found...)
	}
	seen := map[string]Object{}
	for _, o := range objects {
		key := o.GroupVersionKind().GroupKind().String() + " " + o.GetNamespace() + "/" + o.GetName()
		if first, twice := seen[key]; twice {
			errs = append(errs, fmt.Errorf("%s stands also in %s, document %d", o, first.File, first.Document))
		}
		seen[key] = o
	}
	if len(errs) == 0 && len(objects) == 0 {
		errs = append(errs, fmt.Errorf("%s holds no manifest", path))
	}
	return objects, errors.Join(errs...)
}

// manifests lists the manifest files that path stands for, relative to root.
func manifests(root, path string) ([]string, error) {
	info, err := os.Stat(filepath.Join(root, path))
	if err != nil {
		return nil, fmt.Errorf("find the manifests: %w", err)
	}
	if !info.IsDir() {
		return []string{path}, nil
	}
	entries, err := os.ReadDir(filepath.Join(root, path))
	if err != nil {
		return nil, fmt.Errorf("list the manifests: %w", err)
	}
	var files []string
	for _, e := range entries {
		if ext := filepath.Ext(e.Name()); !e.IsDir() && (ext == ".yaml" || ext == ".yml") {
			files = append(files, filepath.Join(path, e.Name()))
		}
	}
	return files, nil
}

// Decode reads the documents of one YAML file strictly: doubled keys, fields
// that a built-in kind does not have, values of the wrong type, and objects
// without apiVersion, kind or name are errors that name file and document.
// Documents without content are skipped. The good documents are returned beside
// the error, which joins the mistakes of the others.
func Decode(file string, data []byte) ([]Object, error) {
	var (
		objects []Object
		errs    []error
	)
	reader := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(data)))
	for n := 1; ; n++ {
		doc, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return objects, errors.Join(errs...)
		}
		if err != nil {
			return objects, errors.Join(append(errs, fmt.Errorf("%s: document %d: %w", file, n, err))...)
		}
		object, err := decodeDocument(doc)
		switch {
		case err != nil:
			errs = append(errs, fmt.Errorf("%s: document %d: %w", file, n, err))
		case object != nil:
			objects = append(objects, Object{Unstructured: object, File: file, Document: n})
		}
	}
}

// decodeDocument gives nil for a document that holds nothing but comments.
func decodeDocument(doc []byte) (*unstructured.Unstructured, error) {
	raw, err := yaml.YAMLToJSONStrict(doc)
	if err != nil {
		return nil, err
	}
	if string(raw) == "null" {
		return nil, nil
	}
	object := &unstructured.Unstructured{}
	if err := object.UnmarshalJSON(raw); err != nil {
		return nil, err
	}
	switch kind := object.GetKind(); {
	case object.GetAPIVersion() == "":
		return nil, errors.New("apiVersion is missing")
	case object.IsList():
		return nil, fmt.Errorf("%s: write the objects as documents of their own, not as a list", kind)
	case object.GetName() == "":
		return nil, fmt.Errorf("%s: metadata.name is missing", kind)
	case slices.Contains(unsupported, kind):
		return nil, fmt.Errorf("%s %s: Hybrid waits for Deployments only; make it one", kind, object.GetName())
	}
	if err := checkFields(raw); err != nil {
		return nil, fmt.Errorf("%s %s: %w", object.GetKind(), object.GetName(), err)
	}
	return object, nil
}

// checkFields decodes into the Go type of a built-in kind, which finds unknown
// fields and wrong types without a cluster. Other kinds are left to the API
// server, which is asked for the same strictness when they are applied.
func checkFields(raw []byte) error {
	strict := json.NewSerializerWithOptions(json.DefaultMetaFactory, scheme.Scheme, scheme.Scheme,
		json.SerializerOptions{Strict: true})
	_, _, err := strict.Decode(raw, nil, nil)
	if runtime.IsNotRegisteredError(err) {
		return nil
	}
	return err
}
