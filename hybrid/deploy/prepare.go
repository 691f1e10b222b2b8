package deploy

import (
	"errors"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// prepare makes the objects of one folder ready to apply: images checked and
// filled in, coverage overlaid. Nothing is left half done: either all objects
// are good or every mistake is reported.
func prepare(objects []Object, o Options) error {
	var errs []error
	for _, object := range objects {
		errs = append(errs, checkImages(object, func(name string) bool { return o.Images[name] != "" }))
		// The overlay knows images by name, so it goes first.
		errs = append(errs, overlay(object, o))
		if len(o.Coverage) > 0 && o.Courier == "" && object.GetName() == o.Namespace {
			relax(object)
		}
		setImages(object, o.Images)
		if object.GetKind() == "Deployment" {
			errs = append(errs, setReplicas(object))
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
