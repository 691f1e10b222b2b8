package processing

import (
	"regexp"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/hybrid-e2e/hybrid/api/remediation/v1alpha1"
)

func TestNamesFollowFromWhatExists(t *testing.T) {
	fingerprint := podSignal().Fingerprint()
	first, second, third := requestName(fingerprint, 1), requestName(fingerprint, 2), requestName(fingerprint, 3)
	if !regexp.MustCompile(`^rr-`+fingerprint[:12]+`-[0-9a-f]{8}$`).MatchString(first) || first == second {
		t.Errorf("names %s %s", first, second)
	}
	named := func(names ...string) []v1alpha1.RemediationRequest {
		requests := make([]v1alpha1.RemediationRequest, len(names))
		for i, name := range names {
			requests[i].Name = name
		}
		return requests
	}
	for want, existing := range map[string][]v1alpha1.RemediationRequest{
		first: nil, second: named(first), third: named(second, first),
	} {
		if got := nextName(fingerprint, existing); got != want {
			t.Errorf("after %d requests: %s, want %s", len(existing), got, want)
		}
	}
}

func TestOldestOpenRequestIsChosen(t *testing.T) {
	request := func(name string, age time.Duration, phase v1alpha1.Phase) v1alpha1.RemediationRequest {
		return v1alpha1.RemediationRequest{
			ObjectMeta: metav1.ObjectMeta{Name: name, CreationTimestamp: metav1.NewTime(received().Add(-age))},
			Status:     v1alpha1.RemediationRequestStatus{OverallPhase: phase},
		}
	}
	got := open([]v1alpha1.RemediationRequest{
		request("young", time.Minute, ""), request("b", time.Hour, "Processing"), request("a", time.Hour, ""), request("over", 2*time.Hour, "Failed"),
	})
	if got == nil || got.Name != "a" {
		t.Errorf("got %+v", got)
	}
	if open(nil) != nil {
		t.Error("something out of nothing")
	}
}
