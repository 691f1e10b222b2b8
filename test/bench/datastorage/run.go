package datastorage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/hybrid-e2e/hybrid/hybrid"
	"github.com/hybrid-e2e/hybrid/hybrid/fault"
	"github.com/hybrid-e2e/hybrid/test/infrastructure"
	"github.com/hybrid-e2e/hybrid/test/testbed"
)

// Measure brings up the cluster with the product's build, or reuses the kept one,
// measures, prints the table, and keeps it beside the run's artifacts. A missed target
// is an error.
func Measure(ctx context.Context) error {
	rows, err := rowsFrom(os.Getenv)
	if err != nil {
		return infrastructure.Tell(err)
	}
	return infrastructure.Measure(ctx, "datastorage", func(ctx context.Context, env hybrid.Environment, out io.Writer) error {
		bed, err := testbed.Connect(env)
		if err != nil {
			return err
		}
		m := &measurement{
			client: newClient(env), bed: bed, source: newSource(rows), out: out,
			report: Report{Run: env.Run, Started: time.Now().UTC(), Image: env.Images["datastorage"]},
		}
		return m.run(ctx)
	})
}

// measurement is one run.
type measurement struct {
	client
	bed    *testbed.Bed
	source source
	out    io.Writer
	report Report
}

func (m *measurement) run(ctx context.Context) error {
	for _, step := range []struct {
		name    string
		measure func(context.Context) (Result, error)
	}{
		{"writes one by one", m.single},
		{"queue replay", m.replay},
		{"writes in batches", m.batches},
		{"query of a correlation", m.correlations},
		{"filtered page", m.pages},
	} {
		fmt.Fprintf(m.out, "  %s\n", step.name)
		done := m.observe(ctx)
		r, err := step.measure(ctx)
		if err != nil {
			return fmt.Errorf("%s: %w", step.name, err)
		}
		r.Name, r.Memory = step.name, done()
		if r.Memory.Peak > mostMemory {
			r.Missed = append(r.Missed, fmt.Sprintf("%.0f MiB of memory, wanted at most %.0f", r.Memory.Peak, mostMemory))
		}
		m.report.Results = append(m.report.Results, r)
		fmt.Fprintf(m.out, "    %.0f per second, p50 %.1f ms, p99 %.1f ms\n", r.PerSecond, r.P50, r.P99)
	}
	dir := filepath.Join(m.env.Artifacts, "bench")
	if err := m.report.Save(dir); err != nil {
		return err
	}
	fmt.Fprintf(m.out, "\n%s\nbench: %s\n", m.report.Text(), filepath.Join(dir, "datastorage.txt"))
	if m.report.Missed() {
		return fault.With(fmt.Errorf("%w; the table says which", infrastructure.ErrMissed), "see docs/datastorage/performance.md")
	}
	return nil
}

// single writes one event per request, which is one row per transaction.
func (m *measurement) single(ctx context.Context) (Result, error) {
	ends := time.Now().Add(singles)
	var count atomic.Int64
	began := time.Now()
	times, err := m.timed(ctx, connections, math.MaxInt, func(ctx context.Context, n int) error {
		if time.Now().After(ends) {
			return errEnough
		}
		count.Add(1)
		return m.write(ctx, routeEvents, m.source.event(n%m.source.rows), http.StatusCreated)
	})
	if err != nil && !errors.Is(err, errEnough) {
		return Result{}, err
	}
	return times.result(int(count.Load()), time.Since(began)), nil
}

var errEnough = errors.New("enough was measured")

// batches fills the table. What had to be queued meanwhile counts when it is stored.
func (m *measurement) batches(ctx context.Context) (Result, error) {
	began := time.Now()
	var late atomic.Int64
	times, err := m.timed(ctx, connections, m.source.rows/batchSize, func(ctx context.Context, n int) error {
		queued, err := m.accept(ctx, routeBatch, m.source.batch(n*batchSize))
		if queued {
			late.Add(batchSize)
		}
		return err
	})
	if err != nil {
		return Result{}, err
	}
	if err := m.await(ctx, func(ctx context.Context) (bool, error) {
		values, err := m.gauges(ctx, "datastorage_queue_depth")
		return err == nil && values[0] == 0, err
	}); err != nil {
		return Result{}, err
	}
	r := times.result(m.source.rows, time.Since(began))
	r.Queued, r.Target = int(late.Load()), fmt.Sprintf("at least %.0f/s", leastBatch)
	if r.PerSecond < leastBatch {
		r.Missed = append(r.Missed, fmt.Sprintf("%.0f per second, wanted at least %.0f", r.PerSecond, leastBatch))
	}
	return r, nil
}

// replay keeps DataStorage out of its database until events wait, and measures how
// long it takes to store them once it is let in again.
func (m *measurement) replay(ctx context.Context) (Result, error) {
	if err := m.shut(ctx); err != nil {
		return Result{}, err
	}
	err := m.await(ctx, func(ctx context.Context) (bool, error) {
		return m.write(ctx, routeEvents, m.source.event(0), http.StatusAccepted) == nil, nil
	})
	if err == nil {
		err = together(ctx, connections, queued/batchSize, func(ctx context.Context, n int) error {
			return m.write(ctx, routeBatch, m.source.batch(n*batchSize), http.StatusAccepted)
		})
	}
	if err := errors.Join(err, m.open(ctx)); err != nil {
		return Result{}, err
	}
	return m.drain(ctx)
}

// drain watches the counter of replayed events from its first move to the last.
func (m *measurement) drain(ctx context.Context) (Result, error) {
	var began, ended time.Time
	first, last := -1.0, -1.0
	err := m.await(ctx, func(ctx context.Context) (bool, error) {
		values, err := m.gauges(ctx, "datastorage_queue_replayed_total", "datastorage_queue_depth")
		if err != nil {
			return false, err
		}
		switch replayed, now := values[0], time.Now(); {
		case first < 0:
			first, last, began = replayed, replayed, now
		case replayed != last:
			last, ended = replayed, now
		case last == first:
			began = now // It has not been let in yet.
		default:
			return last-first >= queued && values[1] == 0, nil
		}
		return false, nil
	})
	if err != nil {
		return Result{}, err
	}
	events := int(last - first)
	r := Result{Events: events, PerSecond: float64(events) / ended.Sub(began).Seconds(), Target: fmt.Sprintf("at least %.0f/s", leastReplay)}
	if r.PerSecond < leastReplay {
		r.Missed = append(r.Missed, fmt.Sprintf("%.0f per second, wanted at least %.0f", r.PerSecond, leastReplay))
	}
	return r, nil
}

// psql is the client in PostgreSQL's container, in the database that nobody uses.
const psql = `PGPASSWORD="$(cat /etc/secrets/postgresql/password)" psql --no-psqlrc --quiet --host=/var/run/postgresql ` +
	`--username="$(cat /etc/secrets/postgresql/username)" --set=ON_ERROR_STOP=1 --dbname=postgres `

// shut ends all sessions of the database and lets no new one in.
func (m *measurement) shut(ctx context.Context) error {
	_, err := m.bed.Execute(ctx, "postgresql", psql+`-c "ALTER DATABASE $(cat /etc/secrets/postgresql/database) ALLOW_CONNECTIONS false"`+
		` -c "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '$(cat /etc/secrets/postgresql/database)'"`)
	return err
}

func (m *measurement) open(ctx context.Context) error {
	_, err := m.bed.Execute(context.WithoutCancel(ctx), "postgresql",
		psql+`-c "ALTER DATABASE $(cat /etc/secrets/postgresql/database) ALLOW_CONNECTIONS true"`)
	return err
}

// await asks until the condition holds.
func (m *measurement) await(ctx context.Context, condition wait.ConditionWithContextFunc) error {
	return wait.PollUntilContextTimeout(ctx, 50*time.Millisecond, 2*time.Minute, true, condition)
}

// correlations asks for all events of a request, each time another one.
func (m *measurement) correlations(ctx context.Context) (Result, error) {
	if err := m.settle(ctx); err != nil {
		return Result{}, err
	}
	began := time.Now()
	times, err := m.timed(ctx, askers, queries, func(ctx context.Context, n int) error {
		event := n * (m.source.rows / queries)
		total, _, err := m.query(ctx, url.Values{"correlation_id": {m.source.correlation(event)}})
		if err == nil && total < perCorrelation {
			err = fmt.Errorf("%s has %d events, wanted at least %d", m.source.correlation(event), total, perCorrelation)
		}
		return err
	})
	return times.within(queries, time.Since(began), mostCorrelation), err
}

// settle does what PostgreSQL does by itself within a minute or two of a mass of
// writes, so that what is measured is neither that nor its absence.
func (m *measurement) settle(ctx context.Context) error {
	_, err := m.bed.Execute(ctx, "postgresql", `PGPASSWORD="$(cat /etc/secrets/postgresql/password)" psql --no-psqlrc --quiet --host=/var/run/postgresql `+
		`--set=ON_ERROR_STOP=1 --username="$(cat /etc/secrets/postgresql/username)" --dbname="$(cat /etc/secrets/postgresql/database)" -c "VACUUM ANALYZE" -c CHECKPOINT`)
	return err
}

// pages asks for filtered pages of all kinds, the next page of each by its cursor
// included.
func (m *measurement) pages(ctx context.Context) (Result, error) {
	kinds := kinds()
	at := func(n int) string {
		return m.source.begin.Add(time.Duration(n%days) * 24 * time.Hour).UTC().Format(time.RFC3339)
	}
	filters := []func(n int) url.Values{
		func(n int) url.Values { return url.Values{"event_type": {"gateway.signal." + kinds[n%len(kinds)]}} },
		func(n int) url.Values {
			return url.Values{"event_type": {"gateway.signal." + kinds[n%len(kinds)]}, "since": {at(n)}}
		},
		func(int) url.Values { return url.Values{"event_outcome": {"failure"}} },
		func(n int) url.Values { return url.Values{"event_outcome": {"failure"}, "since": {at(n)}} },
		func(int) url.Values {
			return url.Values{"event_type": {"gateway.signal.verified"}, "severity": {"critical"}}
		},
	}
	began := time.Now()
	var mu sync.Mutex
	next := map[int]string{}
	times, err := m.timed(ctx, askers, queries, func(ctx context.Context, n int) error {
		kind := n % len(filters)
		filter := filters[kind](n / len(filters))
		mu.Lock()
		cursor := next[kind]
		delete(next, kind)
		mu.Unlock()
		if cursor != "" {
			filter.Set("cursor", cursor)
		}
		_, following, err := m.query(ctx, filter)
		if cursor == "" && kind != 1 && kind != 3 {
			mu.Lock()
			next[kind] = following
			mu.Unlock()
		}
		return err
	})
	return times.within(queries, time.Since(began), mostPage), err
}

// times are how long requests took.
type times []time.Duration

// timed is together, and takes the time of each call.
func (m *measurement) timed(ctx context.Context, clients, count int, work func(ctx context.Context, n int) error) (times, error) {
	var mu sync.Mutex
	var all times
	err := together(ctx, clients, count, func(ctx context.Context, n int) error {
		began := time.Now()
		err := work(ctx, n)
		took := time.Since(began)
		mu.Lock()
		defer mu.Unlock()
		all = append(all, took)
		return err
	})
	slices.Sort(all)
	return all, err
}

// at returns the time below which that share of the requests stayed.
func (t times) at(share float64) time.Duration {
	if len(t) == 0 {
		return 0
	}
	return t[min(len(t)-1, int(share*float64(len(t))))]
}

func (t times) result(events int, took time.Duration) Result {
	return Result{Events: events, PerSecond: float64(events) / took.Seconds(), P50: millis(t.at(0.5)), P99: millis(t.at(0.99))}
}

// within is result with a target for the slowest of a hundred.
func (t times) within(count int, took, most time.Duration) Result {
	r := t.result(count, took)
	r.Target = "p99 < " + most.String()
	if r.P99 >= millis(most) {
		r.Missed = append(r.Missed, fmt.Sprintf("p99 is %.1f ms, wanted below %s", r.P99, most))
	}
	return r
}

func millis(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
