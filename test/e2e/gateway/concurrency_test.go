package gateway

import (
	"context"
	"fmt"
	"net/http"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sync/errgroup"
)

func (s *system) concurrency() {
	Describe("Concurrency", Label("concurrency"), func() {
		It("opens exactly one request for each of a burst of 50 problems", SpecTimeout(specBudget), func(ctx SpecContext) {
			const burst = 50
			ns := s.namespace(ctx)
			calls := make([]call, burst)
			want := make([]string, burst)
			for i := range calls {
				pod := fmt.Sprintf("api-%d", i)
				calls[i].body = webhook(podAlert(ns, pod))
				want[i] = fingerprint(alertName, ns, "Pod", pod)
			}

			Expect(statuses(s.sendAll(ctx, calls))).To(Equal(map[int]int{http.StatusCreated: burst}))

			got := make([]string, 0, burst)
			for _, rr := range s.requests(ctx, ns) {
				got = append(got, rr.Spec.SignalFingerprint)
				Expect(occurrences(rr)).To(Equal(int64(1)))
			}
			Expect(got).To(ConsistOf(want))
		})

		It("counts every alert of five senders of the same problem", Label("deduplication"), SpecTimeout(specBudget), func(ctx SpecContext) {
			const senders, each = 5, 4
			ns := s.namespace(ctx)
			answers := s.sendFrom(ctx, senders, each, call{body: webhook(podAlert(ns, "api-0"))})

			expectOneOf(answers, senders*each)
			Expect(occurrences(s.onlyRequest(ctx, ns))).To(Equal(int64(senders * each)))
		})
	})
}

// sendFrom lets a number of senders post the same call at the same time, each of
// them several times in a row.
func (s *system) sendFrom(ctx context.Context, senders, each int, c call) []answer {
	GinkgoHelper()
	answers := make([]answer, senders*each)
	var group errgroup.Group
	for sender := range senders {
		group.Go(func() (err error) {
			for i := range each {
				if answers[sender*each+i], err = s.post(ctx, c); err != nil {
					return err
				}
			}
			return nil
		})
	}
	Expect(group.Wait()).To(Succeed())
	return answers
}

// expectOneOf asserts that the signals of n answers were the same problem: one of
// them opened its request, and each has a number of its own among the occurrences.
func expectOneOf(answers []answer, n int) {
	GinkgoHelper()
	Expect(statuses(answers)).To(Equal(map[int]int{http.StatusCreated: 1, http.StatusAccepted: n - 1}))
	names := map[string]int{}
	var got, want []int64
	for i, a := range answers {
		body := a.signal(a.Status)
		names[body.Name]++
		got = append(got, body.OccurrenceCount)
		want = append(want, int64(i+1))
	}
	Expect(names).To(HaveLen(1))
	Expect(got).To(ConsistOf(want))
}

func (s *system) isolation() {
	Describe("Isolation", Label("isolation"), func() {
		It("keeps the same alert of two namespaces apart", SpecTimeout(specBudget), func(ctx SpecContext) {
			left, right := s.namespace(ctx), s.namespace(ctx)
			inLeft := s.send(ctx, call{body: webhook(podAlert(left, "api-0"))}).signal(http.StatusCreated)
			inRight := s.send(ctx, call{body: webhook(podAlert(right, "api-0"))}).signal(http.StatusCreated)
			Expect(inLeft.Fingerprint).NotTo(Equal(inRight.Fingerprint))
			Expect(inLeft.Namespace).To(Equal(left))
			Expect(inRight.Namespace).To(Equal(right))

			again := s.send(ctx, call{body: webhook(podAlert(left, "api-0"))}).signal(http.StatusAccepted)
			Expect(again.Name).To(Equal(inLeft.Name))
			Expect(occurrences(s.onlyRequest(ctx, left))).To(Equal(int64(2)))
			Expect(occurrences(s.onlyRequest(ctx, right))).To(Equal(int64(1)))
		})

		It("opens the request of a missing namespace in the fallback namespace", SpecTimeout(specBudget), func(ctx SpecContext) {
			missing := missingNamespace()
			a := s.send(ctx, call{body: webhook(podAlert(missing, "api-0"))}).signal(http.StatusCreated)
			rr := s.request(ctx, a)
			DeferCleanup(func(ctx context.Context) { Expect(s.Kube.Delete(ctx, rr)).To(Succeed()) })

			Expect(a.Namespace).To(Equal(s.Env.Namespace))
			Expect(rr.Labels).To(HaveKeyWithValue("kubernaut.ai/origin-namespace", missing))
			Expect(rr.Labels).To(HaveKeyWithValue("kubernaut.ai/cluster-scoped", "true"))
			Expect(rr.Spec.TargetResource.Namespace).To(Equal(missing))
			Expect(rr.Spec.SignalFingerprint).To(Equal(fingerprint(alertName, missing, "Pod", "api-0")))

			again := s.send(ctx, call{body: webhook(podAlert(missing, "api-0"))}).signal(http.StatusAccepted)
			Expect(again.Name).To(Equal(a.Name))
			Expect(again.OccurrenceCount).To(Equal(int64(2)))
		})
	})
}
