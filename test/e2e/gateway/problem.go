package gateway

import (
	"net/http"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	gomegatypes "github.com/onsi/gomega/types"
)

// invalid asserts the answer to a signal that the Prometheus route refuses.
func (a answer) invalid() string {
	GinkgoHelper()
	return a.Problem(http.StatusBadRequest, "validation-error", routePrometheus)
}

// mention matches a detail with the word in it. Details are sentences for people,
// so the case of a letter is not part of the contract.
func mention(word string) gomegatypes.GomegaMatcher {
	return WithTransform(strings.ToLower, ContainSubstring(strings.ToLower(word)))
}
