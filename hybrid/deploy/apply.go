package deploy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"

	"golang.org/x/sync/errgroup"

	"github.com/hybrid-e2e/hybrid/hybrid/fault"
)

// Setup applies files or folders that everything else stands on: namespaces and
// CRDs. It returns when the namespaces are active and the CRDs established. With
// instrumented images, and no courier, the Pod Security level of the deployer's namespace
// is relaxed, because pods then mount a folder of the node.
func (d *Deployer) Setup(ctx context.Context, log io.Writer, paths ...string) error {
	var (
		objects []Object
		errs    []error
	)
	for _, path := range paths {
		found, err := Load(d.o.Root, path)
		objects, errs = append(objects, found...), append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	log = discard(log)
	return d.applyAll(withLog(ctx, log), log, objects)
}

// applyAll prepares and applies objects in three steps, each in parallel: what
// others live in or are made of (waited for), what pods read, and the pods. A
// pod that starts before its ConfigMap or ServiceAccount exists is not lost, but
// kubelet and controllers wait a second or more before they look again.
func (d *Deployer) applyAll(ctx context.Context, log io.Writer, objects []Object) error {
	for _, o := range objects {
		d.o.Isolation.Apply(o)
	}
	if err := prepare(objects, d.o); err != nil {
		return err
	}
	start := time.Now()
	var steps [3][]Object
	for _, o := range objects {
		switch o.GetKind() {
		case "Namespace", "CustomResourceDefinition":
			steps[0] = append(steps[0], o)
		case "Deployment":
			steps[2] = append(steps[2], o)
		default:
			steps[1] = append(steps[1], o)
		}
	}
	for _, step := range steps {
		// Every object gets its attempt, so that all mistakes show at once.
		var group errgroup.Group
		errs := make([]error, len(step))
		for i, o := range step {
			group.Go(func() error {
				errs[i] = d.apply(ctx, o)
				return nil
			})
		}
		_ = group.Wait()
		if err := errors.Join(errs...); err != nil {
			return err
		}
	}
	if slices.ContainsFunc(objects, func(o Object) bool { return o.GetKind() == "CustomResourceDefinition" }) {
		d.mapper.Reset()
	}
	_, _ = fmt.Fprintf(log, "applied %d objects in %s\n", len(objects), time.Since(start).Round(time.Millisecond))
	return nil
}

// apply applies one object server-side and, for namespaces and CRDs, waits
// until the cluster has taken it in.
func (d *Deployer) apply(ctx context.Context, o Object) error {
	if kept, err := d.keep(ctx, o); kept || err != nil {
		return err
	}
	var result *unstructured.Unstructured
	err := retry(ctx, func() error {
		client, err := d.clientFor(o)
		if err != nil {
			return err
		}
		data, err := json.Marshal(o.Object)
		if err != nil {
			return err
		}
		force := true
		result, err = client.Patch(ctx, o.GetName(), types.ApplyPatchType, data, metav1.PatchOptions{
			FieldManager:    fieldManager,
			Force:           &force,
			FieldValidation: metav1.FieldValidationStrict,
		})
		return err
	})
	if err != nil {
		err = fmt.Errorf("apply %s: %w", o, err)
		if apierrors.IsInvalid(err) && takenIn(o.GetKind()) == nil {
			kind := o.GroupVersionKind().GroupKind().String()
			return fault.With(err, "correct the manifest or, when it changed a field that is fixed once the object exists: "+
				d.kubectl(fmt.Sprintf("--namespace %s delete %s %s", d.namespaceOf(o), kind, o.GetName())))
		}
		return err
	}
	// What is waited for is this object, not an older state of it.
	o.SetUID(result.GetUID())
	o.SetGeneration(result.GetGeneration())
	if taken := takenIn(o.GetKind()); taken != nil && !taken(result) {
		return d.await(ctx, o, taken)
	}
	return nil
}

// clientFor finds the resource of an object's kind and sets the default
// namespace where the kind has one.
func (d *Deployer) clientFor(o Object) (dynamic.ResourceInterface, error) {
	kind := o.GroupVersionKind()
	mapping, err := d.mapper.RESTMapping(kind.GroupKind(), kind.Version)
	if err != nil {
		if meta.IsNoMatchError(err) {
			d.mapper.Reset()
		}
		return nil, err
	}
	client := d.dynamic.Resource(mapping.Resource)
	if mapping.Scope.Name() != meta.RESTScopeNameNamespace {
		return client, nil
	}
	o.SetNamespace(d.namespaceOf(o))
	return client.Namespace(o.GetNamespace()), nil
}

func (d *Deployer) namespaceOf(o Object) string {
	if namespace := o.GetNamespace(); namespace != "" {
		return namespace
	}
	return d.o.Namespace
}
