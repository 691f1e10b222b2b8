package gateway

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// load sends one new problem after the other until it is stopped.
type load struct {
	cancel context.CancelFunc
	done   sync.WaitGroup

	mu       sync.Mutex
	answers  []answer
	failures []error
}

// startLoad lets a number of senders post an alert of a pod of its own each time
// that the pause is over.
func (s *system) startLoad(ctx context.Context, namespace string, senders int, pause time.Duration) *load {
	// Requests under way are finished when the load is stopped.
	sending, cancel := context.WithCancel(ctx)
	l := &load{cancel: cancel}
	for sender := range senders {
		l.done.Go(func() {
			tick := time.NewTicker(pause)
			defer tick.Stop()
			for number := 0; ; number++ {
				select {
				case <-sending.Done():
					return
				case <-tick.C:
				}
				a, err := s.post(ctx, call{body: webhook(podAlert(namespace, fmt.Sprintf("load-%d-%d", sender, number)))})
				l.mu.Lock()
				if err != nil {
					l.failures = append(l.failures, err)
				} else {
					l.answers = append(l.answers, a)
				}
				l.mu.Unlock()
			}
		})
	}
	DeferCleanup(l.cancel)
	return l
}

// answered is how many answers there are so far.
func (l *load) answered() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.answers)
}

// stop ends the load and asserts that each alert opened a request; it returns the
// answers.
func (l *load) stop() []signalAnswer {
	GinkgoHelper()
	l.cancel()
	l.done.Wait()
	Expect(l.failures).To(BeEmpty())
	Expect(statuses(l.answers)).To(Equal(map[int]int{http.StatusCreated: len(l.answers)}))
	created := make([]signalAnswer, len(l.answers))
	for i, a := range l.answers {
		created[i] = a.signal(http.StatusCreated)
	}
	return created
}

// expectStored asserts that the namespace holds exactly the requests of the
// answers, and that DataStorage has exactly the two events of each.
func (s *system) expectStored(ctx context.Context, namespace string, since time.Time, created []signalAnswer) {
	GinkgoHelper()
	want, names := map[string]int{}, make([]string, 0, len(created))
	for _, a := range created {
		want[a.Name] = 2
		names = append(names, a.Name)
	}
	got := make([]string, 0, len(created))
	for _, rr := range s.requests(ctx, namespace) {
		Expect(occurrences(rr)).To(Equal(int64(1)), rr.Name)
		got = append(got, rr.Name)
	}
	Expect(got).To(ConsistOf(names))
	Eventually(s.auditIn, drainBudget, poll).WithContext(ctx).WithArguments(namespace, since).Should(Equal(want))
	Consistently(s.auditIn, quiet, poll).WithContext(ctx).WithArguments(namespace, since).Should(Equal(want))
}
