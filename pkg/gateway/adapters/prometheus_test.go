package adapters

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/hybrid-e2e/hybrid/api/remediation/v1alpha1"
)

func received() time.Time { return time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC) }

func TestPrometheusReadsTheWholeAlert(t *testing.T) {
	body := `{"version":"4","status":"firing","receiver":"gateway",
		"commonLabels":{"namespace":"common","team":"a"},"commonAnnotations":{"runbook":"r","summary":"common"},
		"alerts":[{"status":"firing","labels":{"alertname":"CrashLoop","namespace":"shop","pod":"cart-0","severity":"critical"},
		"annotations":{"summary":"own"},"startsAt":"2026-11-23T11:59:00Z","endsAt":"0001-01-01T00:00:00Z","generatorURL":"http://p"}]}`
	parsed, err := Prometheus{}.Parse([]byte(body), received())
	if err != nil || len(parsed) != 1 || parsed[0].Err != nil {
		t.Fatalf("got %+v, %v", parsed, err)
	}
	got := parsed[0].Signal
	if got.Name != "CrashLoop" || got.Severity != v1alpha1.SeverityCritical ||
		got.Type != v1alpha1.SignalTypePrometheusAlert || got.Source != "prometheus" || got.Resolved {
		t.Errorf("got %+v", got)
	}
	if got.Target != (Target{Kind: "Pod", Name: "cart-0", Namespace: "shop"}) {
		t.Errorf("target %+v", got.Target)
	}
	if got.Labels["team"] != "a" || got.Labels["namespace"] != "shop" || got.Annotations["summary"] != "own" || got.Annotations["runbook"] != "r" {
		t.Errorf("labels %v, annotations %v", got.Labels, got.Annotations)
	}
	if !got.FiringTime.Equal(time.Date(2026, 11, 23, 11, 59, 0, 0, time.UTC)) || !got.ReceivedTime.Equal(received()) {
		t.Errorf("times %s %s", got.FiringTime, got.ReceivedTime)
	}
	if !strings.HasPrefix(got.Payload, `{"status":"firing","labels":{"alertname":"CrashLoop"`) {
		t.Errorf("payload %q", got.Payload)
	}
}

func TestPrometheusTargets(t *testing.T) {
	for labels, want := range map[string]Target{
		`"pod":"p","node":"n"`:                               {"Pod", "p", "default"},
		`"pod":"","node":"n"`:                                {"Node", "n", "default"},
		`"deployment":"d","statefulset":"s"`:                 {"Deployment", "d", "default"},
		`"statefulset":"s","daemonset":"x"`:                  {"StatefulSet", "s", "default"},
		`"daemonset":"x","job":"j"`:                          {"DaemonSet", "x", "default"},
		`"job":"j","node":"n"`:                               {"Job", "j", "default"},
		`"service":"s","exported_namespace":"e"`:             {"Service", "s", "e"},
		`"pod":"p","exported_namespace":"e","namespace":"n"`: {"Pod", "p", "n"},
	} {
		parsed, err := Prometheus{}.Parse([]byte(`{"alerts":[{"labels":{"alertname":"A",`+labels+`}}]}`), received())
		if err != nil || parsed[0].Err != nil {
			t.Errorf("%s: %v %v", labels, err, parsed)
			continue
		}
		if got := parsed[0].Signal.Target; got != want {
			t.Errorf("%s: got %+v, want %+v", labels, got, want)
		}
		if got := parsed[0].Signal.FiringTime; !got.Equal(received()) {
			t.Errorf("%s: firing time %s", labels, got)
		}
	}
}

func TestPrometheusSeverities(t *testing.T) {
	for label, want := range map[string]v1alpha1.Severity{
		"critical": "critical", "warning": "warning", "info": "info", "": "warning", "page": "warning", "CRITICAL": "warning",
	} {
		if got := alertSeverity(label); got != want {
			t.Errorf("%q: got %s, want %s", label, got, want)
		}
	}
}

func TestPrometheusResolved(t *testing.T) {
	for _, body := range []string{
		`{"status":"resolved","alerts":[{"labels":{"alertname":"A","pod":"p"}}]}`,
		`{"status":"firing","alerts":[{"status":"resolved","labels":{"alertname":"A","pod":"p"}}]}`,
	} {
		parsed, err := Prometheus{}.Parse([]byte(body), received())
		if err != nil || parsed[0].Err != nil || !parsed[0].Signal.Resolved {
			t.Errorf("%s: got %+v, %v", body, parsed, err)
		}
	}
}

func TestPrometheusRefusesSingleAlerts(t *testing.T) {
	for alert, want := range map[string]string{
		`{"labels":{"pod":"p"}}`:                                   "label alertname is missing",
		`{"labels":{"alertname":"A"}}`:                             "no target: none of the labels pod, deployment, statefulset, daemonset, job, node, service is set",
		`{"labels":{"alertname":"A","pod":"p","namespace":"a_b"}}`: "the namespace is not a valid name",
		`{"status":"odd","labels":{"alertname":"A","pod":"p"}}`:    `status "odd" is neither firing nor resolved`,
		`{"labels":{"alertname":"A\u0000","pod":"p"}}`:             "the name of the signal has a control character",
		`{"labels":"none"}`:                                        "labels cannot be a string",
		`{"startsAt":"yesterday"}`:                                 "a time is not in RFC 3339 form",
		`7`:                                                        "it cannot be a number",
		`{"labels":{"alertname":"` + strings.Repeat("é", 254) + `","pod":"p"}}`: "the name of the signal is longer than 253 characters",
	} {
		body := `{"alerts":[` + alert + `,{"labels":{"alertname":"A","pod":"p"}}]}`
		parsed, err := Prometheus{}.Parse([]byte(body), received())
		if err != nil || len(parsed) != 2 {
			t.Errorf("%s: %v", alert, err)
			continue
		}
		if parsed[0].Err == nil || !strings.Contains(parsed[0].Err.Error(), want) {
			t.Errorf("%s: got %v, want %s", alert, parsed[0].Err, want)
		}
		if parsed[1].Err != nil {
			t.Errorf("%s: spoils the next alert: %v", alert, parsed[1].Err)
		}
	}
}

func TestPrometheusRefusesWholeBodies(t *testing.T) {
	for body, want := range map[string]string{
		``:                              "unexpected end of JSON input",
		`{"alerts":[]}`:                 "the webhook has no alerts",
		`{}`:                            "the webhook has no alerts",
		`{"alerts":{}}`:                 "alerts cannot be a object",
		`{"alerts":[{}]} trailing`:      "invalid character",
		`{"version":"3","alerts":[{}]}`: `version "3" of the webhook is not supported`,
	} {
		_, err := Prometheus{}.Parse([]byte(body), received())
		if !errors.Is(err, ErrMalformed) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", body, err, want)
		}
	}
}

func TestFingerprintIsTheDocumentedHash(t *testing.T) {
	signal := Signal{Name: "HighMemory", Target: Target{Kind: "Pod", Name: "api-1", Namespace: "prod"}}
	// printf 'HighMemory:prod:Pod:api-1' | sha256sum
	const want = "dd1b523fcf6b1619e001fb273c5283b567f697ca44cba3a4334588f2e8fdf46b"
	if got := signal.Fingerprint(); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	signal.Severity, signal.Labels, signal.ReceivedTime = "info", map[string]string{"a": "b"}, received()
	if got := signal.Fingerprint(); got != want {
		t.Errorf("depends on more than name and target: %s", got)
	}
}
