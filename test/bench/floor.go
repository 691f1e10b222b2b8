package bench

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/hybrid-e2e/hybrid/api/remediation/v1alpha1"
)

// floorDuration is long enough for thousands of writes.
const floorDuration = 10 * time.Second

// Floor is what the API server does with one kind of the Gateway's writes when there
// is no Gateway between: no way through the Gateway that makes the same writes can be
// faster on this machine.
type Floor struct {
	Write   string `json:"write"`
	Clients int    `json:"clients"`
	Writes  int    `json:"writes"`
	// PerSecond is the rate with all clients writing without a pause, P50 and P99 the
	// time of one write in milliseconds.
	PerSecond float64 `json:"per_second"`
	P50       float64 `json:"p50_ms"`
	P99       float64 `json:"p99_ms"`
	// Server is how many processors kept the API server busy.
	Server float64 `json:"apiserver_cores"`
}

// floors measures both writes: a new request, by as many clients as there are
// connections, and one count more, by one client for each open problem.
func (m *measurement) floors(ctx context.Context) error {
	for _, f := range []struct {
		name    string
		clients int
		write   func(ctx context.Context, i, n int) error
	}{
		{"creation", m.options.Connections, m.floorCreation},
		{"count", m.options.Problems, m.floorCount},
	} {
		fmt.Fprintf(m.out, "  API server alone, %s: %d clients for %s\n", f.name, f.clients, floorDuration)
		floor, err := m.floor(ctx, f.clients, f.write)
		if err != nil {
			return fmt.Errorf("API server alone, %s: %w", f.name, err)
		}
		floor.Write = f.name
		m.report.Floors = append(m.report.Floors, floor)
	}
	return nil
}

// floor lets the clients write, each one write after the other. The write is told
// the client's number and its own.
func (m *measurement) floor(ctx context.Context, clients int, write func(ctx context.Context, i, n int) error) (Floor, error) {
	before, err := m.system.apiserver(ctx)
	if err != nil {
		return Floor{}, err
	}
	var running sync.WaitGroup
	start, took, errs := time.Now(), make([][]time.Duration, clients), make([]error, clients)
	for i := range clients {
		running.Go(func() {
			for n := 0; time.Since(start) < floorDuration && errs[i] == nil; n++ {
				begun := time.Now()
				errs[i] = write(ctx, i, n)
				took[i] = append(took[i], time.Since(begun))
			}
		})
	}
	running.Wait()
	seconds := time.Since(start).Seconds()
	for _, err := range errs {
		if err != nil {
			return Floor{}, err
		}
	}
	after, err := m.system.apiserver(ctx)
	all := slices.Sorted(slices.Values(slices.Concat(took...)))
	return Floor{
		Clients: clients, Writes: len(all), PerSecond: float64(len(all)) / seconds,
		P50: millis(quantile(all, 0.50)), P99: millis(quantile(all, 0.99)), Server: series{before, after}.cores(),
	}, err
}

// quantile of sorted durations; 0 of none.
func quantile(sorted []time.Duration, q float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))]
}

// floorCreation makes a request as the Gateway would.
func (m *measurement) floorCreation(ctx context.Context, i, n int) error {
	return m.system.kube.Create(ctx, m.floorRequest(i, strconv.Itoa(n)))
}

// floorCount counts in the client's own request, which is made with the first count.
func (m *measurement) floorCount(ctx context.Context, i, n int) error {
	request := m.floorRequest(i, "known")
	if n == 0 {
		if err := m.system.kube.Create(ctx, request); err != nil {
			return err
		}
	}
	return m.system.count(ctx, request, n+1)
}

// floorRequest is of the size of the Gateway's. Without the label that the Gateway
// puts on its own it is not taken for one of them when signals are counted.
func (m *measurement) floorRequest(i int, name string) *v1alpha1.RemediationRequest {
	name = fmt.Sprintf("floor-%d-%s", i, name)
	now := metav1.NewTime(m.sender.now().UTC())
	return &v1alpha1.RemediationRequest{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: m.sender.namespace, Name: name,
			Labels: map[string]string{
				v1alpha1.LabelSignalType: string(v1alpha1.SignalTypePrometheusAlert),
				v1alpha1.LabelSeverity:   string(v1alpha1.SeverityCritical),
			},
		},
		Spec: v1alpha1.RemediationRequestSpec{
			SignalFingerprint: fmt.Sprintf("%064x", i), SignalName: "PodCrashLooping",
			Severity: v1alpha1.SeverityCritical, SignalType: v1alpha1.SignalTypePrometheusAlert,
			TargetType:     v1alpha1.TargetTypeKubernetes,
			TargetResource: v1alpha1.TargetResource{Kind: "Pod", Name: name, Namespace: m.sender.namespace},
			FiringTime:     now, ReceivedTime: now,
			OriginalPayload: fmt.Sprintf(body, m.sender.namespace, name),
		},
	}
}

// count writes the status that the Gateway writes.
func (s *system) count(ctx context.Context, request *v1alpha1.RemediationRequest, total int) error {
	now := time.Now().UTC().Format(time.RFC3339)
	patch := fmt.Appendf(nil, `{"status":{"deduplication":{"firstSeenAt":%q,"lastSeenAt":%q,"occurrenceCount":%d,"lastWriteID":"%036d"}}}`,
		now, now, total, total)
	return s.kube.Status().Patch(ctx, request, client.RawPatch(types.MergePatchType, patch))
}
