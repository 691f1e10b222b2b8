package gateway

import (
	"net/http"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

func (s *system) fingerprints() {
	Describe("Fingerprint", Label("fingerprint"), func() {
		It("is the SHA-256 of name, namespace, kind and resource", SpecTimeout(specBudget), func(ctx SpecContext) {
			ns := s.namespace(ctx)
			a := s.send(ctx, call{body: webhook(podAlert(ns, "api-0"))}).signal(http.StatusCreated)

			want := fingerprint(alertName, ns, "Pod", "api-0")
			Expect(a.Fingerprint).To(Equal(want))
			rr := s.onlyRequest(ctx, ns)
			Expect(rr.Spec.SignalFingerprint).To(Equal(want))
			Expect(rr.Name).To(HavePrefix("rr-" + want[:12] + "-"))
		})

		It("does not change with severity, annotations, other labels, time or route", SpecTimeout(specBudget), func(ctx SpecContext) {
			ns := s.namespace(ctx)
			original := podAlert(ns, "api-0")
			first := s.send(ctx, call{body: webhook(original)}).signal(http.StatusCreated)

			later := original
			later.StartsAt = original.StartsAt.Add(-time.Hour)
			later.Annotations = map[string]string{"summary": "in other words"}
			for i, c := range []call{
				{body: webhook(original.with("severity", "info"))},
				{body: webhook(original.with("instance", "10.0.0.1:8080").with("deployment", "api"))},
				{body: webhook(later)},
				{body: webhook(original), path: routeAlertmanager},
			} {
				again := s.send(ctx, c).signal(http.StatusAccepted)
				Expect(again.Fingerprint).To(Equal(first.Fingerprint))
				Expect(again.OccurrenceCount).To(Equal(int64(i + 2)))
			}
			Expect(occurrences(s.onlyRequest(ctx, ns))).To(Equal(int64(5)))
		})

		It("differs when any one of its parts differs", SpecTimeout(specBudget), func(ctx SpecContext) {
			ns, other := s.namespace(ctx), s.namespace(ctx)
			original := podAlert(ns, "api-0")
			want := map[string]string{
				fingerprint(alertName, ns, "Pod", "api-0"):        "original",
				fingerprint("PodNotReady", ns, "Pod", "api-0"):    "name",
				fingerprint(alertName, other, "Pod", "api-0"):     "namespace",
				fingerprint(alertName, ns, "Deployment", "api-0"): "kind",
				fingerprint(alertName, ns, "Pod", "api-1"):        "resource",
			}
			got := map[string]string{}
			for part, a := range map[string]alert{
				"original":  original,
				"name":      original.with("alertname", "PodNotReady"),
				"namespace": original.with("namespace", other),
				"kind":      original.with("pod", "").with("deployment", "api-0"),
				"resource":  original.with("pod", "api-1"),
			} {
				got[s.send(ctx, call{body: webhook(a)}).signal(http.StatusCreated).Fingerprint] = part
			}
			Expect(got).To(Equal(want))
			Expect(s.requests(ctx, ns)).To(HaveLen(4))
			Expect(s.requests(ctx, other)).To(HaveLen(1))
		})
	})
}
