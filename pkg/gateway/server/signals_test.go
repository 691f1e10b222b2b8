package server

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/hybrid-e2e/hybrid/pkg/gateway/adapters"
	"github.com/hybrid-e2e/hybrid/pkg/gateway/config"
	"github.com/hybrid-e2e/hybrid/pkg/gateway/metrics"
	"github.com/hybrid-e2e/hybrid/pkg/gateway/middleware"
	"github.com/hybrid-e2e/hybrid/pkg/gateway/processing"
	"github.com/hybrid-e2e/hybrid/pkg/problem"
)

// book records signals in memory, and fails those whose target it is told to.
type book struct {
	mu   sync.Mutex
	seen map[string]int64
	fail map[string]error
}

func (b *book) Record(_ context.Context, signal adapters.Signal) (processing.Outcome, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.fail[signal.Target.Name]; err != nil {
		return processing.Outcome{}, &processing.RecordError{Request: "rr-" + signal.Target.Name, Err: err}
	}
	b.seen[signal.Target.Name]++
	n := b.seen[signal.Target.Name]
	return processing.Outcome{
		Created: n == 1, Name: "rr-" + signal.Target.Name, Namespace: signal.Target.Namespace, Occurrences: n,
		Fallback: signal.Target.Namespace == "gone",
	}, nil
}

type allow middleware.Decision

func (a allow) Authorize(context.Context, string, string, string) (middleware.Decision, error) {
	return middleware.Decision(a), nil
}

type fixture struct {
	server   *Server
	book     *book
	registry *prometheus.Registry
	logs     *bytes.Buffer
	handler  http.Handler
}

func newFixture(t *testing.T, adjust func(*Server)) *fixture {
	t.Helper()
	f := &fixture{
		book:     &book{seen: map[string]int64{}, fail: map[string]error{}},
		registry: prometheus.NewRegistry(), logs: &bytes.Buffer{},
	}
	logger := NewLogger(f.logs, nil)
	f.server = &Server{
		Config: config.Default(), Recorder: f.book, Authorizer: allow(middleware.Allowed), Metrics: metrics.New(f.registry),
		Health: NewHealth(func() bool { return true }, func(context.Context) error { return nil }, logger), Logger: logger,
	}
	if adjust != nil {
		adjust(f.server)
	}
	handler, err := f.server.Handler()
	if err != nil {
		t.Fatal(err)
	}
	f.handler = handler
	return f
}

func (f *fixture) send(path, body string, change func(*http.Request)) *httptest.ResponseRecorder {
	request := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
	request.Header.Set("Authorization", "Bearer t")
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("X-Timestamp", strconv.FormatInt(time.Now().Unix(), 10))
	if change != nil {
		change(request)
	}
	recorder := httptest.NewRecorder()
	f.handler.ServeHTTP(recorder, request)
	return recorder
}

func alertOf(pod string) string {
	return fmt.Sprintf(`{"labels":{"alertname":"A","pod":%q,"namespace":"shop","severity":"critical"}}`, pod)
}

func webhook(alerts ...string) string {
	return `{"version":"4","status":"firing","alerts":[` + strings.Join(alerts, ",") + `]}`
}

func decoded[T any](t *testing.T, recorder *httptest.ResponseRecorder) T {
	t.Helper()
	var into T
	if err := json.Unmarshal(recorder.Body.Bytes(), &into); err != nil {
		t.Fatalf("%v: %s", err, recorder.Body)
	}
	return into
}

func (f *fixture) metric(t *testing.T, name, labels, want string) {
	t.Helper()
	families, err := f.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			var pairs []string
			for _, label := range metric.GetLabel() {
				pairs = append(pairs, label.GetValue())
			}
			if family.GetName() == name && strings.Join(pairs, ",") == labels {
				if got := strconv.FormatFloat(metric.GetCounter().GetValue(), 'f', -1, 64); got != want {
					t.Errorf("%s{%s} is %s, want %s", name, labels, got, want)
				}
				return
			}
		}
	}
	t.Errorf("no metric %s{%s}", name, labels)
}

func TestSingleSignals(t *testing.T) {
	f := newFixture(t, nil)
	created := f.send(PathPrometheus, webhook(alertOf("p")), nil)
	got := decoded[Single](t, created)
	want := Single{
		Status: StatusCreated, Name: "rr-p", Namespace: "shop", OccurrenceCount: 1, RequestID: created.Header().Get("X-Request-ID"),
		Fingerprint: adapters.Signal{Name: "A", Target: adapters.Target{Kind: "Pod", Name: "p", Namespace: "shop"}}.Fingerprint(),
	}
	if created.Code != 201 || got != want || got.RequestID == "" {
		t.Errorf("created: %d %+v", created.Code, got)
	}
	duplicate := f.send(PathAlertmanager, webhook(alertOf("p")), func(r *http.Request) { r.Header.Del("X-Timestamp") })
	if got := decoded[Single](t, duplicate); duplicate.Code != 202 || got.Status != StatusDuplicate || got.OccurrenceCount != 2 {
		t.Errorf("duplicate: %d %+v", duplicate.Code, got)
	}
	resolved := f.send(PathPrometheus, strings.Replace(webhook(alertOf("new")), "firing", "resolved", 1), nil)
	if got := decoded[Single](t, resolved); resolved.Code != 200 || got.Status != StatusResolved || got.Name != "" || f.book.seen["new"] != 0 {
		t.Errorf("resolved: %d %+v", resolved.Code, got)
	}
	event := f.send(PathKubernetesEvent, `{"type":"Warning","reason":"OOMKilled","involvedObject":{"kind":"Pod","name":"e","namespace":"gone"}}`, nil)
	if got := decoded[Single](t, event); event.Code != 201 || got.Name != "rr-e" {
		t.Errorf("event: %d %+v", event.Code, got)
	}
	f.metric(t, "gateway_signals_received_total", "critical,prometheus-alert", "3")
	f.metric(t, "gateway_signals_received_total", "critical,kubernetes-event", "1")
	f.metric(t, "gateway_crds_created_total", "prometheus-alert,created", "1")
	f.metric(t, "gateway_crds_created_total", "kubernetes-event,fallback", "1")
	f.metric(t, "gateway_signals_deduplicated_total", "prometheus-alert", "1")
	if got := testutil.CollectAndCount(f.registry, "gateway_http_request_duration_seconds"); got != 4 {
		t.Errorf("%d series of durations", got)
	}
	if !strings.Contains(f.logs.String(), `"request_id":"`+want.RequestID+`"`) {
		t.Error("the request id is not in the log")
	}
}

func invalid() error {
	return apierrors.NewInvalid(schema.GroupKind{Kind: "RemediationRequest"}, "x", nil)
}

func TestSingleSignalsThatFail(t *testing.T) {
	f := newFixture(t, nil)
	f.book.fail = map[string]error{"down": errors.New("dial tcp 10.0.0.1"), "odd": invalid()}
	passing := f.send(PathPrometheus, webhook(alertOf("down")), nil)
	if got := decoded[problem.Problem](t, passing); passing.Code != 503 || got.Type != problem.TypeServiceUnavailable ||
		passing.Header().Get("Retry-After") != "5" || strings.Contains(got.Detail, "10.0.0.1") {
		t.Errorf("passing: %d %+v", passing.Code, got)
	}
	lasting := f.send(PathPrometheus, webhook(alertOf("odd")), nil)
	if got := decoded[problem.Problem](t, lasting); lasting.Code != 400 || got.Type != problem.TypeValidation || got.Detail != "Kubernetes refuses to store this signal." {
		t.Errorf("lasting: %d %+v", lasting.Code, got)
	}
	f.metric(t, "gateway_crd_creation_errors_total", "other", "1")
	f.metric(t, "gateway_crd_creation_errors_total", "invalid", "1")
	f.metric(t, "gateway_signals_rejected_total", "refused_by_kubernetes", "1")
}

func TestSeveralAlerts(t *testing.T) {
	f := newFixture(t, nil)
	f.book.seen["old"] = 4
	f.book.fail["odd"] = invalid()
	answer := f.send(PathPrometheus, webhook(
		alertOf("new"), alertOf("old"), `{"status":"resolved",`+alertOf("x")[1:], `{"labels":{"pod":"p"}}`, alertOf("odd")), nil)
	got := decoded[Several](t, answer)
	if answer.Code != 207 || got.RequestID != answer.Header().Get("X-Request-ID") ||
		got.Summary != (Summary{Total: 5, Created: 1, Deduplicated: 1, Resolved: 1, Rejected: 1, Failed: 1}) {
		t.Errorf("%d %+v", answer.Code, got.Summary)
	}
	var brief []string
	for _, result := range got.Results {
		brief = append(brief, fmt.Sprintf("%d %s %s %s", result.Index, result.Status, result.Name, result.Detail))
	}
	want := []string{
		"0 created rr-new ", "1 duplicate rr-old ", "2 resolved  ", "3 rejected  Label alertname is missing.",
		"4 failed  Kubernetes refuses to store this signal.",
	}
	if !slices.Equal(brief, want) {
		t.Errorf("got %q", brief)
	}
}

func TestSeveralAlertsOfWhichOneShouldBeSentAgain(t *testing.T) {
	f := newFixture(t, nil)
	f.book.fail["down"] = errors.New("down")
	answer := f.send(PathPrometheus, webhook(alertOf("a"), alertOf("down")), nil)
	got := decoded[struct {
		Type    string
		Summary Summary
		Results []Result
	}](t, answer)
	if answer.Code != 503 || answer.Header().Get("Retry-After") != "5" || got.Type != problem.TypeServiceUnavailable ||
		got.Summary != (Summary{Total: 2, Created: 1, Failed: 1}) || got.Results[1].Status != StatusFailed {
		t.Errorf("%d %+v", answer.Code, got)
	}
	delete(f.book.fail, "down")
	again := f.send(PathPrometheus, webhook(alertOf("a"), alertOf("down")), nil)
	if got := decoded[Several](t, again); again.Code != 207 || got.Summary != (Summary{Total: 2, Created: 1, Deduplicated: 1}) {
		t.Errorf("again: %d %+v", again.Code, got.Summary)
	}
}

func TestRefusalsComeInTheOrderOfTheContract(t *testing.T) {
	huge := strings.Repeat(" ", 256<<10) + "{}"
	stale := func(r *http.Request) { r.Header.Set("X-Timestamp", "1") }
	plain := func(r *http.Request) { stale(r); r.Header.Set("Content-Type", "text/plain") }
	for name, test := range map[string]struct {
		decision middleware.Decision
		path     string
		body     string
		change   func(*http.Request)
		code     int
		kind     string
	}{
		"token first":           {middleware.Unauthenticated, PathPrometheus, huge, plain, 401, problem.TypeUnauthorized},
		"permission next":       {middleware.Forbidden, PathPrometheus, huge, plain, 403, problem.TypeForbidden},
		"size before type":      {middleware.Allowed, PathPrometheus, huge, plain, 413, problem.TypePayloadTooLarge},
		"type before time":      {middleware.Allowed, PathPrometheus, "{", plain, 415, problem.TypeUnsupportedMediaType},
		"time before content":   {middleware.Allowed, PathPrometheus, "{", stale, 400, problem.TypeValidation},
		"content last":          {middleware.Allowed, PathPrometheus, "{", nil, 400, problem.TypeValidation},
		"optional, but checked": {middleware.Allowed, PathAlertmanager, webhook(alertOf("p")), stale, 400, problem.TypeValidation},
		"event without time":    {middleware.Allowed, PathKubernetesEvent, "{}", func(r *http.Request) { r.Header.Del("X-Timestamp") }, 400, problem.TypeValidation},
		"one bad alert":         {middleware.Allowed, PathPrometheus, webhook(`{"labels":{}}`), nil, 400, problem.TypeValidation},
		"unknown path":          {middleware.Unauthenticated, "/api/v1/signals/other", "", nil, 404, problem.TypeNotFound},
		"unknown method":        {middleware.Unauthenticated, PathPrometheus, "", func(r *http.Request) { r.Method = "DELETE" }, 405, problem.TypeMethodNotAllowed},
	} {
		f := newFixture(t, func(s *Server) { s.Authorizer = allow(test.decision) })
		answer := f.send(test.path, test.body, test.change)
		got := decoded[problem.Problem](t, answer)
		if answer.Code != test.code || got.Type != test.kind || got.Status != test.code || got.Instance != test.path {
			t.Errorf("%s: %d %+v", name, answer.Code, got)
		}
		if got.RequestID == "" || got.RequestID != answer.Header().Get("X-Request-ID") || answer.Header().Get("X-Frame-Options") != "DENY" {
			t.Errorf("%s: request id %q, headers %v", name, got.RequestID, answer.Header())
		}
		if test.code == 405 && answer.Header().Get("Allow") != "POST" {
			t.Errorf("%s: Allow %q", name, answer.Header().Values("Allow"))
		}
	}
}

func TestWithoutAuthEverybodyMaySend(t *testing.T) {
	f := newFixture(t, func(s *Server) { s.Config.Auth.Enabled = false; s.Authorizer = nil })
	answer := f.send(PathPrometheus, webhook(alertOf("p")), func(r *http.Request) { r.Header.Del("Authorization") })
	if answer.Code != 201 {
		t.Errorf("%d %s", answer.Code, answer.Body)
	}
}

func TestABadNetworkIsRefused(t *testing.T) {
	s := &Server{Config: config.Default()}
	s.Config.Server.TrustedProxies = []string{"nowhere"}
	if _, err := s.Handler(); err == nil {
		t.Error("accepted")
	}
}
