// Package specs tests the greeter in its cluster.
package specs

import (
	"io"
	"net/http"
	"os"
	"testing"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/hybrid-e2e/hybrid/hybrid"
)

func TestGreeter(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "Greeter")
}

var _ = Describe("The greeter", func() {
	It("greets whom the path names", Label("smoke"), func(ctx SpecContext) {
		environment, err := hybrid.LoadEnvironment(os.Getenv(hybrid.EnvironmentVariable))
		Expect(err).NotTo(HaveOccurred())
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, environment.Endpoints["greeter"]+"/hello/ada", http.NoBody)
		Expect(err).NotTo(HaveOccurred())
		answer, err := http.DefaultClient.Do(request)
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(answer.Body.Close)
		Expect(answer.StatusCode).To(Equal(http.StatusOK))
		Expect(io.ReadAll(answer.Body)).To(Equal([]byte("Hello, ada!\n")))
	})
})
