package processing

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/hybrid-e2e/hybrid/api/remediation/v1alpha1"
	"github.com/hybrid-e2e/hybrid/pkg/gateway/adapters"
)

func received() time.Time { return time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC) }

func podSignal() adapters.Signal {
	return adapters.Signal{
		Name: "CrashLoop", Severity: v1alpha1.SeverityCritical, Type: v1alpha1.SignalTypePrometheusAlert,
		Source: "prometheus", Target: adapters.Target{Kind: "Pod", Name: "cart-0", Namespace: "shop"},
		FiringTime: received().Add(-time.Minute), ReceivedTime: received(),
		Labels: map[string]string{"team": "a"}, Annotations: map[string]string{"summary": "s"}, Payload: `{"a":1}`,
	}
}

// apiServer is controller-runtime's fake, which checks versions on writes and
// knows status as a subresource.
func apiServer(t *testing.T, funcs interceptor.Funcs, objects ...client.Object) client.WithWatch {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	return fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).
		WithStatusSubresource(&v1alpha1.RemediationRequest{}).
		WithIndex(&v1alpha1.RemediationRequest{}, v1alpha1.SignalFingerprintField, func(object client.Object) []string {
			return []string{object.(*v1alpha1.RemediationRequest).Spec.SignalFingerprint}
		}).
		WithInterceptorFuncs(funcs).Build()
}

func quickRetry() Retry {
	return Retry{Attempts: 3, Initial: time.Millisecond, Max: 5 * time.Millisecond, Timeout: 5 * time.Second}
}

func replica(server client.Client, hint client.Reader) *Deduplicator {
	return New(server, hint, Options{
		FallbackNamespace: "kubernaut-system", Retry: quickRetry(), Timeout: 20 * time.Second,
	}, slog.New(slog.DiscardHandler))
}

func requests(t *testing.T, server client.Client) []v1alpha1.RemediationRequest {
	t.Helper()
	var list v1alpha1.RemediationRequestList
	if err := server.List(t.Context(), &list); err != nil {
		t.Fatal(err)
	}
	return list.Items
}

func record(t *testing.T, d *Deduplicator, signal adapters.Signal) Outcome {
	t.Helper()
	outcome, err := d.Record(t.Context(), signal)
	if err != nil {
		t.Fatal(err)
	}
	return outcome
}

func TestFirstSignalOpensARequest(t *testing.T) {
	server := apiServer(t, interceptor.Funcs{})
	signal := podSignal()
	fingerprint := signal.Fingerprint()
	outcome := record(t, replica(server, nil), signal)

	want := Outcome{Created: true, Name: requestName(fingerprint, 1), Namespace: "shop", Occurrences: 1}
	if outcome != want {
		t.Errorf("got %+v, want %+v", outcome, want)
	}
	all := requests(t, server)
	if len(all) != 1 {
		t.Fatalf("%d requests", len(all))
	}
	got := all[0]
	wantLabels := map[string]string{
		"app.kubernetes.io/managed-by": "gateway", "kubernaut.ai/signal-type": "prometheus-alert",
		"kubernaut.ai/severity": "critical", "kubernaut.ai/signal-fingerprint": fingerprint[:63],
	}
	if !maps.Equal(got.Labels, wantLabels) {
		t.Errorf("labels %v", got.Labels)
	}
	if got.Spec.SignalFingerprint != fingerprint || got.Spec.SignalName != "CrashLoop" || got.Spec.OriginalPayload != `{"a":1}` ||
		got.Spec.TargetResource != (v1alpha1.TargetResource{Kind: "Pod", Name: "cart-0", Namespace: "shop"}) {
		t.Errorf("spec %+v", got.Spec)
	}
	// The one signal is the schema's default, which this API server does not know.
	if got.Status != (v1alpha1.RemediationRequestStatus{}) || counted(&got) != 1 {
		t.Errorf("status %+v", got.Status)
	}
}

func TestFurtherSignalsAreCounted(t *testing.T) {
	server := apiServer(t, interceptor.Funcs{})
	d := replica(server, nil)
	first := record(t, d, podSignal())
	later := podSignal()
	later.ReceivedTime = received().Add(time.Hour)
	if got := record(t, d, later); got != (Outcome{Name: first.Name, Namespace: "shop", Occurrences: 2}) {
		t.Errorf("got %+v", got)
	}
	// A signal with an older clock counts, but does not turn back the time.
	if got := record(t, d, podSignal()); got.Occurrences != 3 {
		t.Errorf("got %+v", got)
	}
	status := requests(t, server)[0].Status.Deduplication
	if status.OccurrenceCount != 3 || !status.FirstSeenAt.Time.Equal(received()) || !status.LastSeenAt.Time.Equal(received().Add(time.Hour)) {
		t.Errorf("deduplication %+v", status)
	}
}

func setPhase(t *testing.T, server client.Client, phase v1alpha1.Phase) {
	t.Helper()
	for _, request := range requests(t, server) {
		if !request.Status.OverallPhase.Terminal() {
			request.Status.OverallPhase = phase
			if err := server.Status().Update(t.Context(), &request); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestPhasesDecideBetweenCountingAndReopening(t *testing.T) {
	for phase, terminal := range map[v1alpha1.Phase]bool{
		"Completed": true, "Failed": true, "TimedOut": true, "Skipped": true, "Cancelled": true,
		"": false, "Processing": false, "completed": false, "Unheard": false,
	} {
		server := apiServer(t, interceptor.Funcs{})
		d := replica(server, nil)
		record(t, d, podSignal())
		setPhase(t, server, phase)
		got := record(t, d, podSignal())
		if got.Created != terminal {
			t.Errorf("%q: got %+v", phase, got)
		}
		if terminal && got.Name != requestName(podSignal().Fingerprint(), 2) {
			t.Errorf("%q: name %s", phase, got.Name)
		}
	}
}

func TestHundredParallelSignalsAtThreeReplicasAreOneRequest(t *testing.T) {
	server := apiServer(t, interceptor.Funcs{})
	replicas := []*Deduplicator{replica(server, nil), replica(server, server), replica(server, nil)}
	const signals = 100
	outcomes := make([]Outcome, signals)
	var group sync.WaitGroup
	for i := range signals {
		group.Go(func() {
			outcome, err := replicas[i%len(replicas)].Record(t.Context(), podSignal())
			if err != nil {
				t.Error(err)
			}
			outcomes[i] = outcome
		})
	}
	group.Wait()

	all := requests(t, server)
	if len(all) != 1 || all[0].Status.Deduplication.OccurrenceCount != signals {
		t.Fatalf("%d requests, the first with %+v", len(all), all[0].Status.Deduplication)
	}
	created, numbers := 0, make([]int64, 0, signals)
	for _, outcome := range outcomes {
		if outcome.Created {
			created++
		}
		numbers = append(numbers, outcome.Occurrences)
	}
	slices.Sort(numbers)
	for i, number := range numbers {
		if number != int64(i+1) {
			t.Fatalf("occurrence numbers %v", numbers)
		}
	}
	if created != 1 {
		t.Errorf("%d signals were told that they opened the request", created)
	}
}

func TestDifferentFingerprintsDoNotTouch(t *testing.T) {
	server := apiServer(t, interceptor.Funcs{})
	d := replica(server, nil)
	var group sync.WaitGroup
	for i := range 20 {
		group.Go(func() {
			signal := podSignal()
			signal.Target.Name = fmt.Sprintf("cart-%d", i%5)
			if _, err := d.Record(t.Context(), signal); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	all := requests(t, server)
	if len(all) != 5 {
		t.Fatalf("%d requests", len(all))
	}
	for _, request := range all {
		if request.Status.Deduplication.OccurrenceCount != 4 {
			t.Errorf("%s: %+v", request.Name, request.Status.Deduplication)
		}
	}
}

// TestStaleHintIsHarmless gives the replica a cache that still shows an open
// request which is over, gone or counted meanwhile.
func TestStaleHintIsHarmless(t *testing.T) {
	for name, change := range map[string]func(t *testing.T, server client.Client){
		"over":    func(t *testing.T, server client.Client) { setPhase(t, server, v1alpha1.PhaseCompleted) },
		"counted": func(t *testing.T, server client.Client) { record(t, replica(server, nil), podSignal()) },
		"deleted": func(t *testing.T, server client.Client) {
			if err := server.DeleteAllOf(t.Context(), &v1alpha1.RemediationRequest{}, client.InNamespace("shop")); err != nil {
				t.Fatal(err)
			}
		},
	} {
		server := apiServer(t, interceptor.Funcs{})
		record(t, replica(server, nil), podSignal())
		stale := requests(t, server)
		change(t, server)
		hint := apiServer(t, interceptor.Funcs{List: func(_ context.Context, _ client.WithWatch, list client.ObjectList, _ ...client.ListOption) error {
			list.(*v1alpha1.RemediationRequestList).Items = stale
			return nil
		}})
		got := record(t, replica(server, hint), podSignal())
		want := map[string]Outcome{
			"over":    {Created: true, Name: requestName(podSignal().Fingerprint(), 2), Namespace: "shop", Occurrences: 1},
			"counted": {Name: requestName(podSignal().Fingerprint(), 1), Namespace: "shop", Occurrences: 3},
			"deleted": {Created: true, Name: requestName(podSignal().Fingerprint(), 1), Namespace: "shop", Occurrences: 1},
		}[name]
		if got != want {
			t.Errorf("%s: got %+v, want %+v", name, got, want)
		}
	}
}

// TestRequestWithoutACountStandsForOneSignal lets another replica count first.
func TestRequestWithoutACountStandsForOneSignal(t *testing.T) {
	signal := podSignal()
	left := newRequest(signal, signal.Fingerprint(), requestName(signal.Fingerprint(), 1), "other")
	server := apiServer(t, interceptor.Funcs{}, left)
	signal.ReceivedTime = received().Add(time.Minute)
	if got := record(t, replica(server, nil), signal); got.Occurrences != 2 || got.Created {
		t.Errorf("got %+v", got)
	}
	status := requests(t, server)[0].Status.Deduplication
	if status.OccurrenceCount != 2 || !status.FirstSeenAt.Time.Equal(received()) {
		t.Errorf("deduplication %+v", status)
	}
}

func TestSenderThatWentAwayIsNotCounted(t *testing.T) {
	server := apiServer(t, interceptor.Funcs{})
	d := replica(server, nil)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := d.Record(gone, podSignal()); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if got := record(t, d, podSignal()); !got.Created || got.Occurrences != 1 {
		t.Errorf("got %+v", got)
	}
}
