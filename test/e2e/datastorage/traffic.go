package datastorage

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/hybrid-e2e/hybrid/test/infrastructure"
)

const (
	// senders write at the same time, each every pace.
	senders = 4
	pace    = 100 * time.Millisecond
	// perCorrelation is how many requests of a sender share a correlation, so that a
	// reader gets all of its events in one page.
	perCorrelation = 100
	// resendPause is the wait of a sender without an answer, and the least of others.
	resendPause = 250 * time.Millisecond
	// clockTime is how times of a run are told.
	clockTime = "15:04:05.000"
)

// traffic is a steady load of single events and batches. A sender whose events were
// not accepted sends them again until they are, as every client of DataStorage has to.
type traffic struct {
	s      *system
	cancel context.CancelFunc
	done   sync.WaitGroup

	mu sync.Mutex
	// accepted are the ids that were answered with 201 or 202.
	accepted map[string]struct{}
	// open are the events by id that were sent and not accepted yet. They may be stored
	// nevertheless, when a store took them and its confirmation was lost.
	open map[string]fields
	// statuses counts the answers; what did not answer at all counts as 0.
	statuses map[int]int
	// failures say when and why there was no answer, oddities which answers no sender of
	// valid events should ever get.
	failures, oddities []string
	// impatient are refusals without a number of seconds in Retry-After.
	impatient int
	// slowest is the longest that an answer to events took, slowestIdle that one took for
	// which the service has nothing to do: so long the machine alone held answers up.
	slowest, slowestIdle time.Duration
	// current is the latest correlation of each sender.
	current [senders]string
	// gaps are reads that showed an event without one that was accepted before it.
	gaps  []string
	reads int
}

// startTraffic lets the senders write until stop, and a reader look at what they
// wrote.
func (s *system) startTraffic(ctx context.Context) *traffic {
	sending, cancel := context.WithCancel(ctx)
	t := s.newTraffic()
	t.cancel = cancel
	for sender := range senders {
		t.done.Go(func() { t.write(ctx, sending, sender) })
	}
	t.done.Go(func() { t.read(sending) })
	t.done.Go(func() { t.idle(sending) })
	DeferCleanup(cancel)
	return t
}

// newTraffic is traffic without senders: what is delivered by hand.
func (s *system) newTraffic() *traffic {
	return &traffic{s: s, cancel: func() {}, accepted: map[string]struct{}{}, open: map[string]fields{}, statuses: map[int]int{}}
}

// write sends one event, then five in a batch, and so on. What was begun before
// sending ends is finished.
func (t *traffic) write(ctx, sending context.Context, sender int) {
	tick := time.NewTicker(pace)
	defer tick.Stop()
	correlation, sequence, at := "", 0, time.Time{}
	for round := 0; ; round++ {
		select {
		case <-sending.Done():
			return
		case <-tick.C:
		}
		if round%perCorrelation == 0 {
			correlation, sequence = newCorrelation(), 0
			t.mu.Lock()
			t.current[sender] = correlation
			t.mu.Unlock()
		}
		events := make([]fields, 1+4*(round%2))
		if now := time.Now(); now.After(at) {
			at = now
		}
		for i := range events {
			// Two events at the same time have no order.
			at = at.Add(time.Microsecond)
			events[i] = newEvent(correlation).with("event_timestamp", stamp(at)).with("event_data", map[string]any{"sequence": sequence})
			sequence++
		}
		t.deliver(ctx, events...)
	}
}

// deliver sends events, one alone and more as a batch, until they are accepted, and
// returns the status of the answer that did. It comes again when it is told to.
func (t *traffic) deliver(ctx context.Context, events ...fields) int {
	for ctx.Err() == nil {
		status, wait := t.attempt(ctx, events...)
		if status == http.StatusCreated || status == http.StatusAccepted {
			return status
		}
		pause := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			pause.Stop()
		case <-pause.C:
		}
	}
	return 0
}

// try sends events once and keeps what became of them.
func (t *traffic) try(ctx context.Context, events ...fields) int {
	status, _ := t.attempt(ctx, events...)
	return status
}

// attempt is try, and returns when to send again what was not accepted.
func (t *traffic) attempt(ctx context.Context, events ...fields) (status int, wait time.Duration) {
	route, body := routeBatch, encode(batchOf(events...))
	if len(events) == 1 {
		route, body = routeEvents, encode(events[0])
	}
	began := time.Now()
	a, err := t.s.post(ctx, route, body)
	took := time.Since(began)
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, e := range events {
		t.open[e.id()] = e
	}
	if err != nil {
		t.statuses[0]++
		t.failures = append(t.failures, fmt.Sprintf("%s after %s: %v", began.UTC().Format(clockTime), took, err))
		return 0, resendPause
	}
	t.statuses[a.Status]++
	t.slowest = max(t.slowest, took)
	wait = resendPause
	switch a.Status {
	case http.StatusCreated, http.StatusAccepted:
		for _, e := range events {
			t.accepted[e.id()] = struct{}{}
			delete(t.open, e.id())
		}
	case http.StatusServiceUnavailable:
		seconds, err := strconv.Atoi(a.Header.Get("Retry-After"))
		if err != nil {
			t.impatient++
		}
		wait = max(wait, time.Duration(seconds)*time.Second)
	default:
		t.oddities = append(t.oddities, fmt.Sprintf("%s after %s: %d %v %.200s", began.UTC().Format(clockTime), took, a.Status, a.Header, a.Body))
	}
	return a.Status, wait
}

// read looks at the senders' latest correlations in turn. An event must never be
// readable before one of its correlation that was accepted earlier.
func (t *traffic) read(ctx context.Context) {
	tick := time.NewTicker(pace)
	defer tick.Stop()
	for turn := 0; ; turn++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		t.mu.Lock()
		correlation := t.current[turn%senders]
		t.mu.Unlock()
		if correlation == "" {
			continue
		}
		p, err := t.s.query(ctx, url.Values{"correlation_id": {correlation}, "limit": {"1000"}})
		if err != nil {
			continue // The database is away, which others judge.
		}
		t.mu.Lock()
		t.reads++
		for i, e := range p.Data {
			data, _ := e["event_data"].(map[string]any)
			if want := float64(len(p.Data) - 1 - i); data["sequence"] != want {
				t.gaps = append(t.gaps, fmt.Sprintf("%s: event %v where %v should be", correlation, data["sequence"], want))
				break
			}
		}
		t.mu.Unlock()
	}
}

// idle asks whether the service is alive.
func (t *traffic) idle(ctx context.Context) {
	tick := time.NewTicker(pace)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		began := time.Now()
		_, err := t.s.Get(ctx, infrastructure.EndpointDataStorage, routeLive)
		if err != nil {
			continue // Whether it lives is for others to judge.
		}
		t.mu.Lock()
		t.slowestIdle = max(t.slowestIdle, time.Since(began))
		t.mu.Unlock()
	}
}

// witness sends one event of a correlation of its own, as another service would, and
// returns the status of the answer. Whatever was accepted counts.
func (t *traffic) witness(ctx context.Context) int { return t.try(ctx, newEvent(newCorrelation())) }

// answers returns how many answers of a status there have been so far.
func (t *traffic) answers(status int) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.statuses[status]
}

// goOn waits until the readers have looked at what was written after this moment.
func (t *traffic) goOn(ctx context.Context) {
	GinkgoHelper()
	looks := func() int {
		t.mu.Lock()
		defer t.mu.Unlock()
		return t.reads
	}
	before := looks()
	Eventually(looks, settleBudget, poll).WithContext(ctx).Should(BeNumerically(">", before+10*senders))
}

// stop ends the traffic and returns how many answers of each status there were.
func (t *traffic) stop() map[int]int {
	GinkgoHelper()
	t.cancel()
	t.done.Wait()
	AddReportEntry("traffic", fmt.Sprintf("accepted %d events, answers %v, slowest %s, idle %s, reads %d %s",
		len(t.accepted), t.statuses, t.slowest, t.slowestIdle, t.reads, strings.Join(t.failures, "\n")))
	Expect(t.oddities).To(BeEmpty(), "answers that valid events never get")
	Expect(t.impatient).To(BeZero(), "refusals without Retry-After")
	return t.statuses
}

// balance compares what was accepted with the table.
type balance struct {
	accepted, rows int
	// lost were accepted and are not in the table, twice are there more than once, and
	// foreign are there and were never accepted.
	lost, twice, foreign int
}

// balance reads every id of the table.
func (t *traffic) balance(ctx context.Context) (balance, error) {
	rows, err := t.s.sql(ctx, idsQuery)
	if err != nil {
		return balance{}, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	b := balance{accepted: len(t.accepted), rows: len(rows)}
	seen := make(map[string]struct{}, len(rows))
	for _, id := range rows {
		if _, again := seen[id]; again {
			b.twice++
		}
		seen[id] = struct{}{}
		if _, ok := t.accepted[id]; !ok {
			b.foreign++
		}
	}
	for id := range t.accepted {
		if _, ok := seen[id]; !ok {
			b.lost++
		}
	}
	return b, nil
}

// settle sends again what was not accepted, as every client has to.
func (t *traffic) settle(ctx context.Context) {
	for _, e := range maps.Clone(t.open) {
		t.deliver(ctx, e)
	}
}

// expectBalance asserts that the table comes to hold exactly what was accepted, each
// event once, and that nothing is left in the queue.
func (t *traffic) expectBalance(ctx context.Context) {
	GinkgoHelper()
	t.settle(ctx)
	want := balance{accepted: len(t.accepted), rows: len(t.accepted)}
	Eventually(t.balance, drainBudget, look).WithContext(ctx).Should(Equal(want))
	t.s.expectEmptyQueue(ctx)
	Consistently(t.balance, quiet, look).WithContext(ctx).Should(Equal(want))
}

// expectOrder asserts that no reader saw an event before an earlier one of its
// correlation.
func (t *traffic) expectOrder() {
	GinkgoHelper()
	Expect(t.reads).To(BeNumerically(">", 0))
	Expect(t.gaps).To(BeEmpty())
}
