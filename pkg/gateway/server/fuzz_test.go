package server

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/hybrid-e2e/hybrid/pkg/audit"
	"github.com/hybrid-e2e/hybrid/pkg/datastorage/event"
	"github.com/hybrid-e2e/hybrid/pkg/gateway/adapters"
	"github.com/hybrid-e2e/hybrid/pkg/gateway/config"
	"github.com/hybrid-e2e/hybrid/pkg/gateway/metrics"
	"github.com/hybrid-e2e/hybrid/pkg/gateway/middleware"
	"github.com/hybrid-e2e/hybrid/pkg/gateway/processing"
	"github.com/hybrid-e2e/hybrid/pkg/problem"
)

// inspector looks at each signal instead of storing it.
type inspector struct{ inspect func(adapters.Signal) error }

func (i *inspector) Record(_ context.Context, signal adapters.Signal) (processing.Outcome, error) {
	if err := i.inspect(signal); err != nil {
		return processing.Outcome{}, err
	}
	return processing.Outcome{Created: true, Name: "rr-x", Namespace: signal.Target.Namespace, Occurrences: 1}, nil
}

// FuzzHandler sends arbitrary bodies to the assembled routes. Whatever is recorded
// must be storable in Kubernetes and in DataStorage, and every answer proper.
func FuzzHandler(f *testing.F) {
	sent := []byte(`{"type":"Warning","reason":"OOMKilled","involvedObject":{"kind":"Pod","name":"e","namespace":"gone"}}`)
	f.Add(PathPrometheus, "POST", "application/json", int64(0), false, []byte(webhook(alertOf("p"))))
	f.Add(PathAlertmanager, "POST", "", int64(-301), true, []byte(webhook(alertOf("p"), alertOf("q"), "7", `{"labels":{"pod":"p","pod":"q"}}`)))
	f.Add(PathKubernetesEvent, "POST", "application/json", int64(121), false, sent)
	f.Add(PathKubernetesEvent, "PUT", "text/html", int64(0), false, sent)
	f.Add("/api/v1/../%2e/signals//prometheus", "GET", "", int64(0), false, []byte("\xff"))
	f.Add("/ready", "HEAD", "", int64(0), false, []byte(nil))
	recorder := &inspector{}
	now := time.Unix(1_800_000_000, 0)
	logger := slog.New(slog.DiscardHandler)
	server := &Server{
		Config: config.Default(), Recorder: recorder, Authorizer: allow(middleware.Allowed), Metrics: metrics.New(prometheus.NewRegistry()),
		Health: NewHealth(func() bool { return true }, func(context.Context) error { return nil }, logger),
		Logger: logger, Now: func() time.Time { return now },
	}
	server.Config.Processing.BatchParallelism = 1
	handler, err := server.Handler()
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, path, method, contentType string, ahead int64, fail bool, body []byte) {
		request, err := http.NewRequestWithContext(t.Context(), method, "http://gateway/"+strings.TrimPrefix(path, "/"), bytes.NewReader(body))
		if err != nil {
			return // net/http would not have passed it on.
		}
		recorded := 0
		recorder.inspect = func(signal adapters.Signal) error {
			checkStorable(t, signal, now)
			recorded++
			if fail {
				return errors.New("dial tcp 10.0.0.1:443: /var/run/secrets: goroutine 1")
			}
			return nil
		}
		request.RemoteAddr = "192.0.2.1:1234"
		request.Header.Set("Authorization", "Bearer t")
		request.Header.Set("Content-Type", contentType)
		request.Header.Set("X-Timestamp", strconv.FormatInt(now.Unix()+ahead, 10))
		answer := httptest.NewRecorder()
		handler.ServeHTTP(answer, request)
		checkAnswer(t, answer)
		if recorded > 0 && (method != "POST" || ahead < -300 || ahead > 120 || len(body) > 256<<10 || fail != (answer.Code == 503)) {
			t.Errorf("recorded %d of %s %q, answered %d", recorded, method, path, answer.Code)
		}
	})
}

// checkStorable is what the RemediationRequest and the audit trail ask of a signal.
func checkStorable(t *testing.T, signal adapters.Signal, now time.Time) {
	t.Helper()
	fingerprint := signal.Fingerprint()
	for _, value := range []string{signal.Name, signal.Target.Kind, signal.Target.Name} {
		if length := utf8.RuneCountInString(value); length == 0 || length > 253 || !utf8.ValidString(value) {
			t.Errorf("recorded %+v", signal)
		}
	}
	if len(validation.IsDNS1123Label(signal.Target.Namespace)) > 0 || !regexp.MustCompile("^[a-f0-9]{64}$").MatchString(fingerprint) {
		t.Errorf("recorded %+v", signal)
	}
	about := audit.Subject{Request: "rr-x", Namespace: signal.Target.Namespace, Severity: string(signal.Severity)}
	batch, err := json.Marshal(map[string][]audit.Event{"events": {
		audit.NewEvent(signalReceived, audit.Success, about, signal.ReceivedTime, eventData(signal, fingerprint)),
	}})
	if err != nil {
		t.Fatal(err)
	}
	rules := event.Rules{Now: now, MaxAge: 7 * 24 * time.Hour, MaxAhead: 5 * time.Minute}
	stored, err := event.DecodeBatch(batch, 1, rules)
	if err != nil {
		t.Fatalf("DataStorage refuses %s: %v", batch, err)
	}
	var data struct {
		Name   string `json:"signal_name"`
		Target struct{ Kind, Name, Namespace string }
	}
	if err := json.Unmarshal(stored[0].Data, &data); err != nil || data.Name != signal.Name || adapters.Target(data.Target) != signal.Target {
		t.Errorf("DataStorage keeps %s of %+v", stored[0].Data, signal)
	}
}

// checkAnswer wants JSON with the security headers; a refusal is a problem of a
// status that the contract has, and says nothing of the program.
func checkAnswer(t *testing.T, answer *httptest.ResponseRecorder) {
	t.Helper()
	header := answer.Header()
	if header.Get("X-Content-Type-Options") != "nosniff" || header.Get("X-Frame-Options") != "DENY" || header.Get("X-Request-ID") == "" ||
		header.Get("Content-Security-Policy") != "default-src 'none'" || header.Get("Referrer-Policy") != "no-referrer" {
		t.Errorf("%d with the headers %v", answer.Code, header)
	}
	if !json.Valid(answer.Body.Bytes()) {
		t.Fatalf("%d with %q", answer.Code, answer.Body)
	}
	switch answer.Code {
	case 200, 201, 202, 207:
		return
	case 400, 404, 405, 413, 415, 503:
	default:
		t.Errorf("answered %d", answer.Code)
	}
	var got problem.Problem
	if err := json.Unmarshal(answer.Body.Bytes(), &got); err != nil || header.Get("Content-Type") != problem.ContentType ||
		got.Status != answer.Code || !strings.HasPrefix(got.Type, problem.Base) || got.RequestID != header.Get("X-Request-ID") {
		t.Errorf("%d with %s", answer.Code, answer.Body)
	}
	// What stands in quotes is the sender's own.
	own := regexp.MustCompile(`"(\\.|[^"\\])*"`).ReplaceAllString(got.Detail, "")
	for _, inside := range []string{"json:", "Go ", "adapters.", "struct", ".go:", "time.Time", "Unmarshal", "goroutine", "map[", "10.0.0.1", "/var/"} {
		if strings.Contains(own, inside) {
			t.Errorf("the detail %q has %q", got.Detail, inside)
		}
	}
}
