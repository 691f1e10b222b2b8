package realstores

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/hybrid-e2e/hybrid/pkg/datastorage/config"
)

const superuser = "audit"

// PostgreSQL is a running server.
type PostgreSQL struct {
	dir       string
	port      int
	process   *process
	databases atomic.Int64
}

// StartPostgreSQL makes a new server. Its durability is off, because a test that
// crashes has nothing to recover.
func StartPostgreSQL() (*PostgreSQL, error) {
	dir, err := folder()
	if err != nil {
		return nil, err
	}
	p := &PostgreSQL{dir: dir}
	if err := p.initialise(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	if p.port, err = freePort(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	if err := p.Start(); err != nil {
		return nil, errors.Join(err, p.Close())
	}
	return p, nil
}

func (p *PostgreSQL) initialise() error {
	initdb, err := binary("initdb")
	if err != nil {
		return err
	}
	secret, err := secrets(p.dir, map[string]string{"password": password})
	if err != nil {
		return err
	}
	command, err := prepare(context.Background(), p.dir, initdb, "--pgdata", p.data(), "--username", superuser,
		"--pwfile", filepath.Join(secret, "password"), "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-sync")
	if err != nil {
		return err
	}
	if output, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, output)
	}
	return nil
}

func (p *PostgreSQL) data() string { return filepath.Join(p.dir, "data") }

// Start runs the server, also again after Stop or Kill, on the same port and data.
func (p *PostgreSQL) Start() error {
	path, err := binary("postgres")
	if err != nil {
		return err
	}
	p.process, err = start(p.dir, path, "-D", p.data(), "-p", strconv.Itoa(p.port), "-c", "listen_addresses=127.0.0.1",
		"-c", "unix_socket_directories=", "-c", "fsync=off", "-c", "shared_buffers=16MB", "-c", "max_connections=60")
	if err != nil {
		return err
	}
	return p.process.until(func(ctx context.Context) error {
		connection, err := pgx.Connect(ctx, p.URL("postgres"))
		if err != nil {
			return err
		}
		return connection.Close(ctx)
	})
}

// Stop ends the server, as a deleted pod would.
func (p *PostgreSQL) Stop() error { return p.process.stop(syscall.SIGINT) }

// Freeze stops the answers but not the connections, as a machine that hangs would.
func (p *PostgreSQL) Freeze() error { return p.eachProcess(syscall.SIGSTOP) }

// Thaw ends Freeze.
func (p *PostgreSQL) Thaw() error { return p.eachProcess(syscall.SIGCONT) }

// eachProcess reaches the server and its children: a backend answers on its own.
func (p *PostgreSQL) eachProcess(signal syscall.Signal) error {
	parent := p.process.command.Process.Pid
	listing, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", parent, parent))
	if err != nil {
		return fmt.Errorf("list backends: %w", err)
	}
	err = p.process.signal(signal)
	for child := range strings.FieldsSeq(string(listing)) {
		pid, parseErr := strconv.Atoi(child)
		if parseErr != nil {
			return parseErr
		}
		// A backend may have ended since the listing.
		if killErr := syscall.Kill(pid, signal); killErr != nil && !errors.Is(killErr, syscall.ESRCH) {
			err = errors.Join(err, killErr)
		}
	}
	return err
}

// Close ends the server and removes its data.
func (p *PostgreSQL) Close() error {
	var err error
	if p.process != nil {
		err = p.process.stop(syscall.SIGINT)
	}
	return errors.Join(err, os.RemoveAll(p.dir))
}

// URL is the connection string of a database.
func (p *PostgreSQL) URL(database string) string {
	return fmt.Sprintf("postgres://%s:%s@%s/%s?sslmode=disable", superuser, password, address(p.port), database)
}

// Database makes an empty database for one test and returns how to reach it.
func (p *PostgreSQL) Database(t testing.TB) config.PostgreSQL {
	t.Helper()
	name := fmt.Sprintf("test%d", p.databases.Add(1))
	connection, err := pgx.Connect(t.Context(), p.URL("postgres"))
	if err != nil {
		t.Fatalf("connect to create a database: %v", err)
	}
	defer func() { _ = connection.Close(context.WithoutCancel(t.Context())) }()
	if _, err := connection.Exec(t.Context(), "CREATE DATABASE "+name); err != nil {
		t.Fatalf("create database: %v", err)
	}
	return p.Config(t, name)
}

// Config is how to reach a database, with its secrets as files.
func (p *PostgreSQL) Config(t testing.TB, database string) config.PostgreSQL {
	t.Helper()
	folder, err := secrets(t.TempDir(), map[string]string{"username": superuser, "password": password, "database": database})
	if err != nil {
		t.Fatalf("write secrets: %v", err)
	}
	c := config.Default().PostgreSQL
	c.Address = address(p.port)
	c.Secrets = folder
	return c
}
