package gateway

import (
	"net/http"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/hybrid-e2e/hybrid/test/infrastructure"
)

func (s *system) replay() {
	Describe("Replay protection", Label("replay"), func() {
		DescribeTable("refuses a signal whose timestamp is",
			func(ctx SpecContext, timestamp func() string) {
				ns := s.namespace(ctx)
				detail := s.send(ctx, call{
					body: webhook(podAlert(ns, "api-0")), header: map[string]string{"X-Timestamp": timestamp()},
				}).invalid()
				Expect(detail).To(mention("X-Timestamp"))
				Expect(s.requests(ctx, ns)).To(BeEmpty())
			},
			entry("missing", func() string { return "" }),
			entry("not a number", func() string { return "yesterday" }),
			entry("negative", func() string { return "-1" }),
			entry("older than five minutes", func() string { return at(-5*time.Minute - 30*time.Second) }),
			entry("more than two minutes ahead", func() string { return at(2*time.Minute + 30*time.Second) }),
		)
	})
}

func (s *system) clocks() {
	Describe("Clocks", Label("replay"), func() {
		DescribeTable("takes a signal from a sender whose clock is",
			func(ctx SpecContext, offset time.Duration) {
				ns := s.namespace(ctx)
				s.send(ctx, call{
					body: webhook(podAlert(ns, "api-0")), header: map[string]string{"X-Timestamp": at(offset)},
				}).signal(http.StatusCreated)
			},
			entry("late", -4*time.Minute-30*time.Second),
			entry("early", time.Minute+30*time.Second),
		)

		It("lets Alertmanager, which cannot send the time, do without it", SpecTimeout(specBudget), func(ctx SpecContext) {
			ns := s.namespace(ctx)
			body := webhook(podAlert(ns, "api-0"))
			s.send(ctx, call{path: routeAlertmanager, body: body, header: map[string]string{"X-Timestamp": ""}}).
				signal(http.StatusCreated)
			s.send(ctx, call{path: routeAlertmanager, body: body, header: map[string]string{"X-Timestamp": "1"}}).
				Problem(http.StatusBadRequest, "validation-error", routeAlertmanager)
			Expect(occurrences(s.onlyRequest(ctx, ns))).To(Equal(int64(1)))
		})
	})
}

// withoutCORS asserts that a browser is told nothing about other origins.
func withoutCORS(a answer) {
	GinkgoHelper()
	for name := range a.Header {
		Expect(name).NotTo(HavePrefix("Access-Control-"))
	}
	Expect(a.Header.Values("Vary")).NotTo(ContainElement(ContainSubstring("Origin")))
}

func (s *system) cors() {
	Describe("CORS, which is off unless origins are configured", Label("cors"), func() {
		It("says nothing to a browser whose signal is taken", SpecTimeout(specBudget), func(ctx SpecContext) {
			ns := s.namespace(ctx)
			a := s.send(ctx, call{body: webhook(podAlert(ns, "api-0")), header: map[string]string{"Origin": "https://console.example"}})
			a.signal(http.StatusCreated)
			withoutCORS(a)
		})

		It("says nothing to a browser that is refused", SpecTimeout(specBudget), func(ctx SpecContext) {
			a := s.send(ctx, call{header: map[string]string{"Origin": "https://console.example", "Authorization": ""}})
			a.Problem(http.StatusUnauthorized, "unauthorized", routePrometheus)
			withoutCORS(a)
		})

		It("answers a preflight like any other method that the route does not take", SpecTimeout(specBudget), func(ctx SpecContext) {
			a := s.send(ctx, call{method: http.MethodOptions, header: map[string]string{
				"Origin":                         "https://console.example",
				"Access-Control-Request-Method":  http.MethodPost,
				"Access-Control-Request-Headers": "authorization",
				"Authorization":                  "",
			}})
			a.Problem(http.StatusMethodNotAllowed, "method-not-allowed", routePrometheus)
			withoutCORS(a)
		})
	})
}

// withSecurityHeaders asserts what every answer carries.
func withSecurityHeaders(header http.Header) {
	GinkgoHelper()
	for name, value := range map[string]string{
		"X-Content-Type-Options":    "nosniff",
		"X-Frame-Options":           "DENY",
		"Strict-Transport-Security": "max-age=31536000; includeSubDomains",
		"Content-Security-Policy":   "default-src 'none'",
		"Referrer-Policy":           "no-referrer",
	} {
		Expect(header.Values(name)).To(Equal([]string{value}), name)
	}
}

func (s *system) securityHeaders() {
	Describe("Security headers", Label("security-headers"), func() {
		It("are on the answer to a signal", SpecTimeout(specBudget), func(ctx SpecContext) {
			ns := s.namespace(ctx)
			a := s.send(ctx, call{body: webhook(podAlert(ns, "api-0"))})
			a.signal(http.StatusCreated)
			withSecurityHeaders(a.Header)
		})

		DescribeTable("are on a refusal",
			func(ctx SpecContext, c call, status int) {
				a := s.send(ctx, c)
				Expect(a.Status).To(Equal(status))
				withSecurityHeaders(a.Header)
			},
			entry("400", call{body: []byte("{")}, http.StatusBadRequest),
			entry("401", call{header: map[string]string{"Authorization": ""}}, http.StatusUnauthorized),
			entry("404", call{path: "/nowhere"}, http.StatusNotFound),
			entry("405", call{method: http.MethodDelete}, http.StatusMethodNotAllowed),
			entry("415", call{header: map[string]string{"Content-Type": "text/xml"}}, http.StatusUnsupportedMediaType),
		)

		DescribeTable("are on the answer to a probe",
			func(ctx SpecContext, path string) {
				a, err := s.Get(ctx, infrastructure.EndpointGateway, path)
				Expect(err).NotTo(HaveOccurred())
				Expect(a.Status).To(Equal(http.StatusOK))
				withSecurityHeaders(a.Header)
			},
			entry("/health", "/health"),
			entry("/ready", "/ready"),
		)
	})
}
