package testbed

import (
	"context"
	"errors"
	"fmt"
	"maps"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// specLabel marks the namespaces of specs.
const specLabel = "hybrid.local/spec"

// Namespace creates a namespace for the running spec. It is deleted at the end of
// the suite: to empty a namespace the cluster looks for objects of every kind, which
// would slow down the specs that still run.
func (b *Bed) Namespace(ctx context.Context) string {
	GinkgoHelper()
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		GenerateName: b.Env.Suite + "-spec-", Labels: b.Labels(map[string]string{specLabel: ""}),
	}}
	Expect(b.Kube.Create(ctx, ns)).To(Succeed())
	return ns.Name
}

// Labels adds to labels those that every namespace and cluster-wide object of the run has.
func (b *Bed) Labels(labels map[string]string) map[string]string {
	all := maps.Clone(b.Env.Labels)
	if all == nil {
		all = map[string]string{}
	}
	maps.Copy(all, labels)
	return all
}

// DeleteNamespaces deletes the namespaces of all specs without waiting for their end. In
// a cluster that is deleted anyway it does nothing: the next suite in it would be slowed
// down for half a minute.
func (b *Bed) DeleteNamespaces(ctx context.Context) error {
	if !b.Env.Kept {
		return nil
	}
	var all corev1.NamespaceList
	if err := b.Kube.List(ctx, &all, client.HasLabels{specLabel}, client.MatchingLabels(b.Env.Labels)); err != nil {
		return fmt.Errorf("list the namespaces of the specs: %w", err)
	}
	var errs []error
	for i := range all.Items {
		errs = append(errs, client.IgnoreNotFound(b.Kube.Delete(ctx, &all.Items[i])))
	}
	return errors.Join(errs...)
}
