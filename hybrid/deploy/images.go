package deploy

import (
	"errors"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/hybrid-e2e/hybrid/hybrid/image"
)

// Check reads the manifests of all folders and finds what would fail later: bad
// YAML, unknown fields, images of this project that nobody builds or that would
// be pulled. It needs no cluster, so it can run before any build. The keys of
// images are names without tag, such as "hybrid.local/gateway". All mistakes
// are reported, joined.
func Check(root string, folders []string, images map[string]bool) error {
	var errs []error
	for _, folder := range folders {
		objects, err := Load(root, folder)
		errs = append(errs, err)
		for _, o := range objects {
			errs = append(errs, checkImages(o, func(name string) bool { return images[name] }))
		}
	}
	return errors.Join(errs...)
}

// checkImages finds the images of this project that are not known, carry a tag
// of their own or lack imagePullPolicy Never.
func checkImages(o Object, known func(name string) bool) error {
	var errs []error
	for _, c := range containers(o) {
		ref, _ := c["image"].(string)
		if !strings.HasPrefix(ref, image.Registry+"/") {
			continue
		}
		name := c["name"]
		if !known(ref) {
			reason := "is not among the images that are built"
			if strings.ContainsAny(strings.TrimPrefix(ref, image.Registry+"/"), ":@") {
				reason = "must be written without tag or digest; the content key is put there"
			}
			errs = append(errs, fmt.Errorf("%s: container %v: image %s %s", o, name, ref, reason))
		}
		if policy, _ := c["imagePullPolicy"].(string); policy != string(corev1.PullNever) {
			errs = append(errs, fmt.Errorf("%s: container %v: imagePullPolicy of %s is %q; it must be Never, "+
				"since no registry holds the image", o, name, ref, policy))
		}
	}
	return errors.Join(errs...)
}

// setImages puts the reference with the content key in place of the name.
// References that are not in images stay. Nodes are given the pipeline's own images
// beforehand; those of a registry they have to pull.
func setImages(o Object, images map[string]string) {
	for _, c := range containers(o) {
		name, _ := c["image"].(string)
		if ref, ok := images[name]; ok {
			c["image"] = ref
			if !image.IsOurs(ref) {
				c["imagePullPolicy"] = string(corev1.PullIfNotPresent)
			}
		}
	}
}

// containers lists the containers and init containers of an object's pod
// template. The maps are the object's own, so that changing them changes it.
func containers(o Object) []map[string]any {
	var found []map[string]any
	spec := podSpec(o)
	for _, list := range []string{"initContainers", "containers"} {
		items, _ := spec[list].([]any)
		for _, item := range items {
			if c, ok := item.(map[string]any); ok {
				found = append(found, c)
			}
		}
	}
	return found
}

// podSpec is the object's own spec.template.spec, nil for kinds that have none.
func podSpec(o Object) map[string]any {
	if o.GetKind() != "Deployment" {
		return nil
	}
	spec, _, _ := unstructured.NestedFieldNoCopy(o.Object, "spec", "template", "spec")
	m, _ := spec.(map[string]any)
	return m
}
