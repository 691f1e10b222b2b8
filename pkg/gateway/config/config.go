package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"time"

	"go.yaml.in/yaml/v3"
)

// Environment variables that override the file.
const (
	EnvAddress        = "GATEWAY_ADDRESS"
	EnvMetricsAddress = "GATEWAY_METRICS_ADDRESS"
	EnvDataStorageURL = "GATEWAY_DATASTORAGE_URL"
)

// Config is the whole configuration. Default returns the values that hold for
// keys which the file leaves out. A change of the keys tagged `reload:"live"` takes
// effect while the process runs, see Adopt; the others need a restart.
type Config struct {
	Server     Server     `yaml:"server"`
	Auth       Auth       `yaml:"auth"`
	Replay     Replay     `yaml:"replay"`
	Processing Processing `yaml:"processing"`
	Kubernetes Kubernetes `yaml:"kubernetes"`
	Audit      Audit      `yaml:"audit"`
	Shutdown   Shutdown   `yaml:"shutdown"`
	Log        Log        `yaml:"log"`
}

// Server says where and how the Gateway listens.
type Server struct {
	// Address and MetricsAddress are host:port; an empty host means all.
	Address        string `yaml:"address"`
	MetricsAddress string `yaml:"metrics_address"`
	// ReadTimeout bounds the reading of a whole request, WriteTimeout all of it
	// from the end of its headers, IdleTimeout an unused connection.
	ReadTimeout  Duration `yaml:"read_timeout"`
	WriteTimeout Duration `yaml:"write_timeout"`
	IdleTimeout  Duration `yaml:"idle_timeout"`
	// MaxInFlight bounds the signal requests that are answered at one time.
	MaxInFlight int `yaml:"max_in_flight" reload:"live"`
	// MaxBodyBytes bounds the body of a signal request.
	MaxBodyBytes int64 `yaml:"max_body_bytes" reload:"live"`
	// TrustedProxies are the networks, in CIDR form, whose X-Forwarded-For is
	// believed. None means that the header is never believed.
	TrustedProxies []string `yaml:"trusted_proxies" reload:"live"`
	// CORSOrigins may send from a browser. None switches CORS off; "*" allows all.
	CORSOrigins []string `yaml:"cors_origins" reload:"live"`
}

// Auth says who may send signals.
type Auth struct {
	// Enabled is for production; false lets everybody in, for local use.
	Enabled bool `yaml:"enabled"`
	// CacheTTL is how long a decision of the API server is reused.
	CacheTTL Duration `yaml:"cache_ttl"`
}

// Replay bounds the X-Timestamp header around the Gateway's own clock.
type Replay struct {
	MaxAge   Duration `yaml:"max_age" reload:"live"`
	MaxAhead Duration `yaml:"max_ahead" reload:"live"`
}

// Processing says how signals become requests.
type Processing struct {
	// FallbackNamespace takes requests whose own namespace does not exist.
	FallbackNamespace string `yaml:"fallback_namespace"`
	// Timeout bounds the work on one HTTP request.
	Timeout Duration `yaml:"timeout" reload:"live"`
	// BatchParallelism bounds the alerts of one webhook that are worked on at a time.
	BatchParallelism int `yaml:"batch_parallelism" reload:"live"`
}

// Kubernetes says how the API server is called.
type Kubernetes struct {
	// QPS and Burst limit the calls of this process; a QPS below zero means no limit.
	// That is the default: the API server itself shares its time out fairly, by
	// priority levels, and knows better than a number how much it can take.
	QPS   float32 `yaml:"qps"`
	Burst int     `yaml:"burst"`
	// RequestTimeout bounds one call.
	RequestTimeout Duration `yaml:"request_timeout"`
	Retry          Retry    `yaml:"retry"`
}

// Retry says how often a call is repeated after an error that may pass.
type Retry struct {
	Attempts int `yaml:"attempts"`
	// InitialDelay doubles with each attempt up to MaxDelay, ± 10 %.
	InitialDelay Duration `yaml:"initial_delay"`
	MaxDelay     Duration `yaml:"max_delay"`
}

// Audit says how audit events reach DataStorage.
type Audit struct {
	Enabled        bool   `yaml:"enabled"`
	DataStorageURL string `yaml:"data_storage_url"`
	// BatchSize and BufferSize count events.
	BatchSize     int      `yaml:"batch_size"`
	BufferSize    int      `yaml:"buffer_size"`
	FlushInterval Duration `yaml:"flush_interval"`
	// RequestTimeout bounds one batch; MaxBackoff the pause after a failed one.
	RequestTimeout Duration `yaml:"request_timeout"`
	MaxBackoff     Duration `yaml:"max_backoff"`
}

// Shutdown says how the process stops. The sum of the three must stay below the
// pod's grace period.
type Shutdown struct {
	// Delay is how long requests are still taken after the Gateway said that it is
	// not ready, so that the load balancers have heard of it.
	Delay Duration `yaml:"delay" reload:"live"`
	// DrainTimeout bounds the wait for requests that are being answered.
	DrainTimeout Duration `yaml:"drain_timeout" reload:"live"`
	// AuditTimeout bounds the last flush of audit events.
	AuditTimeout Duration `yaml:"audit_timeout" reload:"live"`
}

// Log says what is logged.
type Log struct {
	// Level is debug, info, warn or error.
	Level string `yaml:"level" reload:"live"`
}

// Default returns the configuration of an empty file. Only the URL of DataStorage
// has no default.
func Default() Config {
	return Config{
		Server: Server{
			Address:        ":8080",
			MetricsAddress: ":9090",
			ReadTimeout:    Duration(15 * time.Second),
			WriteTimeout:   Duration(30 * time.Second),
			IdleTimeout:    Duration(2 * time.Minute),
			MaxInFlight:    100,
			MaxBodyBytes:   256 << 10,
		},
		Auth:   Auth{Enabled: true, CacheTTL: Duration(10 * time.Second)},
		Replay: Replay{MaxAge: Duration(5 * time.Minute), MaxAhead: Duration(2 * time.Minute)},
		Processing: Processing{
			FallbackNamespace: "kubernaut-system",
			Timeout:           Duration(20 * time.Second),
			BatchParallelism:  16,
		},
		Kubernetes: Kubernetes{
			QPS: -1, Burst: 400, RequestTimeout: Duration(5 * time.Second),
			Retry: Retry{Attempts: 3, InitialDelay: Duration(100 * time.Millisecond), MaxDelay: Duration(5 * time.Second)},
		},
		Audit: Audit{
			Enabled: true, BatchSize: 1000, BufferSize: 30000, FlushInterval: Duration(time.Second),
			RequestTimeout: Duration(5 * time.Second), MaxBackoff: Duration(5 * time.Second),
		},
		Shutdown: Shutdown{
			Delay: Duration(5 * time.Second), DrainTimeout: Duration(30 * time.Second),
			AuditTimeout: Duration(8 * time.Second),
		},
		Log: Log{Level: "info"},
	}
}

// Parse reads YAML over the defaults. An unknown key, a second document or a
// value of the wrong kind is an error that names the line.
func Parse(content []byte) (Config, error) {
	config := Default()
	decoder := yaml.NewDecoder(bytes.NewReader(content))
	decoder.KnownFields(true)
	if err := decoder.Decode(&config); err != nil && !errors.Is(err, io.EOF) {
		return Config{}, err
	}
	var second yaml.Node
	if err := decoder.Decode(&second); !errors.Is(err, io.EOF) {
		return Config{}, fmt.Errorf("line %d: only one document is allowed", second.Line)
	}
	return config, nil
}
