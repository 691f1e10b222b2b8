package datastorage_test

import (
	"bytes"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/hybrid-e2e/hybrid/pkg/datastorage/realstores"
	"github.com/hybrid-e2e/hybrid/pkg/datastorage/server"
)

// The benchmarks run the whole service against real stores on this machine. They are
// for profiles (-cpuprofile, -memprofile) and for comparing two ways; what is promised
// is measured in a cluster by mage bench:datastorage.

// eventBody is one event of the size that the Gateway sends.
func eventBody(correlation string, at time.Time) []byte {
	return fmt.Appendf(nil, `{"event_id": %q, "event_version": "1.0", "event_timestamp": %q,
		"event_type": "gateway.signal.received", "event_category": "gateway", "event_action": "received",
		"event_outcome": "success", "severity": "critical", "actor_type": "service", "actor_id": "gateway",
		"resource_type": "RemediationRequest", "resource_id": %q, "correlation_id": %q, "namespace": "shop",
		"event_data": {"signal_name": "KubePodCrashLooping", "signal_type": "prometheus-alert", "fingerprint": %q, "target": {"kind": "Pod", "name": "cart-0"}}}`,
		uuid.NewString(), at.UTC().Format(time.RFC3339Nano), correlation, correlation, uuid.NewString())
}

func batchBody(count int, at time.Time) []byte {
	events := make([][]byte, count)
	for i := range events {
		events[i] = eventBody(fmt.Sprintf("rr-%s", uuid.NewString()), at.Add(time.Duration(i)*time.Microsecond))
	}
	return slicesOfEvents(events)
}

func slicesOfEvents(events [][]byte) []byte {
	return append(append([]byte(`{"events": [`), bytes.Join(events, []byte(","))...), "]}"...)
}

func BenchmarkBatchWrites(b *testing.B) {
	for _, size := range []int{1, 100, 1000} {
		b.Run(fmt.Sprintf("%d", size), func(b *testing.B) { benchmarkWrites(b, size) })
	}
}

func benchmarkWrites(b *testing.B, size int) {
	database, err := realstores.StartPostgreSQL()
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = database.Close() }()
	queue, err := realstores.StartRedis()
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = queue.Close() }()
	c := quick()
	c.PostgreSQL, c.Redis = database.Database(b), queue.Config(b)
	c.Write.PostgreSQLTimeout = time.Minute
	r := serve(b, c)
	eventually(b, "ready", func() bool { return r.ready(b) == http.StatusOK })
	at := time.Now()
	b.SetParallelism(2)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			request, err := http.NewRequestWithContext(b.Context(), http.MethodPost, "http://"+r.Address()+server.PathBatch, bytes.NewReader(batchBody(size, at)))
			if err != nil {
				b.Error(err)
				return
			}
			request.Header.Set("Content-Type", "application/json")
			answer, err := http.DefaultClient.Do(request)
			if err != nil {
				b.Error(err)
				return
			}
			_ = answer.Body.Close()
			if answer.StatusCode != http.StatusCreated {
				b.Errorf("status %d", answer.StatusCode)
			}
		}
	})
	b.ReportMetric(float64(b.N*size)/b.Elapsed().Seconds(), "events/s")
}
