package processing

import (
	"context"
	"fmt"
	"strconv"
	"sync/atomic"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/hybrid-e2e/hybrid/api/remediation/v1alpha1"
)

func version(uid types.UID, name string, version int, count int64) v1alpha1.RemediationRequest {
	return v1alpha1.RemediationRequest{
		ObjectMeta: metav1.ObjectMeta{UID: uid, Name: name, Namespace: "shop", ResourceVersion: strconv.Itoa(version)},
		Status:     v1alpha1.RemediationRequestStatus{Deduplication: &v1alpha1.DeduplicationStatus{OccurrenceCount: count}},
	}
}

func TestOwnWritesAreKnownUntilTheCacheHasThem(t *testing.T) {
	const fingerprint = "f"
	own := version("1", "rr-1", 10, 3)
	own.Spec.OriginalPayload, own.ManagedFields = "large", []metav1.ManagedFieldsEntry{{}}
	for name, test := range map[string]struct {
		cached    []v1alpha1.RemediationRequest
		want      []int64
		forgotten bool
	}{
		"not in the cache yet": {nil, []int64{3}, false},
		"older in the cache":   {[]v1alpha1.RemediationRequest{version("1", "rr-1", 9, 2)}, []int64{3}, false},
		"the same":             {[]v1alpha1.RemediationRequest{version("1", "rr-1", 10, 3)}, []int64{3}, true},
		"newer in the cache":   {[]v1alpha1.RemediationRequest{version("1", "rr-1", 11, 4)}, []int64{4}, true},
		"made anew":            {[]v1alpha1.RemediationRequest{version("2", "rr-1", 11, 1)}, []int64{1}, true},
		"written anew":         {[]v1alpha1.RemediationRequest{version("0", "rr-1", 8, 5)}, []int64{3}, false},
		"beside another":       {[]v1alpha1.RemediationRequest{version("0", "rr-0", 5, 7), version("1", "rr-1", 9, 2)}, []int64{7, 3}, false},
	} {
		w := newWritten(2)
		w.remember(fingerprint, &own)
		got := w.overlay(fingerprint, test.cached)
		var counts []int64
		for i := range got {
			counts = append(counts, got[i].Status.Deduplication.OccurrenceCount)
		}
		if fmt.Sprint(counts) != fmt.Sprint(test.want) || (len(w.requests) == 0) != test.forgotten {
			t.Errorf("%s: got %v, %d remembered", name, counts, len(w.requests))
		}
	}
	w := newWritten(2)
	w.remember(fingerprint, &own)
	kept := w.overlay(fingerprint, nil)[0]
	if kept.Spec.OriginalPayload != "" || kept.ManagedFields != nil {
		t.Errorf("remembered more than a count needs: %+v", kept)
	}
	if w.forget(fingerprint); len(w.overlay(fingerprint, nil)) != 0 {
		t.Error("not forgotten")
	}
}

func TestMemoryOfOwnWritesIsBounded(t *testing.T) {
	w := newWritten(3)
	for i := range 10 {
		one := version("1", "rr", i, int64(i))
		w.remember(strconv.Itoa(i), &one)
		w.remember(strconv.Itoa(i), &one)
		if want := min(i+1, 3); len(w.requests) != want {
			t.Fatalf("%d remembered, want %d", len(w.requests), want)
		}
		if len(w.overlay(strconv.Itoa(i), nil)) != 1 {
			t.Errorf("the latest write, %d, is not remembered", i)
		}
	}
}

// TestCountsNeedOneCallEach has no cache at all: what the replica wrote itself tells
// it which version to count against. The creation is the first signal's count.
func TestCountsNeedOneCallEach(t *testing.T) {
	var lists, patches atomic.Int32
	server := apiServer(t, interceptor.Funcs{
		List: func(ctx context.Context, inner client.WithWatch, list client.ObjectList, options ...client.ListOption) error {
			lists.Add(1)
			return inner.List(ctx, list, options...)
		},
		SubResourcePatch: func(ctx context.Context, inner client.Client, sub string, object client.Object, patch client.Patch, options ...client.SubResourcePatchOption) error {
			patches.Add(1)
			return inner.SubResource(sub).Patch(ctx, object, patch, options...)
		},
	})
	d := replica(server, nil)
	for i := range 10 {
		if got := record(t, d, podSignal()); got.Occurrences != int64(i+1) {
			t.Errorf("got %+v, want number %d", got, i+1)
		}
	}
	if lists.Load() != 1 || patches.Load() != 9 {
		t.Errorf("%d lists and %d patches, want 1 and 9", lists.Load(), patches.Load())
	}
}

// TestOwnWritesThatAreOutOfDateAreHarmless changes the request behind the replica's
// back, and its cache, if any, sees nothing of it.
func TestOwnWritesThatAreOutOfDateAreHarmless(t *testing.T) {
	for name, test := range map[string]struct {
		change func(t *testing.T, server client.Client)
		want   Outcome
	}{
		"over": {
			func(t *testing.T, server client.Client) { setPhase(t, server, v1alpha1.PhaseCompleted) },
			Outcome{Created: true, Name: requestName(podSignal().Fingerprint(), 2), Namespace: "shop", Occurrences: 1},
		},
		"counted": {
			func(t *testing.T, server client.Client) { record(t, replica(server, nil), podSignal()) },
			Outcome{Name: requestName(podSignal().Fingerprint(), 1), Namespace: "shop", Occurrences: 3},
		},
		"deleted": {
			func(t *testing.T, server client.Client) {
				if err := server.DeleteAllOf(t.Context(), &v1alpha1.RemediationRequest{}, client.InNamespace("shop")); err != nil {
					t.Fatal(err)
				}
			},
			Outcome{Created: true, Name: requestName(podSignal().Fingerprint(), 1), Namespace: "shop", Occurrences: 1},
		},
	} {
		server := apiServer(t, interceptor.Funcs{})
		d := replica(server, nil)
		record(t, d, podSignal())
		test.change(t, server)
		if got := record(t, d, podSignal()); got != test.want {
			t.Errorf("%s: got %+v, want %+v", name, got, test.want)
		}
		// The next one is counted in the same request, whichever it is.
		if got := record(t, d, podSignal()); got.Created || got.Name != test.want.Name || got.Occurrences != test.want.Occurrences+1 {
			t.Errorf("%s: then got %+v", name, got)
		}
	}
}
