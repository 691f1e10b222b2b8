package config

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestParseOfAnEmptyFileIsTheDefault(t *testing.T) {
	got, err := Parse(nil)
	if err != nil {
		t.Fatal(err)
	}
	if got != Default() {
		t.Errorf("got %+v, want %+v", got, Default())
	}
}

func TestParseHonoursEveryKey(t *testing.T) {
	got, err := Parse([]byte(`
log: {level: debug}
server:
  address: 127.0.0.1:1
  metrics_address: 127.0.0.1:2
  read_timeout: 1s
  shutdown_delay: 0s
  drain_timeout: 2s
  max_in_flight: 3
  max_event_bytes: 4
  max_batch_bytes: 5
  max_batch_events: 6
  max_in_flight_bytes: 22
write: {postgresql_timeout: 7s, queue_timeout: 8s}
query: {timeout: 9s}
events: {max_age: 10h, max_ahead: 11m}
postgresql: {address: "a:12", secrets: /p, ssl_mode: require, max_connections: 13, connect_timeout: 14s}
redis: {address: "b:15", secrets: /r, stream: q, dead_stream: d, connect_timeout: 16s}
stores: {check_interval: 17s, retry_min: 18ms, retry_max: 19s}
queue: {replay_interval: 20s, replay_batch: 21}
retention: {months: 23}
clock: {offset: -24h}
`))
	if err != nil {
		t.Fatal(err)
	}
	want := Config{
		Log: Log{Level: slog.LevelDebug},
		Server: Server{
			Address: "127.0.0.1:1", MetricsAddress: "127.0.0.1:2", ReadTimeout: time.Second, DrainTimeout: 2 * time.Second,
			MaxInFlight: 3, MaxEventBytes: 4, MaxBatchBytes: 5, MaxBatchEvents: 6, MaxInFlightBytes: 22,
		},
		Write:      Write{PostgreSQLTimeout: 7 * time.Second, QueueTimeout: 8 * time.Second},
		Query:      Query{Timeout: 9 * time.Second},
		Events:     Events{MaxAge: 10 * time.Hour, MaxAhead: 11 * time.Minute},
		PostgreSQL: PostgreSQL{Address: "a:12", Secrets: "/p", SSLMode: "require", MaxConnections: 13, ConnectTimeout: 14 * time.Second},
		Redis:      Redis{Address: "b:15", Secrets: "/r", Stream: "q", DeadStream: "d", ConnectTimeout: 16 * time.Second},
		Stores:     Stores{CheckInterval: 17 * time.Second, RetryMin: 18 * time.Millisecond, RetryMax: 19 * time.Second},
		Queue:      Queue{ReplayInterval: 20 * time.Second, ReplayBatch: 21},
		Retention:  Retention{Months: 23},
		Clock:      Clock{Offset: -24 * time.Hour},
	}
	if got != want {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestParseRefuses(t *testing.T) {
	for name, c := range map[string]struct{ file, want string }{
		"an unknown key":       {"server:\n  listen: \":1\"\n", "line 2: field listen not found"},
		"an unknown section":   {"a: 1\n", "line 1: field a not found"},
		"a bad duration":       {"query:\n  timeout: soon\n", "line 2: cannot unmarshal"},
		"two documents":        {"a:\n---\nb:\n", "line 1: field a not found"},
		"a second document":    {"query: {timeout: 1s}\n---\nx: 1\n", "more than one YAML document"},
		"no port":              {"redis: {address: redis}\n", `redis.address: "redis" is not host:port`},
		"zero duration":        {"query: {timeout: 0s}\n", "query.timeout: 0s is not above zero"},
		"negative delay":       {"server: {shutdown_delay: -1s}\n", "server.shutdown_delay: must not be negative"},
		"retry bounds crossed": {"stores: {retry_min: 3s, retry_max: 2s}\n", "stores.retry_max: must not be below stores.retry_min"},
		"one connection":       {"postgresql: {max_connections: 1}\n", "postgresql.max_connections: must be at least 2"},
		"one stream for both":  {"redis: {stream: a, dead_stream: a}\n", "redis.dead_stream: must not be empty or the same as redis.stream"},
		"bytes in flight":      {"server: {max_in_flight_bytes: 4194303}\n", "server.max_in_flight_bytes: must not be below"},
		"negative retention":   {"retention: {months: -1}\n", "retention.months: must be at least 0"},
		"retention too short":  {"retention: {months: 1}\nevents: {max_age: 673h}\n", "retention.months: would drop the month"},
		"ssl mode":             {"postgresql: {ssl_mode: prefer}\n", `postgresql.ssl_mode: "prefer" is not one of disable, require, verify-ca, verify-full`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Parse([]byte(c.file))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want it to contain %q", err, c.want)
			}
		})
	}
}

func TestClock(t *testing.T) {
	before := time.Now()
	if got := (Clock{Offset: time.Hour}).Now().Add(-time.Hour); got.Before(before) || got.After(time.Now()) {
		t.Errorf("the clock says %s, an hour after it began at %s", got, before)
	}
}

func TestParseNamesEveryMistake(t *testing.T) {
	_, err := Parse([]byte("query: {timeout: 0s}\nserver: {max_in_flight: 0}\n"))
	if err == nil || strings.Count(err.Error(), "\n") != 1 {
		t.Errorf("error %v, want two lines", err)
	}
}

func TestLoad(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config.yaml")
	if _, err := Load(path); err == nil || !strings.Contains(err.Error(), "read configuration") {
		t.Errorf("error %v for a missing file", err)
	}
	write(t, path, "nope: 1\n")
	if _, err := Load(path); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("error %v, want it to name the file", err)
	}
	write(t, path, "query: {timeout: 1s}\n")
	if c, err := Load(path); err != nil || c.Query.Timeout != time.Second {
		t.Errorf("%+v, %v", c.Query, err)
	}
}

func TestSecret(t *testing.T) {
	folder := t.TempDir()
	write(t, filepath.Join(folder, "password"), "s3cret \n")
	write(t, filepath.Join(folder, "empty"), "\n")
	if got, err := Secret(folder, "password"); err != nil || got != "s3cret " {
		t.Errorf("got %q, %v", got, err)
	}
	for _, name := range []string{"empty", "missing"} {
		if got, err := Secret(folder, name); err == nil || got != "" {
			t.Errorf("%s: got %q, %v", name, got, err)
		}
	}
}

// The file in the manifest must be one that the service takes, and the manifest must
// not move what other manifests rely on.
func TestManifestConfiguration(t *testing.T) {
	manifest, err := os.ReadFile(filepath.Join("..", "..", "..", "manifests", "datastorage", "configmap.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	_, block, found := strings.Cut(string(manifest), "config.yaml: |\n")
	if !found {
		t.Fatal("the manifest has no config.yaml")
	}
	var file strings.Builder
	for line := range strings.Lines(block) {
		file.WriteString(strings.TrimPrefix(line, "    "))
	}
	if got, err := Parse([]byte(file.String())); err != nil || got != Default() {
		t.Errorf("got %+v, %v, want the defaults", got, err)
	}
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}
