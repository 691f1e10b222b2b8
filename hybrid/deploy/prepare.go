package deploy

import (
	"errors"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// prepare makes the objects of one folder ready to apply: images checked and
// filled in, coverage overlaid. Nothing is left half done: either all objects
// are good or every mistake is reported.
func prepare(objects []Object, namespace string, images map[string]string, instrumented map[string]string) error {
	var errs []error
	for _, o := range objects {
		errs = append(errs, checkImages(o, func(name string) bool { return images[name] != "" }))
		// The overlay knows images by name, so it goes first.
		errs = append(errs, overlay(o, instrumented))
		if len(instrumented) > 0 && o.GetName() == namespace {
			relax(o)
		}
		setImages(o, images)
		if o.GetKind() == "Deployment" {
			errs = append(errs, setReplicas(o))
		}
	}
	return errors.Join(errs...)
}

// setReplicas states the default of one replica. Applying a manifest that does
// not state it would leave a Deployment that Stop scaled to zero, on a cluster
// that is kept, at zero.
func setReplicas(o Object) error {
	if _, found, err := unstructured.NestedFieldNoCopy(o.Object, "spec", "replicas"); found || err != nil {
		return err
	}
	return unstructured.SetNestedField(o.Object, int64(1), "spec", "replicas")
}
