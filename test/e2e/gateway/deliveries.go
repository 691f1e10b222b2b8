package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// delivery is one webhook as the Gateway's log tells it.
type delivery struct {
	path   string
	status int
	// results say what became of its alerts, sorted.
	results []string
}

// delivered is a webhook from Alertmanager.
func delivered(status int, results ...string) delivery {
	return delivery{path: routeAlertmanager, status: status, results: results}
}

// deliveries lists the webhooks with alerts of a rule since the running spec began.
func (s *system) deliveries(ctx context.Context, rule string) ([]delivery, error) {
	log, err := s.gatewayLog(ctx, CurrentSpecReport().StartTime)
	if err != nil {
		return nil, err
	}
	return deliveriesIn(log, rule)
}

func deliveriesIn(log []byte, rule string) ([]delivery, error) {
	var order []string
	found := map[string]*delivery{}
	for raw := range bytes.Lines(log) {
		var line struct {
			Message   string `json:"msg"`
			RequestID string `json:"request_id"`
			Signal    string `json:"signal"`
			Path      string `json:"path"`
			Status    any    `json:"status"`
		}
		if err := json.Unmarshal(raw, &line); err != nil {
			return nil, fmt.Errorf("log line %q is not JSON: %w", raw, err)
		}
		d := found[line.RequestID]
		if line.Signal == rule {
			if d == nil {
				d = &delivery{}
				found[line.RequestID] = d
				order = append(order, line.RequestID)
			}
			result, ok := line.Status.(string)
			if !ok {
				result = line.Message // Such as "signal resolved", which has no status.
			}
			d.results = append(d.results, result)
		}
		if d != nil && line.Message == "request answered" {
			status, _ := line.Status.(float64)
			d.path, d.status = line.Path, int(status)
		}
	}
	all := make([]delivery, len(order))
	for i, id := range order {
		all[i] = *found[id]
		slices.Sort(all[i].results)
	}
	return all, nil
}

// awaitDeliveries waits until the Gateway has got exactly these webhooks with
// alerts about the namespace.
func (s *system) awaitDeliveries(ctx context.Context, namespace string, want ...delivery) {
	GinkgoHelper()
	Eventually(s.deliveries, settleBudget, poll).WithContext(ctx).WithArguments(ruleName(namespace)).Should(Equal(want))
}

// expectDeliveries asserts the same, and that no other one follows in the time in
// which Alertmanager looks at its groups twice.
func (s *system) expectDeliveries(ctx context.Context, namespace string, want ...delivery) {
	GinkgoHelper()
	s.awaitDeliveries(ctx, namespace, want...)
	Consistently(s.deliveries, quiet, poll).WithContext(ctx).WithArguments(ruleName(namespace)).Should(Equal(want))
}
