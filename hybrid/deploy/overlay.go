package deploy

import (
	"fmt"
	"path"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/hybrid-e2e/hybrid/hybrid/coverage"
)

const (
	// coverageVolume names the volume that the overlay adds.
	coverageVolume = "coverdata"
	// coverageEnv tells an instrumented Go program where its data goes.
	coverageEnv = "GOCOVERDIR"
	// enforceLabel is the Pod Security level that a namespace refuses below.
	enforceLabel = "pod-security.kubernetes.io/enforce"
)

// overlay makes a Deployment of instrumented images write its coverage data to
// the node: GOCOVERDIR, a hostPath volume of its own and the mount. The keys of
// instrumented are image names without tag, the values folders below coverage.Path.
// Other objects stay as they are. A manifest that already speaks of coverage is an
// error, because then there would be two sources.
func overlay(o Object, instrumented map[string]string) error {
	delivery := ""
	for _, c := range containers(o) {
		name, _ := c["image"].(string)
		folder := instrumented[name]
		if folder == "" {
			continue
		}
		if err := appendNamed(c, "env", "name", map[string]any{"name": coverageEnv, "value": coverage.Path}); err != nil {
			return fmt.Errorf("%s: container %v: %w", o, c["name"], err)
		}
		mount := map[string]any{"name": coverageVolume, "mountPath": coverage.Path}
		if err := appendNamed(c, "volumeMounts", "mountPath", mount); err != nil {
			return fmt.Errorf("%s: container %v: %w", o, c["name"], err)
		}
		// One of several images in a pod decides: the one that the Deployment is named after.
		if delivery == "" || path.Base(name) == o.GetName() {
			delivery = folder
		}
	}
	if delivery == "" {
		return nil
	}
	// Type Directory: the folder is made on the node, with a
	// mode that the service's user can write to, before the cluster starts;
	// kubelet would make it for root only, and the data would be lost silently.
	volume := map[string]any{
		"name":     coverageVolume,
		"hostPath": map[string]any{"path": path.Join(coverage.Path, delivery), "type": "Directory"},
	}
	if err := appendNamed(podSpec(o), "volumes", "name", volume); err != nil {
		return fmt.Errorf("%s: %w", o, err)
	}
	return nil
}

// relax lets pods with a hostPath volume into a namespace: every Pod Security
// level but "privileged" refuses them. The levels for warnings and audit stay,
// so that a pod that needs more than the overlay gives still shows.
func relax(o Object) {
	if o.GetKind() != "Namespace" {
		return
	}
	if _, found := o.GetLabels()[enforceLabel]; found {
		_ = unstructured.SetNestedField(o.Object, "privileged", "metadata", "labels", enforceLabel)
	}
}

// appendNamed appends item to the list unless an item of equal key is there.
func appendNamed(parent map[string]any, list, key string, item map[string]any) error {
	items, _ := parent[list].([]any)
	for _, present := range items {
		if m, ok := present.(map[string]any); ok && m[key] == item[key] {
			return fmt.Errorf("%s %v is already there; coverage is added by the deployer, not by manifests", list, item[key])
		}
	}
	parent[list] = append(items, item)
	return nil
}
