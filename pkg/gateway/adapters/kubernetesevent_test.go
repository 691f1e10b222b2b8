package adapters

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/hybrid-e2e/hybrid/api/remediation/v1alpha1"
)

func TestKubernetesEventReadsBothVersions(t *testing.T) {
	for name, body := range map[string]string{
		"core/v1": `{"apiVersion":"v1","kind":"Event","type":"Warning","reason":"OOMKilled","message":"killed",
			"metadata":{"name":"e","namespace":"shop"},"involvedObject":{"kind":"Pod","name":"cart-0","namespace":"shop"},
			"firstTimestamp":"2026-11-23T11:00:00Z","lastTimestamp":"2026-11-23T11:30:00Z","eventTime":null,"source":{"component":"kubelet","host":"n1"}}`,
		"events.k8s.io/v1": `{"apiVersion":"events.k8s.io/v1","kind":"Event","type":"Warning","reason":"OOMKilled","note":"killed",
			"regarding":{"kind":"Pod","name":"cart-0","namespace":"shop"},"eventTime":"2026-11-23T11:00:00.000000Z","reportingController":"kubelet"}`,
	} {
		parsed, err := KubernetesEvent{}.Parse([]byte(body), received())
		if err != nil || len(parsed) != 1 || parsed[0].Err != nil {
			t.Fatalf("%s: got %+v, %v", name, parsed, err)
		}
		got := parsed[0].Signal
		if got.Name != "OOMKilled" || got.Severity != v1alpha1.SeverityCritical ||
			got.Type != v1alpha1.SignalTypeKubernetesEvent || got.Source != "kubernetes-events" {
			t.Errorf("%s: got %+v", name, got)
		}
		if got.Target != (Target{Kind: "Pod", Name: "cart-0", Namespace: "shop"}) {
			t.Errorf("%s: target %+v", name, got.Target)
		}
		if !got.FiringTime.Equal(time.Date(2026, 11, 23, 11, 0, 0, 0, time.UTC)) {
			t.Errorf("%s: firing time %s", name, got.FiringTime)
		}
		if got.Labels["component"] != "kubelet" || got.Annotations["message"] != "killed" || got.Payload != body {
			t.Errorf("%s: %v %v", name, got.Labels, got.Annotations)
		}
	}
}

func TestKubernetesEventSeverities(t *testing.T) {
	for reason, want := range map[string]v1alpha1.Severity{
		"OOMKilled": "critical", "NodeNotReady": "critical", "FailedScheduling": "critical", "Evicted": "critical",
		"FailedMount": "critical", "NetworkNotReady": "critical", "BackOff": "warning",
	} {
		body := `{"type":"Error","reason":"` + reason + `","involvedObject":{"kind":"Node","name":"n1"}}`
		parsed, err := KubernetesEvent{}.Parse([]byte(body), received())
		if err != nil || parsed[0].Err != nil {
			t.Fatalf("%s: %v %v", reason, err, parsed)
		}
		if got := parsed[0].Signal; got.Severity != want || got.Target.Namespace != "default" || !got.FiringTime.Equal(received()) {
			t.Errorf("%s: got %+v", reason, got)
		}
	}
}

func TestKubernetesEventRefusesEvents(t *testing.T) {
	for body, want := range map[string]string{
		`{"type":"Warning","involvedObject":{"kind":"Pod","name":"p"}}`:                    "reason is missing",
		`{"type":"Warning","reason":"R"}`:                                                  "involvedObject.kind is missing",
		`{"type":"Warning","reason":"R","involvedObject":{"name":"p"}}`:                    "involvedObject.kind is missing",
		`{"type":"Warning","reason":"R","involvedObject":{"kind":"Pod"}}`:                  "involvedObject.name is missing",
		`{"type":"Warning","reason":"R","regarding":{"kind":"Pod"}}`:                       "regarding.name is missing",
		`{"type":"Normal","reason":"R","involvedObject":{"kind":"Pod","name":"p"}}`:        `events of type "Normal" are not problems, send Warning or Error`,
		`{"reason":"R","involvedObject":{"kind":"Pod","name":"p"}}`:                        `events of type "" are not problems, send Warning or Error`,
		`{"type":"Warning","reason":"R","involvedObject":{"kind":"Pod:x","name":"p"}}`:     "the kind of the target has a character that no kind has",
		`{"type":"Warning","reason":"R","involvedObject":{"kind":"Pod","name":"p\u0007"}}`: "the name of the target has a control character",
	} {
		parsed, err := KubernetesEvent{}.Parse([]byte(body), received())
		if err != nil || len(parsed) != 1 || parsed[0].Err == nil || parsed[0].Err.Error() != want {
			t.Errorf("%s: got %v, %v, want %s", body, parsed, err, want)
		}
	}
}

func TestKubernetesEventRefusesOtherBodies(t *testing.T) {
	for body, want := range map[string]string{
		`[]`:                        "it cannot be a array",
		`{"kind":"Pod"}`:            `the kind is "Pod", not Event`,
		`{"apiVersion":"apps/v1"}`:  `the API version is "apps/v1", neither v1 nor events.k8s.io/v1`,
		`{"firstTimestamp":"noon"}`: "a time is not in RFC 3339 form",
	} {
		_, err := KubernetesEvent{}.Parse([]byte(body), received())
		if !errors.Is(err, ErrMalformed) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", body, err, want)
		}
	}
}
