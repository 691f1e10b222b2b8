package config

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"
)

// shortestMonth is a February.
const shortestMonth = 28 * 24 * time.Hour

// validate returns every mistake at once, each with the key that it is about.
func (c Config) validate() error {
	p := &problems{}
	c.validateTimes(p)

	p.address("server.address", c.Server.Address)
	p.address("server.metrics_address", c.Server.MetricsAddress)
	p.address("postgresql.address", c.PostgreSQL.Address)
	p.address("redis.address", c.Redis.Address)

	p.atLeast("server.max_in_flight", int64(c.Server.MaxInFlight), 1)
	p.atLeast("server.max_event_bytes", c.Server.MaxEventBytes, 1)
	p.atLeast("server.max_batch_bytes", c.Server.MaxBatchBytes, 1)
	p.atLeast("server.max_batch_events", int64(c.Server.MaxBatchEvents), 1)
	p.atLeast("queue.replay_batch", c.Queue.ReplayBatch, 1)
	p.check(c.Server.MaxInFlightBytes >= max(c.Server.MaxEventBytes, c.Server.MaxBatchBytes), "server.max_in_flight_bytes",
		"must not be below server.max_event_bytes or server.max_batch_bytes")
	p.atLeast("retention.months", int64(c.Retention.Months), 0)
	p.check(c.Retention.Months == 0 || c.Events.MaxAge <= shortestMonth*time.Duration(c.Retention.Months), "retention.months",
		"would drop the month of an event that events.max_age still accepts")
	// A migration holds its lock on one connection and works on another.
	p.atLeast("postgresql.max_connections", int64(c.PostgreSQL.MaxConnections), 2)

	p.check(c.PostgreSQL.Secrets != "", "postgresql.secrets", "must name a folder")
	p.check(c.Redis.Secrets != "", "redis.secrets", "must name a folder")
	p.check(c.Redis.Stream != "", "redis.stream", "must not be empty")
	p.check(c.Redis.DeadStream != "" && c.Redis.DeadStream != c.Redis.Stream,
		"redis.dead_stream", "must not be empty or the same as redis.stream")
	modes := []string{"disable", "require", "verify-ca", "verify-full"}
	p.check(slices.Contains(modes, c.PostgreSQL.SSLMode), "postgresql.ssl_mode",
		fmt.Sprintf("%q is not one of %s", c.PostgreSQL.SSLMode, strings.Join(modes, ", ")))
	return errors.Join(p.found...)
}

func (c Config) validateTimes(p *problems) {
	p.positive("server.read_timeout", c.Server.ReadTimeout)
	p.check(c.Server.ShutdownDelay >= 0, "server.shutdown_delay", "must not be negative")
	p.positive("server.drain_timeout", c.Server.DrainTimeout)
	p.positive("write.postgresql_timeout", c.Write.PostgreSQLTimeout)
	p.positive("write.queue_timeout", c.Write.QueueTimeout)
	p.positive("query.timeout", c.Query.Timeout)
	p.positive("events.max_age", c.Events.MaxAge)
	p.check(c.Events.MaxAhead >= 0, "events.max_ahead", "must not be negative")
	p.positive("postgresql.connect_timeout", c.PostgreSQL.ConnectTimeout)
	p.positive("redis.connect_timeout", c.Redis.ConnectTimeout)
	p.positive("stores.check_interval", c.Stores.CheckInterval)
	p.positive("stores.retry_min", c.Stores.RetryMin)
	p.check(c.Stores.RetryMax >= c.Stores.RetryMin, "stores.retry_max", "must not be below stores.retry_min")
	p.positive("queue.replay_interval", c.Queue.ReplayInterval)
}

// problems collects mistakes.
type problems struct{ found []error }

func (p *problems) check(ok bool, key, rule string) {
	if !ok {
		p.found = append(p.found, fmt.Errorf("%s: %s", key, rule))
	}
}

func (p *problems) address(key, value string) {
	_, port, err := net.SplitHostPort(value)
	p.check(err == nil && port != "", key, fmt.Sprintf("%q is not host:port", value))
}

func (p *problems) positive(key string, value time.Duration) {
	p.check(value > 0, key, fmt.Sprintf("%s is not above zero", value))
}

func (p *problems) atLeast(key string, value, least int64) {
	p.check(value >= least, key, fmt.Sprintf("must be at least %d", least))
}
