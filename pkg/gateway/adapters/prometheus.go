package adapters

import (
	"encoding/json"
	"fmt"
	"maps"
	"time"

	"github.com/hybrid-e2e/hybrid/api/remediation/v1alpha1"
)

// SourcePrometheus is the signal source of Alertmanager webhooks.
const SourcePrometheus = "prometheus"

// Prometheus reads the version 4 webhook of Alertmanager. The zero value is ready.
type Prometheus struct{}

// webhook is the part of Alertmanager's body that the Gateway uses. Members that
// it does not know are ignored: Alertmanager adds some from time to time.
type webhook struct {
	Version           string            `json:"version"`
	Status            string            `json:"status"`
	CommonLabels      map[string]string `json:"commonLabels"`
	CommonAnnotations map[string]string `json:"commonAnnotations"`
	Alerts            []json.RawMessage `json:"alerts"`
}

type alert struct {
	Status      string            `json:"status"`
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
	StartsAt    time.Time         `json:"startsAt"`
}

// targetLabel ties a label to the kind of object that it names.
type targetLabel struct{ label, kind string }

// targetLabels are tried in this order: the most specific object comes first, and
// `job` late, since Prometheus sets that label on everything that it scrapes.
func targetLabels() []targetLabel {
	return []targetLabel{
		{"pod", "Pod"},
		{"deployment", "Deployment"},
		{"statefulset", "StatefulSet"},
		{"daemonset", "DaemonSet"},
		{"job", "Job"},
		{"node", "Node"},
		{"service", "Service"},
	}
}

// Type returns the type of the signals that the adapter yields.
func (Prometheus) Type() v1alpha1.SignalType { return v1alpha1.SignalTypePrometheusAlert }

// Parse returns one element per alert, in their order. The error wraps
// ErrMalformed and means that the body as a whole cannot be used.
func (p Prometheus) Parse(body []byte, received time.Time) ([]Parsed, error) {
	var hook webhook
	if err := checkText(body); err != nil {
		return nil, fmt.Errorf("%w: not the JSON of an Alertmanager webhook: %w", ErrMalformed, err)
	}
	if err := decode(body, &hook); err != nil {
		return nil, fmt.Errorf("%w: not the JSON of an Alertmanager webhook: %w", ErrMalformed, err)
	}
	if hook.Version != "" && hook.Version != "4" {
		return nil, fmt.Errorf("%w: version %.20q of the webhook is not supported, send version \"4\"", ErrMalformed, hook.Version)
	}
	if len(hook.Alerts) == 0 {
		return nil, fmt.Errorf("%w: the webhook has no alerts", ErrMalformed)
	}
	parsed := make([]Parsed, len(hook.Alerts))
	for i, raw := range hook.Alerts {
		parsed[i].Signal, parsed[i].Err = p.signal(hook, raw, received)
	}
	return parsed, nil
}

func (p Prometheus) signal(hook webhook, raw json.RawMessage, received time.Time) (Signal, error) {
	var one alert
	if err := decode(raw, &one); err != nil {
		return Signal{}, fmt.Errorf("not the JSON of an alert: %w", err)
	}
	status := firstOf(one.Status, hook.Status, "firing")
	if status != "firing" && status != "resolved" {
		return Signal{}, fmt.Errorf("status %.20q is neither firing nor resolved", status)
	}
	labels := merged(hook.CommonLabels, one.Labels)
	if labels["alertname"] == "" {
		return Signal{}, fmt.Errorf("label alertname is missing")
	}
	target, found := alertTarget(labels)
	if !found {
		return Signal{}, fmt.Errorf("no target: none of the labels pod, deployment, statefulset, daemonset, job, node, service is set")
	}
	signal := Signal{
		Name:         labels["alertname"],
		Severity:     alertSeverity(labels["severity"]),
		Type:         p.Type(),
		Source:       SourcePrometheus,
		Target:       target,
		FiringTime:   firstTime(one.StartsAt, received),
		ReceivedTime: received,
		Labels:       labels,
		Annotations:  merged(hook.CommonAnnotations, one.Annotations),
		Payload:      string(raw),
		Resolved:     status == "resolved",
	}
	return signal, signal.check()
}

// merged returns the common values overlaid by the alert's own.
func merged(common, own map[string]string) map[string]string {
	all := make(map[string]string, len(common)+len(own))
	maps.Copy(all, common)
	maps.Copy(all, own)
	return all
}

func alertTarget(labels map[string]string) (Target, bool) {
	// For Prometheus an empty label is the same as none.
	for _, candidate := range targetLabels() {
		if name := labels[candidate.label]; name != "" {
			return Target{
				Kind:      candidate.kind,
				Name:      name,
				Namespace: firstOf(labels["namespace"], labels["exported_namespace"], defaultNamespace),
			}, true
		}
	}
	return Target{}, false
}

func alertSeverity(label string) v1alpha1.Severity {
	switch severity := v1alpha1.Severity(label); severity {
	case v1alpha1.SeverityCritical, v1alpha1.SeverityInfo:
		return severity
	default:
		return v1alpha1.SeverityWarning
	}
}
