package realstores

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/hybrid-e2e/hybrid/pkg/datastorage/config"
)

// Redis is a running server.
type Redis struct {
	dir     string
	port    int
	process *process
	streams atomic.Int64
}

// StartRedis makes a new server that appends to a file, so that it keeps its data over
// Stop and Start.
func StartRedis() (*Redis, error) {
	dir, err := folder()
	if err != nil {
		return nil, err
	}
	r := &Redis{dir: dir}
	if r.port, err = freePort(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	if err := r.Start(); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

// Start runs the server, also again after Stop, on the same port and data.
func (r *Redis) Start() error {
	path, err := binary("redis-server")
	if err != nil {
		return err
	}
	r.process, err = start(r.dir, path, "--bind", "127.0.0.1", "--port", strconv.Itoa(r.port), "--dir", r.dir,
		"--requirepass", password, "--appendonly", "yes", "--save", "", "--daemonize", "no")
	if err != nil {
		return err
	}
	client := r.Client()
	defer func() { _ = client.Close() }()
	return r.process.until(func(ctx context.Context) error { return client.Ping(ctx).Err() })
}

// Client connects a test directly. The caller closes it.
func (r *Redis) Client() *redis.Client {
	return redis.NewClient(&redis.Options{Addr: address(r.port), Password: password})
}

// Stop ends the server, as a deleted pod would.
func (r *Redis) Stop() error { return r.process.stop(syscall.SIGTERM) }

// Freeze stops the answers but not the connections; Thaw ends it.
func (r *Redis) Freeze() error { return r.process.signal(syscall.SIGSTOP) }

// Thaw ends Freeze.
func (r *Redis) Thaw() error { return r.process.signal(syscall.SIGCONT) }

// Close ends the server and removes its data.
func (r *Redis) Close() error {
	var err error
	if r.process != nil {
		err = r.process.stop(syscall.SIGTERM)
	}
	return errors.Join(err, os.RemoveAll(r.dir))
}

// Config is how to reach the server with a pair of streams that no other test has.
func (r *Redis) Config(t testing.TB) config.Redis {
	t.Helper()
	folder, err := secrets(t.TempDir(), map[string]string{"password": password})
	if err != nil {
		t.Fatalf("write secrets: %v", err)
	}
	c := config.Default().Redis
	number := r.streams.Add(1)
	c.Address = address(r.port)
	c.Secrets = folder
	c.Stream = fmt.Sprintf("queue%d", number)
	c.DeadStream = fmt.Sprintf("dead%d", number)
	return c
}
