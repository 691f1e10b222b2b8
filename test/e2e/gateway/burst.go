package gateway

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sync/errgroup"
)

// burstPause is how long a sender waits before it sends an alert again.
const burstPause = 200 * time.Millisecond

// burst is a number of senders that send as fast as they can, each alert again
// until it is accepted, as Alertmanager does.
type burst struct {
	group errgroup.Group

	mu       sync.Mutex
	accepted int
	sent     map[string]int // tries by pod
}

// startBurst begins it. Each alert is about a pod of its own.
func (s *system) startBurst(ctx context.Context, namespace string, senders, each int) *burst {
	b := &burst{sent: map[string]int{}}
	for sender := range senders {
		b.group.Go(func() error {
			for number := range each {
				if err := b.deliver(ctx, s, namespace, fmt.Sprintf("burst-%d-%d", sender, number)); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return b
}

func (b *burst) deliver(ctx context.Context, s *system, namespace, pod string) error {
	body := webhook(podAlert(namespace, pod))
	pause := time.NewTicker(burstPause)
	defer pause.Stop()
	for ctx.Err() == nil {
		a, err := s.post(ctx, call{body: body})
		b.mu.Lock()
		b.sent[pod]++
		done := err == nil && (a.Status == http.StatusCreated || a.Status == http.StatusAccepted)
		if done {
			b.accepted++
		}
		b.mu.Unlock()
		switch {
		case done:
			return nil
		case err == nil && a.Status != http.StatusServiceUnavailable && a.Header.Get("X-Request-ID") != "":
			// Without the id it is not the Gateway that answers: what is on the way
			// to a pod that has gone may say anything.
			return fmt.Errorf("answered %d: %s", a.Status, a.Body)
		}
		<-pause.C
	}
	return fmt.Errorf("%s was never accepted: %w", pod, ctx.Err())
}

// answered is how many alerts were accepted so far.
func (b *burst) answered() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.accepted
}

// wait returns when each alert was accepted.
func (b *burst) wait() {
	GinkgoHelper()
	Expect(b.group.Wait()).To(Succeed())
}

// tries is how often the alert of a pod was sent.
func (b *burst) tries(pod string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.sent[pod]
}
