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
	// courierName names the container that delivers it, coverageLabel has the service of
	// the pods with one.
	courierName   = "coverage"
	coverageLabel = "hybrid.local/coverage"
	// enforceLabel is the Pod Security level that a namespace refuses below.
	enforceLabel = "pod-security.kubernetes.io/enforce"
)

// overlay makes a Deployment of instrumented images write its coverage data:
// GOCOVERDIR, a volume and its mount. The volume is a folder of the node or, with a
// courier, the pod's own. Other objects stay as they are. A manifest that already speaks
// of coverage is an error, because then there would be two sources.
func overlay(object Object, o Options) error {
	service := ""
	for _, c := range containers(object) {
		name, _ := c["image"].(string)
		if o.Coverage[name] == "" {
			continue
		}
		if err := appendNamed(c, "env", "name", map[string]any{"name": coverageEnv, "value": coverage.Path}); err != nil {
			return fmt.Errorf("%s: container %v: %w", object, c["name"], err)
		}
		if err := appendNamed(c, "volumeMounts", "mountPath", coverageMount()); err != nil {
			return fmt.Errorf("%s: container %v: %w", object, c["name"], err)
		}
		// One of several images in a pod decides: the one that the Deployment is named after.
		if service == "" || path.Base(name) == object.GetName() {
			service = name
		}
	}
	if service == "" {
		return nil
	}
	// Type Directory: the folder is made on the node, with a
	// mode that the service's user can write to, before the cluster starts;
	// kubelet would make it for root only, and the data would be lost silently.
	volume := map[string]any{
		"name":     coverageVolume,
		"hostPath": map[string]any{"path": path.Join(coverage.Path, o.Coverage[service]), "type": "Directory"},
	}
	if o.Courier != "" {
		volume = map[string]any{"name": coverageVolume, "emptyDir": map[string]any{}}
		if err := accompany(object, o, path.Base(service)); err != nil {
			return fmt.Errorf("%s: %w", object, err)
		}
	}
	if err := appendNamed(podSpec(object), "volumes", "name", volume); err != nil {
		return fmt.Errorf("%s: %w", object, err)
	}
	return nil
}

func coverageMount() map[string]any {
	return map[string]any{"name": coverageVolume, "mountPath": coverage.Path}
}

// accompany adds the courier to the pods of a Deployment: a sidecar, which Kubernetes
// ends after the service. It may do nothing but read the data, so that it is let into
// namespaces of every Pod Security level. The labels are by which Receive finds the pods.
func accompany(o Object, options Options, service string) error {
	err := appendNamed(podSpec(o), "initContainers", "name", map[string]any{
		"name": courierName, "image": options.Courier, "imagePullPolicy": "IfNotPresent", "restartPolicy": "Always",
		"args":         []any{coverage.Path},
		"volumeMounts": []any{coverageMount()},
		"resources": map[string]any{
			"requests": map[string]any{"cpu": "1m", "memory": "16Mi"}, "limits": map[string]any{"memory": "128Mi"},
		},
		"securityContext": map[string]any{
			"allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "runAsNonRoot": true,
			"capabilities": map[string]any{"drop": []any{"ALL"}}, "seccompProfile": map[string]any{"type": "RuntimeDefault"},
		},
	})
	if err != nil {
		return err
	}
	for label, value := range map[string]string{coverageLabel: service, RunLabel: options.Isolation.run} {
		if err := unstructured.SetNestedField(o.Object, value, "spec", "template", "metadata", "labels", label); err != nil {
			return err
		}
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
