package gateway

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// alertName is the alert that specs send when the name does not matter.
const alertName = "PodCrashLooping"

// alert is one alert of an Alertmanager webhook.
type alert struct {
	Status       string            `json:"status"`
	Labels       map[string]string `json:"labels"`
	Annotations  map[string]string `json:"annotations"`
	StartsAt     time.Time         `json:"startsAt"`
	EndsAt       time.Time         `json:"endsAt"`
	GeneratorURL string            `json:"generatorURL"`
	Fingerprint  string            `json:"fingerprint"`
}

// podAlert is a firing alert about a pod.
func podAlert(namespace, pod string) alert {
	return alert{
		Status: "firing",
		Labels: map[string]string{
			"alertname": alertName, "namespace": namespace, "pod": pod, "severity": "critical",
		},
		Annotations:  map[string]string{"summary": "Pod " + pod + " restarts again and again"},
		StartsAt:     time.Now().Add(-time.Minute).UTC().Truncate(time.Second),
		GeneratorURL: "http://prometheus.example/graph",
	}
}

// with returns a copy with another label. An empty value removes the label.
func (a alert) with(label, value string) alert {
	a.Labels = maps.Clone(a.Labels)
	if value == "" {
		delete(a.Labels, label)
	} else {
		a.Labels[label] = value
	}
	return a
}

// resolved returns a copy that says the problem is over.
func (a alert) resolved() alert {
	a.Status, a.EndsAt = "resolved", time.Now().UTC()
	return a
}

// webhook is the body in which Alertmanager (version 4) sends alerts.
func webhook(alerts ...alert) []byte {
	GinkgoHelper()
	return encode(map[string]any{
		"version":           "4",
		"groupKey":          `{}:{alertname="` + alertName + `"}`,
		"truncatedAlerts":   0,
		"status":            "firing",
		"receiver":          "kubernaut",
		"groupLabels":       map[string]string{},
		"commonLabels":      map[string]string{},
		"commonAnnotations": map[string]string{},
		"externalURL":       "http://alertmanager.example",
		"alerts":            append([]alert{}, alerts...),
	})
}

// coreEvent is a Warning event (core/v1) about a pod.
func coreEvent(namespace, pod, reason string) map[string]any {
	now := time.Now().UTC().Truncate(time.Second).Format(time.RFC3339)
	return map[string]any{
		"apiVersion": "v1",
		"kind":       "Event",
		"metadata":   map[string]any{"name": pod + ".17f3", "namespace": namespace},
		"type":       "Warning",
		"reason":     reason,
		"message":    "Container of " + pod + " was killed",
		"involvedObject": map[string]any{
			"apiVersion": "v1", "kind": "Pod", "name": pod, "namespace": namespace,
		},
		"source":         map[string]any{"component": "kubelet", "host": "node-1"},
		"firstTimestamp": now,
		"lastTimestamp":  now,
		"count":          1,
	}
}

// newEvent is the same as an event of events.k8s.io/v1.
func newEvent(namespace, pod, reason string) map[string]any {
	return map[string]any{
		"apiVersion":          "events.k8s.io/v1",
		"kind":                "Event",
		"metadata":            map[string]any{"name": pod + ".17f4", "namespace": namespace},
		"type":                "Warning",
		"reason":              reason,
		"note":                "Container of " + pod + " was killed",
		"action":              "Killing",
		"regarding":           map[string]any{"apiVersion": "v1", "kind": "Pod", "name": pod, "namespace": namespace},
		"reportingController": "kubelet",
		"reportingInstance":   "node-1",
		"eventTime":           time.Now().UTC().Format("2006-01-02T15:04:05.000000Z07:00"),
	}
}

func encode(value any) []byte {
	GinkgoHelper()
	body, err := json.Marshal(value)
	Expect(err).NotTo(HaveOccurred())
	return body
}

// fingerprint is computed here once more, from the contract alone.
func fingerprint(name, namespace, kind, resource string) string {
	sum := sha256.Sum256([]byte(strings.Join([]string{name, namespace, kind, resource}, ":")))
	return hex.EncodeToString(sum[:])
}
