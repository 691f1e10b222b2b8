package server

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/hybrid-e2e/hybrid/pkg/gateway/adapters"
	"github.com/hybrid-e2e/hybrid/pkg/gateway/apiserver"
	"github.com/hybrid-e2e/hybrid/pkg/gateway/config"
	"github.com/hybrid-e2e/hybrid/pkg/gateway/metrics"
)

// TestThreeReplicasAgree sends to three Gateways of one process, each with its own
// clients, cache and port. The API is all that they share, as in a cluster.
func TestThreeReplicasAgree(t *testing.T) {
	for _, api := range apiserver.All(t) {
		t.Run(api.Name, func(t *testing.T) {
			replicas := []string{startReplica(t, api), startReplica(t, api), startReplica(t, api)}
			t.Run("100 identical alerts are one request", func(t *testing.T) { sendIdentical(t, api, replicas) })
			t.Run("50 different alerts are 50 requests", func(t *testing.T) { sendDifferent(t, api, replicas) })
		})
	}
}

func sendIdentical(t *testing.T, api *apiserver.API, replicas []string) {
	const alerts, namespace = 100, "identical"
	api.Namespace(t, namespace)
	answers := sendAll(t, replicas, slices.Repeat([]string{webhook(alertIn(namespace, "cart-0"))}, alerts))

	want := adapters.Signal{Name: "A", Target: adapters.Target{Kind: "Pod", Name: "cart-0", Namespace: namespace}}.Fingerprint()
	requests := api.Requests(t, namespace)
	if len(requests) != 1 {
		t.Fatalf("%d requests", len(requests))
	}
	if counted := requests[0].Status.Deduplication; requests[0].Spec.SignalFingerprint != want || counted == nil || counted.OccurrenceCount != alerts {
		t.Errorf("the request %+v counts %+v", requests[0].Spec, counted)
	}
	codes, numbers := map[int]int{}, []int64{}
	for _, one := range answers {
		codes[one.code]++
		numbers = append(numbers, one.OccurrenceCount)
		if one.Name != requests[0].Name || one.Namespace != namespace || one.Fingerprint != want {
			t.Errorf("answered %+v", one)
		}
		if (one.code == http.StatusCreated) != (one.OccurrenceCount == 1) {
			t.Errorf("%d to number %d", one.code, one.OccurrenceCount)
		}
	}
	if !maps.Equal(codes, map[int]int{http.StatusCreated: 1, http.StatusAccepted: alerts - 1}) {
		t.Errorf("answers by status: %v", codes)
	}
	slices.Sort(numbers)
	for i, number := range numbers {
		if number != int64(i+1) {
			t.Fatalf("numbers %v", numbers)
		}
	}
}

func sendDifferent(t *testing.T, api *apiserver.API, replicas []string) {
	const alerts, namespace = 50, "different"
	api.Namespace(t, namespace)
	bodies := make([]string, alerts)
	want := map[string]int64{}
	for i := range bodies {
		pod := fmt.Sprintf("cart-%d", i)
		bodies[i] = webhook(alertIn(namespace, pod))
		want[adapters.Signal{Name: "A", Target: adapters.Target{Kind: "Pod", Name: pod, Namespace: namespace}}.Fingerprint()] = 1
	}
	for _, one := range sendAll(t, replicas, bodies) {
		if one.code != http.StatusCreated || one.OccurrenceCount != 1 {
			t.Errorf("%d: %+v", one.code, one)
		}
	}
	got := map[string]int64{}
	for _, request := range api.Requests(t, namespace) {
		got[request.Spec.SignalFingerprint] += request.Status.Deduplication.OccurrenceCount
	}
	if !maps.Equal(got, want) {
		t.Errorf("%d fingerprints, want %d: %v", len(got), len(want), got)
	}
}

// startReplica runs a Gateway as Run does, but for authentication and audit, and
// returns its address.
func startReplica(t *testing.T, api *apiserver.API) string {
	t.Helper()
	settings := config.Default()
	settings.Auth.Enabled, settings.Audit.Enabled = false, false
	// What counts is agreement, not speed: a machine under load may take its time.
	settings.Kubernetes.RequestTimeout = config.Duration(time.Minute)
	settings.Processing.Timeout, settings.Server.WriteTimeout = config.Duration(2*time.Minute), config.Duration(3*time.Minute)
	logger := slog.New(slog.DiscardHandler)
	recorded := metrics.New(prometheus.NewRegistry())
	handler, err := assemble(t.Context(), settings, viewOf(t, api, settings.Kubernetes), recorded, logger).Handler()
	if err != nil {
		t.Fatal(err)
	}
	return listen(t, httpServer(handler, settings.Server, logger))
}

// listen serves on a free port until the test ends.
func listen(t *testing.T, server *http.Server) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- serve("a test", server, listener) }()
	t.Cleanup(func() {
		_ = server.Close()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return listener.Addr().String()
}

// viewOf is a replica's own view of the API. The fake is put in place of the
// clients and of the cache; everything else is the same.
func viewOf(t *testing.T, api *apiserver.API, settings config.Kubernetes) *cluster {
	t.Helper()
	if api.Config == nil {
		view := &cluster{live: api.Client, hint: &syncedReader{Reader: api.Client}}
		view.hint.synced.Store(true)
		return view
	}
	view, err := connect(api.Config, settings)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- view.run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the cache: %v", err)
		}
	})
	return view
}

// told is the answer to one alert.
type told struct {
	Single
	code int
}

// sendAll sends every body at the same time, to one replica after the other.
func sendAll(t *testing.T, replicas, bodies []string) []told {
	t.Helper()
	answers := make([]told, len(bodies))
	begin := make(chan struct{})
	var group sync.WaitGroup
	for i, body := range bodies {
		group.Go(func() {
			<-begin
			var err error
			if answers[i], err = sendTo(t.Context(), replicas[i%len(replicas)], body); err != nil {
				t.Error(err)
			}
		})
	}
	close(begin)
	group.Wait()
	return answers
}

func sendTo(ctx context.Context, replica, body string) (told, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+replica+PathPrometheus, strings.NewReader(body))
	if err != nil {
		return told{}, err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("X-Timestamp", strconv.FormatInt(time.Now().Unix(), 10))
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return told{}, err
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return told{}, err
	}
	answer := told{code: response.StatusCode}
	if err := json.Unmarshal(text, &answer.Single); err != nil {
		return told{}, fmt.Errorf("%d with %s: %w", response.StatusCode, text, err)
	}
	return answer, nil
}
