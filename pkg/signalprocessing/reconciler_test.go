package signalprocessing

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/hybrid-e2e/hybrid/api/remediation/v1alpha1"
	"github.com/hybrid-e2e/hybrid/pkg/audit"
)

// bench is a Reconciler with all around it.
type bench struct {
	*Reconciler
	now      time.Time
	recorded []audit.Event
	writes   int
	// refusals answer the next writes, unreadable each look at a namespace.
	refusals   []error
	unreadable error
}

func newBench(t *testing.T, objects ...client.Object) *bench {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := errors.Join(v1alpha1.AddToScheme(scheme), corev1.AddToScheme(scheme)); err != nil {
		t.Fatal(err)
	}
	b := &bench{now: time.Date(2026, 11, 26, 12, 0, 0, 123456789, time.UTC)}
	c := fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).WithStatusSubresource(&v1alpha1.RemediationRequest{}).
		WithInterceptorFuncs(interceptor.Funcs{
			SubResourcePatch: func(ctx context.Context, c client.Client, sub string, o client.Object, p client.Patch, opts ...client.SubResourcePatchOption) error {
				b.writes++
				if len(b.refusals) > 0 {
					refusal := b.refusals[0]
					b.refusals = b.refusals[1:]
					return refusal
				}
				return c.SubResource(sub).Patch(ctx, o, p, opts...)
			},
			Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, o client.Object, opts ...client.GetOption) error {
				if _, metadata := o.(*metav1.PartialObjectMetadata); metadata && b.unreadable != nil {
					return b.unreadable
				}
				return c.Get(ctx, key, o, opts...)
			},
		}).Build()
	rules := parsed(t, goodRules)
	b.Reconciler = &Reconciler{
		Client: c, Live: c, Rules: func() *Rules { return rules }, Metrics: NewMetrics(), Now: func() time.Time { return b.now },
		Record: func(e ...audit.Event) { b.recorded = append(b.recorded, e...) },
	}
	return b
}

func newRequest() *v1alpha1.RemediationRequest {
	return &v1alpha1.RemediationRequest{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "rr-1", UID: "u-1"},
		Spec: v1alpha1.RemediationRequestSpec{
			Severity: v1alpha1.SeverityCritical, TargetResource: v1alpha1.TargetResource{Kind: "Pod", Name: "api-0", Namespace: "shop"},
		},
	}
}

func namespace(labels map[string]string) *corev1.Namespace {
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop", Labels: labels}}
}

// look reconciles the request as it is stored, and returns it as it is stored then.
func (b *bench) look(t *testing.T) (*v1alpha1.RemediationRequest, reconcile.Result, error) {
	t.Helper()
	request := &v1alpha1.RemediationRequest{}
	key := client.ObjectKeyFromObject(newRequest())
	if err := b.Client.Get(t.Context(), key, request); err != nil {
		t.Fatal(err)
	}
	result, err := b.Reconcile(t.Context(), request)
	if getErr := b.Client.Get(t.Context(), key, request); getErr != nil {
		t.Fatal(getErr)
	}
	return request, result, err
}

func TestANewRequestIsEnriched(t *testing.T) {
	request := newRequest()
	request.Status.Deduplication = &v1alpha1.DeduplicationStatus{OccurrenceCount: 7}
	b := newBench(t, request, namespace(map[string]string{"team/env": "production"}))
	got, result, err := b.look(t)
	if err != nil || result != (reconcile.Result{}) {
		t.Fatal(result, err)
	}
	e := got.Status.Enrichment
	if got.Status.OverallPhase != v1alpha1.PhaseProcessing || e.Environment != "production" || e.EnvironmentSource != "namespace-label" || e.Priority != "P0" ||
		!e.AcceptedAt.Time.Equal(b.now.Truncate(time.Microsecond)) || !e.EnrichedAt.Time.Equal(b.now.Truncate(time.Microsecond)) {
		t.Errorf("status %+v", e)
	}
	if got.Status.Deduplication == nil || got.Status.Deduplication.OccurrenceCount != 7 {
		t.Errorf("the Gateway's count is %+v", got.Status.Deduplication)
	}
	if b.writes != 2 || testutil.ToFloat64(b.Metrics.accepted) != 1 || testutil.ToFloat64(b.Metrics.enriched.WithLabelValues("production", "P0")) != 1 {
		t.Errorf("%d writes, and counted otherwise", b.writes)
	}
	if len(b.recorded) != 2 || b.recorded[0].EventType != requestAccepted || b.recorded[1].EventType != requestEnriched {
		t.Fatalf("recorded %+v", b.recorded)
	}
	last := b.recorded[1]
	if last.CorrelationID != "rr-1" || last.Namespace != "shop" || last.Severity != "critical" || last.ActorID != "signalprocessing" ||
		last.EventAction != "enriched" || last.EventData["priority"] != v1alpha1.PriorityP0 || last.EventData["environment"] != "production" {
		t.Errorf("recorded %+v", last)
	}
}

func TestAfterARestartNothingIsDoneTwice(t *testing.T) {
	b := newBench(t, newRequest(), namespace(nil))
	first, _, err := b.look(t)
	if err != nil {
		t.Fatal(err)
	}
	b.now = b.now.Add(time.Minute)
	again, _, err := b.look(t)
	if err != nil || again.ResourceVersion != first.ResourceVersion || b.writes != 2 {
		t.Errorf("written %d times, error %v", b.writes, err)
	}
	// The same events under the same ids: DataStorage stores them once.
	if len(b.recorded) != 4 || b.recorded[0].EventID != b.recorded[2].EventID || b.recorded[1].EventID != b.recorded[3].EventID ||
		b.recorded[0].EventID == b.recorded[1].EventID || !b.recorded[3].EventTimestamp.Equal(b.recorded[1].EventTimestamp) {
		t.Errorf("recorded %+v", b.recorded)
	}
	b.now = b.now.Add(young)
	if _, _, err = b.look(t); err != nil || len(b.recorded) != 4 {
		t.Errorf("%d events, error %v: an old request is recorded again", len(b.recorded), err)
	}
}

func TestAPendingRequestIsResumed(t *testing.T) {
	for _, enrichment := range []*v1alpha1.EnrichmentStatus{nil, {AcceptedAt: new(metav1.NewMicroTime(time.Date(2026, 11, 26, 11, 0, 0, 0, time.UTC)))}} {
		request := newRequest()
		request.Status = v1alpha1.RemediationRequestStatus{OverallPhase: v1alpha1.PhasePending, Enrichment: enrichment}
		b := newBench(t, request)
		got, _, err := b.look(t)
		if err != nil || got.Status.OverallPhase != v1alpha1.PhaseProcessing || got.Status.Enrichment.Environment != "none" ||
			got.Status.Enrichment.EnvironmentSource != "default" || got.Status.Enrichment.Priority != "P2" || b.writes != 1 || len(b.recorded) != 2 {
			t.Errorf("status %+v after %d writes, error %v", got.Status, b.writes, err)
		}
	}
}

func TestOtherPhasesAreLeftAlone(t *testing.T) {
	for _, phase := range []v1alpha1.Phase{v1alpha1.PhaseProcessing, v1alpha1.PhaseCompleted, "Executing"} {
		request := newRequest()
		request.Status.OverallPhase = phase
		b := newBench(t, request)
		if got, _, err := b.look(t); err != nil || got.Status.OverallPhase != phase || b.writes != 0 || len(b.recorded) != 0 {
			t.Errorf("%s: %s, %d writes, %d events, error %v", phase, got.Status.OverallPhase, b.writes, len(b.recorded), err)
		}
	}
}

func TestATargetOfTheWholeClusterHasTheDefaultEnvironment(t *testing.T) {
	request := newRequest()
	request.Spec.TargetResource = v1alpha1.TargetResource{Kind: "Node", Name: "node-1"}
	b := newBench(t, request)
	b.unreadable = errors.New("no namespace may be read")
	if got, _, err := b.look(t); err != nil || got.Status.Enrichment.Environment != "none" {
		t.Errorf("status %+v, error %v", got.Status, err)
	}
}

func TestWhatFailsIsRepeated(t *testing.T) {
	requests := schema.GroupResource{Group: "kubernaut.ai", Resource: "remediationrequests"}
	conflict := apierrors.NewConflict(requests, "rr-1", errors.New("changed"))
	forbidden := apierrors.NewForbidden(requests, "rr-1", errors.New("no"))
	gone := apierrors.NewNotFound(requests, "rr-1")
	for _, c := range []struct {
		name       string
		refusals   []error
		unreadable error
		reason     string
		err        error
		result     reconcile.Result
	}{
		{"a conflict", []error{conflict}, nil, retryConflict, nil, reconcile.Result{RequeueAfter: conflictPause}},
		{"a refusal", []error{forbidden}, nil, retryStatus, forbidden, reconcile.Result{}},
		{"a namespace", nil, forbidden, retryNamespace, forbidden, reconcile.Result{}},
		{"a request that is gone", []error{gone}, nil, "", nil, reconcile.Result{}},
	} {
		b := newBench(t, newRequest())
		b.refusals, b.unreadable = c.refusals, c.unreadable
		_, result, err := b.look(t)
		if !errors.Is(err, c.err) || (c.err == nil) != (err == nil) || result != c.result || len(b.recorded) != 0 {
			t.Errorf("%s: %+v, %v, %d events", c.name, result, err, len(b.recorded))
		}
		if c.reason != "" && testutil.ToFloat64(b.Metrics.retries.WithLabelValues(c.reason)) != 1 {
			t.Errorf("%s: not counted", c.name)
		}
		b.unreadable = nil
		if got, _, err := b.look(t); err != nil || got.Status.OverallPhase != v1alpha1.PhaseProcessing || len(b.recorded) != 2 {
			t.Errorf("%s: then %s, error %v", c.name, got.Status.OverallPhase, err)
		}
	}
}

func TestAStaleLookWritesNothing(t *testing.T) {
	b := newBench(t, newRequest(), namespace(nil))
	stale := &v1alpha1.RemediationRequest{}
	if err := b.Client.Get(t.Context(), client.ObjectKeyFromObject(newRequest()), stale); err != nil {
		t.Fatal(err)
	}
	first, _, err := b.look(t)
	if err != nil {
		t.Fatal(err)
	}
	if result, err := b.Reconcile(t.Context(), stale); err != nil || result.RequeueAfter != conflictPause {
		t.Errorf("%+v, %v", result, err)
	}
	if now, _, err := b.look(t); err != nil || now.ResourceVersion != first.ResourceVersion {
		t.Errorf("written again, error %v", err)
	}
}
