package datastorage_test

import (
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hybrid-e2e/hybrid/pkg/datastorage"
	"github.com/hybrid-e2e/hybrid/pkg/datastorage/config"
	"github.com/hybrid-e2e/hybrid/pkg/datastorage/realstores"
	"github.com/hybrid-e2e/hybrid/pkg/datastorage/server"
)

// The life of the service with both stores going away and coming back.
func TestServiceOutlivesItsStores(t *testing.T) {
	database, err := realstores.StartPostgreSQL()
	must(t, err)
	t.Cleanup(func() { must(t, database.Close()) })
	queue, err := realstores.StartRedis()
	must(t, err)
	t.Cleanup(func() { must(t, queue.Close()) })
	c := quick()
	c.PostgreSQL, c.Redis = database.Database(t), queue.Config(t)
	c.PostgreSQL.ConnectTimeout = time.Second
	must(t, database.Stop())
	must(t, queue.Stop())

	r := serve(t, c)
	if status := r.ready(t); status != http.StatusServiceUnavailable {
		t.Fatalf("ready answers %d with both stores down", status)
	}
	r.write(t, "none", http.StatusServiceUnavailable)

	must(t, queue.Start())
	eventually(t, "the queue takes events", func() bool {
		status, body := r.call(t, http.MethodGet, server.PathHealth, "")
		return status == http.StatusOK && strings.Contains(body, `"redis":{"state":"up"}`)
	})
	if status := r.ready(t); status != http.StatusServiceUnavailable {
		t.Fatalf("ready answers %d before the schema is migrated", status)
	}
	r.write(t, "early", http.StatusAccepted)

	must(t, database.Start())
	eventually(t, "ready", func() bool { return r.ready(t) == http.StatusOK })
	eventually(t, "early event replayed", func() bool { return r.total(t, "early") == 1 })
	r.write(t, "direct", http.StatusCreated)

	must(t, database.Stop())
	for range 5 {
		r.write(t, "outage", http.StatusAccepted)
	}
	if status := r.ready(t); status != http.StatusOK {
		t.Errorf("ready answers %d while the queue takes over", status)
	}
	if total := r.total(t, "outage"); total != -1 {
		t.Errorf("query answered a total of %d without a database", total)
	}

	must(t, queue.Stop())
	r.write(t, "none", http.StatusServiceUnavailable)
	eventually(t, "not ready", func() bool { return r.ready(t) == http.StatusServiceUnavailable })
	must(t, database.Start())
	eventually(t, "ready on the database alone", func() bool { return r.ready(t) == http.StatusOK })
	r.write(t, "direct", http.StatusCreated)
	must(t, queue.Start())
	eventually(t, "outage replayed", func() bool { return r.total(t, "outage") == 5 })
	if direct, none := r.total(t, "direct"), r.total(t, "none"); direct != 2 || none != 0 {
		t.Errorf("%d direct events, %d refused ones, want 2 and 0", direct, none)
	}

	_, metrics := call(t, http.MethodGet, "http://"+r.MetricsAddress()+"/metrics", "")
	for _, want := range []string{
		`datastorage_queue_replayed_total 6`, `datastorage_audit_events_total{result="stored"} 2`,
		`datastorage_audit_events_total{result="queued"} 6`, `datastorage_audit_events_total{result="failed"} 2`,
		`datastorage_store_up{store="postgresql"} 1`, `datastorage_store_up{store="redis"} 1`,
	} {
		if !strings.Contains(metrics, want+"\n") {
			t.Errorf("no metric %s", want)
		}
	}
	must(t, r.stop())
}

// A frozen PostgreSQL must not freeze the senders.
func TestWriteWithAFrozenDatabase(t *testing.T) {
	database, err := realstores.StartPostgreSQL()
	must(t, err)
	t.Cleanup(func() { must(t, database.Close()) })
	queue, err := realstores.StartRedis()
	must(t, err)
	t.Cleanup(func() { must(t, queue.Close()) })
	c := quick()
	c.PostgreSQL, c.Redis = database.Database(t), queue.Config(t)
	c.Stores.CheckInterval = time.Hour
	r := serve(t, c)
	eventually(t, "ready", func() bool { return r.ready(t) == http.StatusOK })
	r.write(t, "frozen", http.StatusCreated)

	must(t, database.Freeze())
	started := time.Now()
	r.write(t, "frozen", http.StatusAccepted)
	if took := time.Since(started); took > 3*time.Second {
		t.Errorf("the write took %s with a deadline of 1s for each store", took)
	}
	must(t, database.Thaw())
	eventually(t, "replayed", func() bool { return r.total(t, "frozen") == 2 })
}

// halfSent opens a request and returns when its handler waits for the body.
func halfSent(t *testing.T, r running) net.Conn {
	t.Helper()
	connection, err := new(net.Dialer).DialContext(t.Context(), "tcp", r.Address())
	must(t, err)
	t.Cleanup(func() { _ = connection.Close() })
	_, err = io.WriteString(connection, "POST "+server.PathEvents+
		" HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n")
	must(t, err)
	// The server asks for the body when the handler begins to read it.
	const wanted = "HTTP/1.1 100 Continue\r\n\r\n"
	answer := make([]byte, len(wanted))
	_, err = io.ReadFull(connection, answer)
	must(t, err)
	if string(answer) != wanted {
		t.Fatalf("answer %q", answer)
	}
	return connection
}

func TestStopFinishesWhatRuns(t *testing.T) {
	c := quick()
	c.PostgreSQL.Address, c.Redis.Address = "127.0.0.1:1", "127.0.0.1:1"
	c.Server.ShutdownDelay = 300 * time.Millisecond
	r := serve(t, c)
	connection := halfSent(t, r)
	stopped := make(chan error, 1)
	go func() { stopped <- r.stop() }()
	eventually(t, "stopping", func() bool {
		_, body := r.call(t, http.MethodGet, server.PathReady, "")
		return strings.Contains(body, "The service is shutting down.")
	})
	_, err := io.WriteString(connection, "{}")
	must(t, err)
	answer, err := io.ReadAll(connection)
	must(t, err)
	if !strings.HasPrefix(string(answer), "HTTP/1.1 400 ") {
		t.Errorf("answer %s", answer)
	}
	must(t, <-stopped)
}

func TestStopGivesUpAfterTheDrainTimeout(t *testing.T) {
	c := quick()
	c.PostgreSQL.Address, c.Redis.Address = "127.0.0.1:1", "127.0.0.1:1"
	c.Server.DrainTimeout = 50 * time.Millisecond
	r := serve(t, c)
	halfSent(t, r)
	if err := r.stop(); err == nil || !strings.Contains(err.Error(), "requests still running after 50ms") {
		t.Errorf("error %v", err)
	}
}

func TestNewRefusesWhatCannotWork(t *testing.T) {
	taken, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	must(t, err)
	defer func() { _ = taken.Close() }()
	for name, c := range map[string]struct {
		change func(*config.Config)
		want   string
	}{
		"API port taken":     {func(c *config.Config) { c.Server.Address = taken.Addr().String() }, "server.address"},
		"metrics port taken": {func(c *config.Config) { c.Server.MetricsAddress = taken.Addr().String() }, "server.metrics_address"},
		"no database port":   {func(c *config.Config) { c.PostgreSQL.Address = "nowhere" }, "postgresql.address"},
	} {
		t.Run(name, func(t *testing.T) {
			settings := quick()
			settings.Server.Address, settings.Server.MetricsAddress = "127.0.0.1:0", "127.0.0.1:0"
			c.change(&settings)
			if _, err := datastorage.New(t.Context(), settings, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want it to name %s", err, c.want)
			}
		})
	}
}
