package gateway

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/hybrid-e2e/hybrid/test/infrastructure"
)

// alertsPath is where Alertmanager takes alerts and shows those that it knows.
const alertsPath = "/api/v2/alerts"

// ruleAlert is a firing alert of a rule that no other spec has, so that neither
// Alertmanager's groups nor the Gateway's log mix specs up. Alertmanager takes an
// alert for resolved at its end, which Prometheus therefore moves on and on; this
// one ends after any cluster of the suite.
func ruleAlert(namespace, pod string) alert {
	a := podAlert(namespace, pod).with("alertname", ruleName(namespace))
	a.EndsAt = a.StartsAt.Add(24 * time.Hour)
	return a
}

// sinceNow returns a copy that begins now. Alertmanager waits for others of its group
// only with such alerts; one that is older than group_wait is sent at once.
func (a alert) sinceNow() alert {
	a.StartsAt = time.Now().UTC()
	return a
}

// ruleName is the alertname of all alerts about one namespace.
func ruleName(namespace string) string { return alertName + "-" + namespace }

// raise hands alerts to Alertmanager in one request, as Prometheus does.
func (s *system) raise(ctx context.Context, alerts ...alert) {
	GinkgoHelper()
	posted := make([]map[string]any, len(alerts))
	for i, a := range alerts {
		posted[i] = map[string]any{
			"labels": a.Labels, "annotations": a.Annotations, "generatorURL": a.GeneratorURL,
			"startsAt": a.StartsAt, "endsAt": a.EndsAt,
		}
	}
	a, err := s.Post(ctx, infrastructure.EndpointAlertmanager, alertsPath, encode(posted))
	Expect(err).NotTo(HaveOccurred())
	Expect(a.Status).To(Equal(http.StatusOK), string(a.Body))
}

// ends are when the alerts about a namespace end that Alertmanager holds as firing.
func (s *system) ends(ctx context.Context, namespace string) []time.Time {
	GinkgoHelper()
	filter := url.Values{"filter": {fmt.Sprintf("namespace=%q", namespace)}}
	a, err := s.Get(ctx, infrastructure.EndpointAlertmanager, alertsPath+"?"+filter.Encode())
	Expect(err).NotTo(HaveOccurred())
	Expect(a.Status).To(Equal(http.StatusOK), string(a.Body))
	var shown []struct {
		EndsAt time.Time `json:"endsAt"`
	}
	Expect(json.Unmarshal(a.Body, &shown)).To(Succeed(), string(a.Body))
	ends := make([]time.Time, len(shown))
	for i := range shown {
		ends[i] = shown[i].EndsAt.UTC()
	}
	return ends
}
