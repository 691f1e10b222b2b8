package signalprocessing

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/hybrid-e2e/hybrid/api/remediation/v1alpha1"
	"github.com/hybrid-e2e/hybrid/pkg/audit"
)

// conflictPause is what the cache gets to learn of the write that came first.
const conflictPause = 50 * time.Millisecond

// Reconciler brings one request after the other to phase Processing. All fields are
// needed.
type Reconciler struct {
	// Client writes statuses.
	Client client.Client
	// Live reads namespaces, straight from the API server: a namespace and its first
	// request are often made together, and each request needs it once.
	Live client.Reader
	// Rules returns the rules that hold now.
	Rules func() *Rules
	// Record takes audit events without waiting.
	Record  func(...audit.Event)
	Metrics *Metrics
	Now     func() time.Time
}

// Reconcile takes up a request without a phase, enriches a pending one, and records both.
// It may be called any number of times: each step is written once, by whoever has seen
// the latest state, and recorded under the same id each time. A request that is gone needs
// nothing.
func (r *Reconciler) Reconcile(ctx context.Context, request *v1alpha1.RemediationRequest) (reconcile.Result, error) {
	if request.Status.OverallPhase == "" {
		if err := r.accept(ctx, request); err != nil {
			return r.again(retryStatus, err)
		}
		r.Metrics.accepted.Inc()
	}
	if request.Status.OverallPhase == v1alpha1.PhasePending {
		rules := r.Rules()
		labels, err := r.labels(ctx, request.Spec.TargetResource.Namespace)
		if err != nil {
			return r.again(retryNamespace, err)
		}
		if err := r.enrich(ctx, request, rules, labels); err != nil {
			return r.again(retryStatus, err)
		}
		r.Metrics.enrichedAs(rules.bounded(request.Status.Enrichment.Environment), request.Status.Enrichment.Priority)
	}
	r.Record(events(request, r.Now())...)
	return reconcile.Result{}, nil
}

// again says how a look that failed is repeated. Somebody else's write is nothing to
// complain of.
func (r *Reconciler) again(reason string, err error) (reconcile.Result, error) {
	switch {
	case client.IgnoreNotFound(err) == nil:
		return reconcile.Result{}, nil
	case apierrors.IsConflict(err):
		r.Metrics.retries.WithLabelValues(retryConflict).Inc()
		return reconcile.Result{RequeueAfter: conflictPause}, nil
	default:
		r.Metrics.retries.WithLabelValues(reason).Inc()
		return reconcile.Result{}, err
	}
}

func (r *Reconciler) accept(ctx context.Context, request *v1alpha1.RemediationRequest) error {
	return r.write(ctx, request, func(status *v1alpha1.RemediationRequestStatus, now *metav1.MicroTime) {
		status.OverallPhase = v1alpha1.PhasePending
		status.Enrichment = &v1alpha1.EnrichmentStatus{AcceptedAt: now}
	})
}

func (r *Reconciler) enrich(ctx context.Context, request *v1alpha1.RemediationRequest, rules *Rules, labels map[string]string) error {
	environment, source := rules.Environment(labels)
	return r.write(ctx, request, func(status *v1alpha1.RemediationRequestStatus, now *metav1.MicroTime) {
		status.OverallPhase = v1alpha1.PhaseProcessing
		if status.Enrichment == nil { // Somebody else has made it pending.
			status.Enrichment = &v1alpha1.EnrichmentStatus{AcceptedAt: now}
		}
		status.Enrichment.EnrichedAt = now
		status.Enrichment.Environment, status.Enrichment.EnvironmentSource = environment, source
		status.Enrichment.Priority = rules.Priority(environment, request.Spec.Severity)
	})
}

// write changes the status, if nobody has changed the request since it was read. What the
// change does not touch, such as the count of the Gateway, stays as it is.
func (r *Reconciler) write(ctx context.Context, request *v1alpha1.RemediationRequest, change func(*v1alpha1.RemediationRequestStatus, *metav1.MicroTime)) error {
	before := request.DeepCopy()
	// The API has microseconds.
	now := metav1.NewMicroTime(r.Now().UTC().Truncate(time.Microsecond))
	change(&request.Status, &now)
	err := r.Client.Status().Patch(ctx, request, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}))
	if err != nil {
		return fmt.Errorf("write phase %s: %w", request.Status.OverallPhase, err)
	}
	return nil
}

// labels returns the labels of a namespace; one that does not exist has none.
func (r *Reconciler) labels(ctx context.Context, namespace string) (map[string]string, error) {
	if namespace == "" {
		return nil, nil
	}
	ns := &metav1.PartialObjectMetadata{}
	ns.SetGroupVersionKind(namespaceKind())
	err := r.Live.Get(ctx, client.ObjectKey{Name: namespace}, ns)
	if client.IgnoreNotFound(err) != nil {
		return nil, fmt.Errorf("read namespace %s: %w", namespace, err)
	}
	return ns.Labels, nil
}

func namespaceKind() schema.GroupVersionKind {
	return schema.GroupVersionKind{Version: "v1", Kind: "Namespace"}
}
