package gateway

import (
	"bytes"
	"net/http"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// bodyLimit is the size of the largest body that is taken, in bytes.
const bodyLimit = 256 << 10

func (s *system) authentication() {
	Describe("Authentication", Label("auth"), func() {
		DescribeTable("asks for a token that is valid",
			func(ctx SpecContext, header string) {
				ns := s.namespace(ctx)
				a := s.send(ctx, call{body: webhook(podAlert(ns, "api-0")), header: map[string]string{"Authorization": header}})
				a.Problem(http.StatusUnauthorized, "unauthorized", routePrometheus)
				Expect(a.Header.Get("WWW-Authenticate")).To(HavePrefix("Bearer"))
				Expect(s.requests(ctx, ns)).To(BeEmpty())
			},
			entry("none is sent", ""),
			entry("it is not one of this cluster", "Bearer not-a-token"),
			entry("it comes in another scheme", "Basic c3BlYzpzcGVj"),
		)

		DescribeTable("refuses a sender that the cluster knows and that may not send signals",
			func(ctx SpecContext, route string) {
				ns := s.namespace(ctx)
				a := s.send(ctx, call{
					path: route, body: webhook(podAlert(ns, "api-0")),
					header: map[string]string{"Authorization": "Bearer " + s.stranger},
				})
				a.Problem(http.StatusForbidden, "forbidden", route)
				Expect(s.requests(ctx, ns)).To(BeEmpty())
			},
			entry("from Prometheus", routePrometheus),
			entry("from Alertmanager", routeAlertmanager),
			entry("with an event", routeEvent),
		)
	})
}

func (s *system) errors() {
	Describe("Errors", Label("errors"), func() {
		DescribeTable("answers 400 to a body that is malformed",
			func(ctx SpecContext, body string) {
				s.send(ctx, call{body: []byte(body)}).invalid()
			},
			entry("cut off", `{"version":"4","alerts":[{"status":"fir`),
			entry("empty", ``),
			entry("no object", `["alerts"]`),
			entry("no JSON", `alerts: []`),
		)

		It("answers 404 to a path that does not exist", SpecTimeout(specBudget), func(ctx SpecContext) {
			const path = "/api/v1/signals/carrier-pigeon"
			s.send(ctx, call{path: path}).Problem(http.StatusNotFound, "not-found", path)
		})

		It("answers 405 to a method that the route does not take", SpecTimeout(specBudget), func(ctx SpecContext) {
			a := s.send(ctx, call{method: http.MethodGet})
			a.Problem(http.StatusMethodNotAllowed, "method-not-allowed", routePrometheus)
			Expect(a.Header.Values("Allow")).To(Equal([]string{http.MethodPost}))
		})

		It("answers 413 from the first byte above 256 KiB", SpecTimeout(specBudget), func(ctx SpecContext) {
			ns := s.namespace(ctx)
			largest := padded(webhook(podAlert(ns, "api-0")), bodyLimit)
			tooLarge := padded(webhook(podAlert(ns, "api-1")), bodyLimit+1)
			Expect(s.sendAll(ctx, []call{{body: largest}})[0].signal(http.StatusCreated).Status).To(Equal("created"))
			s.sendAll(ctx, []call{{body: tooLarge}})[0].Problem(http.StatusRequestEntityTooLarge, "payload-too-large", routePrometheus)
			Expect(s.onlyRequest(ctx, ns).Spec.TargetResource.Name).To(Equal("api-0"))
		})
	})
}

// padded fills body up with blanks, which JSON allows after its end.
func padded(body []byte, size int) []byte {
	return append(body, bytes.Repeat([]byte(" "), size-len(body))...)
}

func (s *system) mediaTypes() {
	Describe("Media types", Label("errors"), func() {
		It("answers 415 and names the media type that it takes, also when the timestamp is stale", SpecTimeout(specBudget), func(ctx SpecContext) {
			ns := s.namespace(ctx)
			a := s.send(ctx, call{
				body:   webhook(podAlert(ns, "api-0")),
				header: map[string]string{"Content-Type": "text/plain", "X-Timestamp": "1"},
			})
			a.Problem(http.StatusUnsupportedMediaType, "unsupported-media-type", routePrometheus)
			Expect(a.Header.Values("Accept")).To(Equal([]string{"application/json"}))
			Expect(s.requests(ctx, ns)).To(BeEmpty())
		})

		DescribeTable("takes JSON",
			func(ctx SpecContext, contentType string) {
				ns := s.namespace(ctx)
				s.send(ctx, call{
					body: webhook(podAlert(ns, "api-0")), header: map[string]string{"Content-Type": contentType},
				}).signal(http.StatusCreated)
			},
			entry("that is not declared", ""),
			entry("that is declared with its encoding", "application/json; charset=utf-8"),
		)
	})
}
