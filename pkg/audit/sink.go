package audit

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

// firstBackoff is the pause after the first failed batch; it doubles from there.
const firstBackoff = 250 * time.Millisecond

// Recorder counts what becomes of events.
type Recorder interface {
	Audit(fate Fate, events int)
	AuditBuffered(events int)
}

// Options configure a Sink. All are needed.
type Options struct {
	// BatchSize is the most events sent at once, BufferSize the most that wait.
	BatchSize  int
	BufferSize int
	// FlushInterval is how long an event waits for others to join its batch.
	FlushInterval time.Duration
	// MaxBackoff bounds the pause after a failed batch.
	MaxBackoff time.Duration
}

// Sink takes events and sends them in the background. Make one with NewSink, and
// end it with Close. A nil Sink takes events and forgets them.
type Sink struct {
	client   *Client
	options  Options
	recorder Recorder
	logger   *slog.Logger

	mu       sync.Mutex
	buffer   []Event // the events in flight included, oldest first
	overflow int     // events dropped since the last log line
	ended    bool    // nothing is sent any more

	full    chan struct{} // has a token when a batch is complete
	closing chan struct{} // closed by Close: do not wait for batches to fill
	stop    context.CancelFunc
	stopped chan struct{} // closed when the sender has ended
	once    sync.Once
}

// NewSink starts a Sink. It runs until Close, also when ctx has ended before: the
// events of the last requests come after that.
func NewSink(ctx context.Context, client *Client, options Options, recorder Recorder, logger *slog.Logger) *Sink {
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	s := &Sink{
		client: client, options: options, recorder: recorder, logger: logger,
		full: make(chan struct{}, 1), closing: make(chan struct{}),
		stop: stop, stopped: make(chan struct{}),
	}
	go s.run(ctx)
	return s
}

// Add takes events without ever waiting. When the buffer is full the new events
// are dropped, counted and logged: the oldest tell how the trouble began.
func (s *Sink) Add(events ...Event) {
	if s == nil {
		return
	}
	s.mu.Lock()
	if s.ended {
		s.mu.Unlock()
		s.recorder.Audit(Lost, len(events))
		return
	}
	room := min(s.options.BufferSize-len(s.buffer), len(events))
	s.buffer = append(s.buffer, events[:room]...)
	waiting, dropped := len(s.buffer), len(events)-room
	s.overflow += dropped
	s.recorder.AuditBuffered(waiting)
	s.mu.Unlock()

	if dropped > 0 {
		s.recorder.Audit(Overflow, dropped)
	}
	if waiting >= s.options.BatchSize {
		select {
		case s.full <- struct{}{}:
		default:
		}
	}
}

// Close sends what waits and ends the Sink. It returns when nothing waits any
// more, or when ctx ends; then the rest is lost, which is counted and logged.
func (s *Sink) Close(ctx context.Context) {
	if s == nil {
		return
	}
	s.once.Do(func() { close(s.closing) })
	select {
	case <-s.stopped:
	case <-ctx.Done():
		s.stop()
		<-s.stopped
	}
	s.stop()
	s.mu.Lock()
	lost := len(s.buffer)
	s.buffer, s.ended = nil, true
	s.mu.Unlock()
	s.logOverflow(ctx)
	if lost > 0 {
		s.recorder.Audit(Lost, lost)
		s.recorder.AuditBuffered(0)
		s.logger.ErrorContext(ctx, "audit events are lost, DataStorage did not take them before the end", "events", lost)
	}
}

func (s *Sink) run(ctx context.Context) {
	defer close(s.stopped)
	backoff := firstBackoff
	for s.await(ctx) {
		s.logOverflow(ctx)
		switch err := s.flush(ctx); {
		case err == nil:
			backoff = firstBackoff
		case ctx.Err() != nil:
			return
		default:
			s.logger.WarnContext(ctx, "audit events wait, DataStorage does not take them",
				"error", err, "waiting", s.waiting(), "retry_in", backoff.String())
			if !pause(ctx, backoff) {
				return
			}
			backoff = min(2*backoff, s.options.MaxBackoff)
		}
	}
}

// await waits until there is something to send. It returns false when the sender
// should end: it was told to stop, or is closing with nothing left.
func (s *Sink) await(ctx context.Context) bool {
	timer := time.NewTimer(s.options.FlushInterval)
	defer timer.Stop()
	for {
		if s.waiting() >= s.options.BatchSize {
			return ctx.Err() == nil
		}
		select {
		case <-ctx.Done():
			return false
		case <-s.closing:
			return s.waiting() > 0
		case <-s.full:
		case <-timer.C:
			if s.waiting() > 0 {
				return true
			}
			timer.Reset(s.options.FlushInterval)
		}
	}
}

// flush sends one batch and removes from the buffer what was dealt with.
func (s *Sink) flush(ctx context.Context) error {
	done, err := s.deliver(ctx, s.oldest())
	s.mu.Lock()
	s.buffer = slices.Clone(s.buffer[done:]) // lets go of the array of a long outage
	s.recorder.AuditBuffered(len(s.buffer))
	s.mu.Unlock()
	return err
}

// deliver sends events until each is taken or refused for good, and returns how
// many, from the first, that holds for. A refused batch is halved until the bad
// events are found, so that they take no good ones with them.
func (s *Sink) deliver(ctx context.Context, events []Event) (done int, err error) {
	result, err := s.client.send(ctx, events)
	switch {
	case result == away:
		return 0, err
	case result == taken:
		s.recorder.Audit(Sent, len(events))
		return len(events), nil
	case len(events) == 1:
		s.recorder.Audit(Rejected, 1)
		s.logger.ErrorContext(ctx, "an audit event is dropped, it can never be stored", "error", err,
			"event_id", events[0].EventID, "event_type", events[0].EventType, "correlation_id", events[0].CorrelationID)
		return 1, nil
	}
	middle := len(events) / 2
	if done, err = s.deliver(ctx, events[:middle]); err != nil {
		return done, err
	}
	rest, err := s.deliver(ctx, events[middle:])
	return done + rest, err
}

func (s *Sink) logOverflow(ctx context.Context) {
	s.mu.Lock()
	overflow := s.overflow
	s.overflow = 0
	s.mu.Unlock()
	if overflow > 0 {
		s.logger.ErrorContext(ctx, "audit events were dropped, the buffer was full",
			"events", overflow, "buffer_size", s.options.BufferSize)
	}
}

func (s *Sink) oldest() []Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buffer[:min(len(s.buffer), s.options.BatchSize)]
}

func (s *Sink) waiting() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.buffer)
}

// pause waits for about d. It returns false if ctx ends first.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(time.Duration(float64(d) * (0.9 + 0.2*rand.Float64())))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
