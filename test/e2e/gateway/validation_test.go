package gateway

import (
	"net/http"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

func (s *system) validation() {
	Describe("Signal validation", Label("validation"), func() {
		DescribeTable("refuses an alert and says why",
			func(ctx SpecContext, damage func(alert) alert, mentions string) {
				ns := s.namespace(ctx)
				detail := s.send(ctx, call{body: webhook(damage(podAlert(ns, "api-0")))}).invalid()
				Expect(detail).To(mention(mentions))
				Expect(s.requests(ctx, ns)).To(BeEmpty())
			},
			entry("without a name", func(a alert) alert { return a.with("alertname", "") }, "alertname"),
			entry("without a target", func(a alert) alert { return a.with("pod", "") }, "pod"),
			entry("with a name that is too long", func(a alert) alert {
				return a.with("alertname", strings.Repeat("x", 254))
			}, "253"),
			entry("with an unknown status", func(a alert) alert { a.Status = "smouldering"; return a }, "smouldering"),
		)

		It("refuses a webhook without alerts", SpecTimeout(specBudget), func(ctx SpecContext) {
			Expect(s.send(ctx, call{body: webhook()}).invalid()).To(mention("alerts"))
		})
	})
}

func (s *system) eventValidation() {
	Describe("Event validation", Label("validation", "events"), func() {
		DescribeTable("refuses an event and says why",
			func(ctx SpecContext, damage func(event map[string]any), mentions string) {
				ns := s.namespace(ctx)
				event := coreEvent(ns, "api-0", "OOMKilled")
				damage(event)
				a := s.send(ctx, call{path: routeEvent, body: encode(event)})
				Expect(a.Problem(http.StatusBadRequest, "validation-error", routeEvent)).To(mention(mentions))
				Expect(s.requests(ctx, ns)).To(BeEmpty())
			},
			entry("that is no problem", func(e map[string]any) { e["type"] = "Normal" }, "Normal"),
			entry("without a reason", func(e map[string]any) { delete(e, "reason") }, "reason"),
			entry("without an object", func(e map[string]any) { delete(e, "involvedObject") }, "involvedObject"),
			entry("about an object without a kind", func(e map[string]any) {
				e["involvedObject"] = map[string]any{"name": "api-0"}
			}, "involvedObject.kind"),
			entry("about an object without a name", func(e map[string]any) {
				e["involvedObject"] = map[string]any{"kind": "Pod"}
			}, "involvedObject.name"),
		)
	})
}

func (s *system) batches() {
	Describe("Batches", Label("batch"), func() {
		It("answers each alert of a webhook in its place", SpecTimeout(specBudget), func(ctx SpecContext) {
			ns := s.namespace(ctx)
			known := s.send(ctx, call{body: webhook(podAlert(ns, "api-0"))}).signal(http.StatusCreated)
			got := s.send(ctx, call{body: webhook(
				podAlert(ns, "api-0"), podAlert(ns, "api-1"), podAlert(ns, "api-2").resolved(),
			)}).batch()

			Expect(got.Summary).To(Equal(batchSummary{Total: 3, Created: 1, Deduplicated: 1, Resolved: 1}))
			Expect(got.Results).To(HaveLen(3))
			Expect(got.Results[0]).To(Equal(batchResult{
				Index: 0, Status: "duplicate", Fingerprint: known.Fingerprint, Name: known.Name, Namespace: ns,
			}))
			Expect(got.Results[1]).To(Equal(batchResult{
				Index: 1, Status: "created", Fingerprint: fingerprint(alertName, ns, "Pod", "api-1"),
				Name: got.Results[1].Name, Namespace: ns,
			}))
			Expect(got.Results[2].Index).To(Equal(2))
			Expect(got.Results[2].Status).To(Equal("resolved"))
			Expect(s.requests(ctx, ns)).To(HaveLen(2))
		})

		It("does not let one bad alert take the others down", Label("validation"), SpecTimeout(specBudget), func(ctx SpecContext) {
			ns := s.namespace(ctx)
			got := s.send(ctx, call{body: webhook(
				podAlert(ns, "api-0"), podAlert(ns, "api-1").with("alertname", ""), podAlert(ns, "api-2"),
			)}).batch()

			Expect(got.Summary).To(Equal(batchSummary{Total: 3, Created: 2, Rejected: 1}))
			Expect(got.Results).To(HaveLen(3))
			Expect(got.Results[1].Index).To(Equal(1))
			Expect(got.Results[1].Status).To(Equal("rejected"))
			Expect(got.Results[1].Detail).To(mention("alertname"))
			targets := []string{}
			for _, rr := range s.requests(ctx, ns) {
				targets = append(targets, rr.Spec.TargetResource.Name)
			}
			Expect(targets).To(ConsistOf("api-0", "api-2"))
		})

		It("counts the same alert twice when a webhook holds it twice", Label("deduplication"), SpecTimeout(specBudget), func(ctx SpecContext) {
			ns := s.namespace(ctx)
			got := s.send(ctx, call{body: webhook(podAlert(ns, "api-0"), podAlert(ns, "api-0"))}).batch()
			Expect(got.Summary).To(Equal(batchSummary{Total: 2, Created: 1, Deduplicated: 1}))
			Expect(occurrences(s.onlyRequest(ctx, ns))).To(Equal(int64(2)))
		})
	})
}
