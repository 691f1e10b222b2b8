package config

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/validation"
)

// maxAuditBatch is the largest batch that DataStorage takes, in events.
const maxAuditBatch = 1000

// Validate reports every value that makes no sense, all at once.
func (c Config) Validate() error {
	var problems []error
	refuse := func(key, format string, args ...any) {
		problems = append(problems, fmt.Errorf("%s: %s", key, fmt.Sprintf(format, args...)))
	}
	for key, address := range map[string]string{
		"server.address": c.Server.Address, "server.metrics_address": c.Server.MetricsAddress,
	} {
		if _, _, err := net.SplitHostPort(address); err != nil {
			refuse(key, "%q is not host:port", address)
		}
	}
	for key, value := range c.positiveDurations() {
		if value <= 0 {
			refuse(key, "must be above zero")
		}
	}
	if c.Shutdown.Delay < 0 {
		refuse("shutdown.delay", "must not be negative")
	}
	for key, value := range map[string]int{
		"server.max_in_flight": c.Server.MaxInFlight, "server.max_body_bytes": int(c.Server.MaxBodyBytes),
		"processing.batch_parallelism": c.Processing.BatchParallelism,
		"kubernetes.burst":             c.Kubernetes.Burst, "kubernetes.retry.attempts": c.Kubernetes.Retry.Attempts,
		"audit.batch_size": c.Audit.BatchSize, "audit.buffer_size": c.Audit.BufferSize,
	} {
		if value <= 0 {
			refuse(key, "must be above zero")
		}
	}
	if c.Audit.BatchSize > maxAuditBatch {
		refuse("audit.batch_size", "must be at most %d", maxAuditBatch)
	}
	if c.Kubernetes.QPS == 0 {
		refuse("kubernetes.qps", "must not be zero; write -1 for no limit")
	}
	if c.Server.WriteTimeout <= c.Processing.Timeout {
		refuse("server.write_timeout", "must be longer than processing.timeout, or answers are cut off")
	}
	c.checkNames(refuse)
	slices.SortFunc(problems, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return errors.Join(problems...)
}

func (c Config) checkNames(refuse func(key, format string, args ...any)) {
	for _, network := range c.Server.TrustedProxies {
		if _, err := netip.ParsePrefix(network); err != nil {
			refuse("server.trusted_proxies", "%q is not a network such as 10.0.0.0/8", network)
		}
	}
	for _, origin := range c.Server.CORSOrigins {
		if origin != "*" && !isOrigin(origin) {
			refuse("server.cors_origins", "%q is not an origin such as https://console.example.com", origin)
		}
	}
	if len(validation.IsDNS1123Label(c.Processing.FallbackNamespace)) > 0 {
		refuse("processing.fallback_namespace", "%q is not the name of a namespace", c.Processing.FallbackNamespace)
	}
	if c.Audit.Enabled {
		parsed, err := url.Parse(c.Audit.DataStorageURL)
		if err != nil || (parsed.Scheme != "http" && parsed.Scheme != "https") || parsed.Host == "" {
			refuse("audit.data_storage_url", "%q is not a URL; set it, or %s, or audit.enabled: false", c.Audit.DataStorageURL, EnvDataStorageURL)
		}
	}
	if _, err := c.Log.parse(); err != nil {
		refuse("log.level", "%q is not debug, info, warn or error", c.Log.Level)
	}
}

func isOrigin(text string) bool {
	parsed, err := url.Parse(text)
	return err == nil && parsed.Scheme != "" && parsed.Host != "" && parsed.Path == ""
}

func (c Config) positiveDurations() map[string]time.Duration {
	return map[string]time.Duration{
		"server.read_timeout":            c.Server.ReadTimeout.Std(),
		"server.write_timeout":           c.Server.WriteTimeout.Std(),
		"server.idle_timeout":            c.Server.IdleTimeout.Std(),
		"auth.cache_ttl":                 c.Auth.CacheTTL.Std(),
		"replay.max_age":                 c.Replay.MaxAge.Std(),
		"replay.max_ahead":               c.Replay.MaxAhead.Std(),
		"processing.timeout":             c.Processing.Timeout.Std(),
		"kubernetes.request_timeout":     c.Kubernetes.RequestTimeout.Std(),
		"kubernetes.retry.initial_delay": c.Kubernetes.Retry.InitialDelay.Std(),
		"kubernetes.retry.max_delay":     c.Kubernetes.Retry.MaxDelay.Std(),
		"audit.flush_interval":           c.Audit.FlushInterval.Std(),
		"audit.request_timeout":          c.Audit.RequestTimeout.Std(),
		"audit.max_backoff":              c.Audit.MaxBackoff.Std(),
		"shutdown.drain_timeout":         c.Shutdown.DrainTimeout.Std(),
		"shutdown.audit_timeout":         c.Shutdown.AuditTimeout.Std(),
	}
}

// SlogLevel returns the level in the logger's own type; info for one that Load
// would have refused.
func (l Log) SlogLevel() slog.Level {
	level, err := l.parse()
	if err != nil {
		return slog.LevelInfo
	}
	return level
}

func (l Log) parse() (slog.Level, error) {
	var level slog.Level
	err := level.UnmarshalText([]byte(l.Level))
	return level, err
}
