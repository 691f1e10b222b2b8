package store

import (
	"context"
	"errors"
	"sync/atomic"
	"time"
)

// State is what the watch knows about the database.
type State struct {
	// Up: reachable, migrated and partitioned at the last check.
	Up bool
	// Migrated: the schema was complete at least once since the start.
	Migrated bool
}

// prepareTimeout bounds migrations and partitions together, the wait for another
// replica's migration included. It only has to end a connection that hangs.
const prepareTimeout = 5 * time.Minute

type watch struct {
	up, migrated atomic.Bool
	// begun is the day for which partitions were ensured and dropped. Only Run uses
	// it.
	begun time.Time
	// suspect holds one token when a statement failed in a way that questions the
	// state.
	suspect chan struct{}
}

// State returns what was found last. Before the first success both are false.
func (s *Store) State() State {
	return State{Up: s.watch.up.Load(), Migrated: s.watch.migrated.Load()}
}

// Run keeps the database usable until ctx ends: it migrates and creates partitions
// whenever the database appears, checks it regularly, and never gives up.
//
// A database that comes back is prepared again and not only pinged: with a volume
// that died with its pod, it comes back empty.
func (s *Store) Run(ctx context.Context) {
	wait := s.options.Watch.RetryMin
	for ctx.Err() == nil {
		err := s.prepare(ctx)
		if err == nil {
			wait = s.options.Watch.RetryMin
			s.setUp(ctx)
			err = s.hold(ctx)
		}
		if ctx.Err() != nil {
			return
		}
		s.setDown(ctx, err)
		pause(ctx, wait)
		wait = min(2*wait, s.options.Watch.RetryMax)
	}
}

func (s *Store) prepare(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, prepareTimeout)
	defer cancel()
	if err := s.ping(ctx); err != nil {
		return err
	}
	// Whatever was suspected before is being looked into now.
	select {
	case <-s.watch.suspect:
	default:
	}
	if err := s.Migrate(ctx); err != nil {
		return err
	}
	return s.begin(ctx, s.day())
}

// begin does what each day begins with. Three months are created ahead, so that the
// moment of the day does not matter. What cannot be dropped today is dropped later:
// old events are no reason to refuse new ones.
func (s *Store) begin(ctx context.Context, day time.Time) error {
	if err := s.EnsurePartitions(ctx); err != nil {
		return err
	}
	s.watch.begun = day
	if err := s.Drop(ctx); err != nil {
		s.log.WarnContext(ctx, "partitions older than the retention are still there, trying again", "error", err.Error())
		s.watch.begun = time.Time{}
	}
	return nil
}

// day is the present day in UTC. It is asked for at every check, and not awaited by a
// timer, because a timer stands still while its machine sleeps.
func (s *Store) day() time.Time { return day(s.options.Clock()) }

// hold returns when the database needs to be prepared again, with the reason.
func (s *Store) hold(ctx context.Context) error {
	check := time.NewTicker(s.options.Watch.CheckInterval)
	defer check.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-s.watch.suspect:
			return errSuspect
		case <-check.C:
			if err := s.check(ctx); err != nil {
				return err
			}
		}
	}
}

// check asks whether the database answers, and begins the day when it is a new one.
func (s *Store) check(ctx context.Context) error {
	if err := s.ping(ctx); err != nil {
		return err
	}
	today := s.day()
	if today.Equal(s.watch.begun) {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, prepareTimeout)
	defer cancel()
	return s.begin(ctx, today)
}

// ping asks one connection of the pool, and gives up after the connect timeout, so
// that a server that is frozen counts as down. When every connection is at work for the
// whole time, that is no failure: each has a deadline of its own, which tells.
func (s *Store) ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, s.options.PostgreSQL.ConnectTimeout)
	defer cancel()
	connection, err := s.pool.Acquire(ctx)
	if err != nil {
		if use := s.pool.Stat(); use.AcquiredConns() == use.MaxConns() && errors.Is(err, context.DeadlineExceeded) {
			return nil
		}
		return err
	}
	defer connection.Release()
	return connection.Ping(ctx)
}

type suspectError struct{}

func (suspectError) Error() string { return "a statement failed" }

var errSuspect = suspectError{}

// suspect takes the database out of use at once, because the next write should not
// wait for a timeout too, and makes Run look at it.
func (s *Store) suspect(err error) {
	if s.watch.up.CompareAndSwap(true, false) {
		s.log.Warn("PostgreSQL does not answer as it should", "error", err.Error())
		s.options.Changed(s.State())
	}
	select {
	case s.watch.suspect <- struct{}{}:
	default:
	}
}

func (s *Store) setUp(ctx context.Context) {
	s.watch.migrated.Store(true)
	if s.watch.up.CompareAndSwap(false, true) {
		s.log.InfoContext(ctx, "PostgreSQL is ready")
		s.options.Changed(s.State())
	}
}

func (s *Store) setDown(ctx context.Context, err error) {
	level := s.log.DebugContext
	if s.watch.up.CompareAndSwap(true, false) {
		level = s.log.WarnContext
		s.options.Changed(s.State())
	} else if !s.watch.migrated.Load() {
		level = s.log.WarnContext
	}
	level(ctx, "PostgreSQL cannot be used, trying again", "error", err.Error())
}

// pause waits for d or for the end of ctx.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
