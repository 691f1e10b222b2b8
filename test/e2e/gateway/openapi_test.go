package gateway

import (
	"bytes"
	"context"
	"io"
	"net/http"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/hybrid-e2e/hybrid/pkg/openapitest"
	"github.com/hybrid-e2e/hybrid/test/infrastructure"
	"github.com/hybrid-e2e/hybrid/test/testbed"
)

// pathOpenAPI is where the Gateway describes its API.
const pathOpenAPI = "/openapi.json"

func (s *system) openAPI() {
	Describe("Description of the API", Label("openapi"), func() {
		It("is there for everybody, as OpenAPI 3.1", SpecTimeout(specBudget), func(ctx SpecContext) {
			a, d := s.description(ctx)
			withSecurityHeaders(a.Header)
			Expect(a.Header.Values("Cache-Control")).To(Equal([]string{"no-cache"}))
			Expect(d.Routes()).To(Equal([]string{
				"GET /health", "GET /healthz", "GET /openapi.json", "GET /ready", "GET /readyz",
				"POST " + routeAlertmanager, "POST " + routeEvent, "POST " + routePrometheus,
			}))

			same := s.exchange(ctx, d, openapitest.Sound, call{method: http.MethodGet, path: pathOpenAPI, header: map[string]string{
				"Authorization": "", "X-Timestamp": "", "If-None-Match": a.Header.Get("ETag"),
			}})
			Expect(same.Status).To(Equal(http.StatusNotModified))
			Expect(same.Body).To(BeEmpty())
		})

		It("describes the answer to a signal, and to one that is refused", SpecTimeout(specBudget), func(ctx SpecContext) {
			ns := s.namespace(ctx)
			_, d := s.description(ctx)
			taken := s.exchange(ctx, d, openapitest.Sound, call{body: webhook(podAlert(ns, "api-0"))})
			Expect(taken.signal(http.StatusCreated)).To(Equal(signalAnswer{
				Status: "created", Fingerprint: fingerprint(alertName, ns, "Pod", "api-0"),
				Name: s.onlyRequest(ctx, ns).Name, Namespace: ns,
				RequestID: taken.Header.Get("X-Request-ID"), OccurrenceCount: 1,
			}))

			refused := s.exchange(ctx, d, openapitest.Faulty, call{
				body: webhook(podAlert(ns, "api-1")), header: map[string]string{"X-Timestamp": ""},
			})
			Expect(refused.invalid()).To(Equal("The header X-Timestamp is missing; send the time in Unix seconds."))
		})
	})
}

// description asks for the document, as a stranger without a token does.
func (s *system) description(ctx context.Context) (testbed.Answer, *openapitest.Document) {
	GinkgoHelper()
	a, err := s.Get(ctx, infrastructure.EndpointGateway, pathOpenAPI)
	Expect(err).NotTo(HaveOccurred())
	Expect(a.Status).To(Equal(http.StatusOK), string(a.Body))
	Expect(a.Header.Values("Content-Type")).To(Equal([]string{"application/json"}))
	d, err := openapitest.Parse(a.Body)
	Expect(err).NotTo(HaveOccurred())
	return a, d
}

// exchange sends c and wants request and answer as the document has them.
func (s *system) exchange(ctx context.Context, d *openapitest.Document, verdict openapitest.Verdict, c call) answer {
	GinkgoHelper()
	a := s.send(ctx, c)
	sent, err := s.Request(ctx, s.outgoing(c))
	Expect(err).NotTo(HaveOccurred())
	Expect(d.Check(sent, verdict, &http.Response{
		StatusCode: a.Status, Header: a.Header, Body: io.NopCloser(bytes.NewReader(a.Body)),
	})).To(Succeed())
	return a
}
