package deploy

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/hybrid-e2e/hybrid/hybrid/fault"
)

// keep tells whether an object is to stay as the cluster has it: a
// CustomResourceDefinition that others use too. One that applying would change is an error,
// since the run has another idea of the API than they have; what applying would come to is
// asked of the API server, which changes nothing. One that is not there is labelled as the
// run's own.
func (d *Deployer) keep(ctx context.Context, o Object) (bool, error) {
	if d.o.Isolation.run == "" || o.GetKind() != "CustomResourceDefinition" {
		return false, nil
	}
	client, err := d.clientFor(o)
	if err != nil {
		return false, err
	}
	present, err := client.Get(ctx, o.GetName(), metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		// The run makes it, and takes it away again.
		labels := o.GetLabels()
		if labels == nil {
			labels = map[string]string{}
		}
		labels[RunLabel] = d.o.Isolation.run
		o.SetLabels(labels)
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look for %s: %w", o, err)
	}
	data, err := json.Marshal(o.Object)
	if err != nil {
		return false, err
	}
	force := true
	would, err := client.Patch(ctx, o.GetName(), types.ApplyPatchType, data, metav1.PatchOptions{
		FieldManager: fieldManager, Force: &force, FieldValidation: metav1.FieldValidationStrict, DryRun: []string{metav1.DryRunAll},
	})
	if err != nil {
		return false, fmt.Errorf("compare %s with the cluster's: %w", o, err)
	}
	if !reflect.DeepEqual(present.Object["spec"], would.Object["spec"]) {
		return false, fault.With(fmt.Errorf("%s differs from the one that the cluster has, which stays as it is", o),
			"a cluster without it, or with the same: "+d.kubectl("diff --server-side --filename "+o.File))
	}
	return true, nil
}
