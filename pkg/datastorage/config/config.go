package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"go.yaml.in/yaml/v3"
)

// Config is the whole configuration. Durations are written as Go writes them, for
// example 250ms or 168h. Default returns the value of every key that a file leaves
// out.
type Config struct {
	Log        Log        `yaml:"log"`
	Server     Server     `yaml:"server"`
	Write      Write      `yaml:"write"`
	Query      Query      `yaml:"query"`
	Events     Events     `yaml:"events"`
	PostgreSQL PostgreSQL `yaml:"postgresql"`
	Redis      Redis      `yaml:"redis"`
	Stores     Stores     `yaml:"stores"`
	Queue      Queue      `yaml:"queue"`
	Retention  Retention  `yaml:"retention"`
	Clock      Clock      `yaml:"clock"`
}

// Log configures the log, JSON lines on standard error.
type Log struct {
	// Level is debug, info, warn or error.
	Level slog.Level `yaml:"level"`
}

// Server configures the two listeners and what a request may cost.
type Server struct {
	// Address of the API, host:port. An empty host means every interface.
	Address string `yaml:"address"`
	// MetricsAddress of GET /metrics, host:port.
	MetricsAddress string `yaml:"metrics_address"`
	// ReadTimeout bounds reading one request, header and body.
	ReadTimeout time.Duration `yaml:"read_timeout"`
	// ShutdownDelay is how long the server goes on answering after it has told
	// that it is not ready, so that load balancers stop sending. 0 means no delay.
	ShutdownDelay time.Duration `yaml:"shutdown_delay"`
	// DrainTimeout bounds the wait for running requests at shutdown.
	DrainTimeout time.Duration `yaml:"drain_timeout"`
	// MaxInFlight requests run at once, the next one is answered 503.
	MaxInFlight int `yaml:"max_in_flight"`
	// MaxEventBytes bounds the body of a single event, in bytes.
	MaxEventBytes int64 `yaml:"max_event_bytes"`
	// MaxBatchBytes bounds the body of a batch, in bytes.
	MaxBatchBytes int64 `yaml:"max_batch_bytes"`
	// MaxBatchEvents bounds the number of events in a batch.
	MaxBatchEvents int `yaml:"max_batch_events"`
	// MaxInFlightBytes bounds the bodies of all running writes together, in bytes;
	// the write that would pass it is answered 503. While a store is slow, writes
	// pile up, and this is what bounds their memory.
	MaxInFlightBytes int64 `yaml:"max_in_flight_bytes"`
}

// Write bounds how long one write may take: the sum of the two is the longest time
// to an answer.
type Write struct {
	PostgreSQLTimeout time.Duration `yaml:"postgresql_timeout"`
	QueueTimeout      time.Duration `yaml:"queue_timeout"`
}

// Query bounds one query.
type Query struct {
	Timeout time.Duration `yaml:"timeout"`
}

// Events bounds the timestamps that are accepted, relative to the server's clock.
type Events struct {
	MaxAge   time.Duration `yaml:"max_age"`
	MaxAhead time.Duration `yaml:"max_ahead"`
}

// PostgreSQL says where the database is.
type PostgreSQL struct {
	// Address is host:port.
	Address string `yaml:"address"`
	// Secrets is the folder with the files username, password and database.
	Secrets string `yaml:"secrets"`
	// SSLMode is libpq's sslmode: disable, require, verify-ca or verify-full.
	SSLMode string `yaml:"ssl_mode"`
	// MaxConnections of one replica.
	MaxConnections int32 `yaml:"max_connections"`
	// ConnectTimeout bounds opening one connection.
	ConnectTimeout time.Duration `yaml:"connect_timeout"`
}

// Redis says where the queue is.
type Redis struct {
	// Address is host:port.
	Address string `yaml:"address"`
	// Secrets is the folder with the file password.
	Secrets string `yaml:"secrets"`
	// Stream holds events that wait for PostgreSQL.
	Stream string `yaml:"stream"`
	// DeadStream holds events that can never be stored.
	DeadStream string `yaml:"dead_stream"`
	// ConnectTimeout bounds opening one connection.
	ConnectTimeout time.Duration `yaml:"connect_timeout"`
}

// Stores configures how the two stores are watched.
type Stores struct {
	// CheckInterval is the time between two health checks of a store that is up.
	CheckInterval time.Duration `yaml:"check_interval"`
	// RetryMin is the first wait after a failed check; it doubles up to RetryMax.
	RetryMin time.Duration `yaml:"retry_min"`
	RetryMax time.Duration `yaml:"retry_max"`
}

// Queue configures the worker that replays queued events.
type Queue struct {
	// ReplayInterval is how often an empty queue is looked at.
	ReplayInterval time.Duration `yaml:"replay_interval"`
	// ReplayBatch is the number of events stored in one transaction.
	ReplayBatch int64 `yaml:"replay_batch"`
}

// Retention says how long events are kept.
type Retention struct {
	// Months is how many whole months are kept beside the current one; the
	// partitions before are dropped. 0 keeps everything.
	Months int `yaml:"months"`
}

// Clock moves the service's idea of the time, for rehearsals only.
type Clock struct {
	// Offset is added to the machine's clock wherever the time decides: accepted
	// timestamps, partitions, retention. Negative is the past.
	Offset time.Duration `yaml:"offset"`
}

// Now tells the service's time.
func (c Clock) Now() time.Time { return time.Now().Add(c.Offset) }

// Default returns the configuration of an empty file.
func Default() Config {
	return Config{
		Log: Log{Level: slog.LevelInfo},
		Server: Server{
			Address:        ":8080",
			MetricsAddress: ":9090",
			ReadTimeout:    10 * time.Second,
			ShutdownDelay:  2 * time.Second,
			DrainTimeout:   30 * time.Second,
			MaxInFlight:    100,
			MaxEventBytes:  256 << 10,
			MaxBatchBytes:  4 << 20,
			MaxBatchEvents: 1000,

			MaxInFlightBytes: 16 << 20,
		},
		Write:  Write{PostgreSQLTimeout: 3 * time.Second, QueueTimeout: 2 * time.Second},
		Query:  Query{Timeout: 5 * time.Second},
		Events: Events{MaxAge: 7 * 24 * time.Hour, MaxAhead: 5 * time.Minute},
		PostgreSQL: PostgreSQL{ //nolint:gosec // Secrets names a folder; it is no credential.
			Address:        "postgresql:5432",
			Secrets:        "/etc/secrets/postgresql",
			SSLMode:        "disable",
			MaxConnections: 16,
			ConnectTimeout: 2 * time.Second,
		},
		Redis: Redis{ //nolint:gosec // Secrets names a folder; it is no credential.
			Address:        "redis:6379",
			Secrets:        "/etc/secrets/redis",
			Stream:         "audit:queue",
			DeadStream:     "audit:dead",
			ConnectTimeout: time.Second,
		},
		Stores: Stores{CheckInterval: time.Second, RetryMin: 100 * time.Millisecond, RetryMax: 500 * time.Millisecond},
		Queue:  Queue{ReplayInterval: time.Second, ReplayBatch: 500},
	}
}

// Load reads the file at path over the defaults. A key that is not known is an error
// that names its line: a misspelt limit must not silently fall back to a default.
func Load(path string) (Config, error) {
	body, err := os.ReadFile(path)
	if err != nil {
		return Config{}, fmt.Errorf("read configuration: %w", err)
	}
	config, err := Parse(body)
	if err != nil {
		return Config{}, fmt.Errorf("configuration %s: %w", path, err)
	}
	return config, nil
}

// Parse is Load for a file that is already read. An empty file is valid.
func Parse(body []byte) (Config, error) {
	config := Default()
	decoder := yaml.NewDecoder(bytes.NewReader(body))
	decoder.KnownFields(true)
	if err := decoder.Decode(&config); err != nil && !errors.Is(err, io.EOF) {
		return Config{}, err
	}
	if err := decoder.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return Config{}, errors.New("more than one YAML document")
	}
	if err := config.validate(); err != nil {
		return Config{}, err
	}
	return config, nil
}
