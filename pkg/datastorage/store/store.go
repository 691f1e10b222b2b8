package store

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hybrid-e2e/hybrid/pkg/datastorage/config"
)

// Options are what a Store needs to know.
type Options struct {
	PostgreSQL config.PostgreSQL
	Watch      config.Stores
	// OldestEvent is the age of the oldest event that may be accepted: its month
	// gets a partition too. 0 means that the current month is the first.
	OldestEvent time.Duration
	// Retention is how many whole months are kept beside the current one. 0 keeps
	// everything.
	Retention int
	// Clock tells the time. Nil means time.Now.
	Clock func() time.Time
	// Changed is called when the state of the database changes. Nil means nobody
	// wants to know.
	Changed func(State)
}

// Store is the database. It is safe for concurrent use. Nothing connects before Run
// or the first statement, so that New works while the database is down.
type Store struct {
	pool    *pgxpool.Pool
	options Options
	log     *slog.Logger
	watch   watch
}

// New prepares a Store. It fails only for a configuration that can never work.
func New(options Options, log *slog.Logger) (*Store, error) {
	if options.Clock == nil {
		options.Clock = time.Now
	}
	if options.Changed == nil {
		options.Changed = func(State) {}
	}
	poolConfig, err := poolConfig(options.PostgreSQL)
	if err != nil {
		return nil, err
	}
	pool, err := pgxpool.NewWithConfig(context.Background(), poolConfig)
	if err != nil {
		return nil, fmt.Errorf("prepare PostgreSQL pool: %w", err)
	}
	return &Store{
		pool:    pool,
		options: options,
		log:     log.With("store", "postgresql"),
		watch:   watch{suspect: make(chan struct{}, 1)},
	}, nil
}

// Close waits until every connection is given back, and closes them.
func (s *Store) Close() { s.pool.Close() }

func poolConfig(c config.PostgreSQL) (*pgxpool.Config, error) {
	host, port, err := net.SplitHostPort(c.Address)
	if err != nil {
		return nil, fmt.Errorf("postgresql.address: %w", err)
	}
	// The user is a placeholder: without one pgx would look for the name of the
	// operating system's user. The real one is read for each connection.
	dsn := url.URL{
		Scheme:   "postgres",
		User:     url.User("from-secret"),
		Host:     net.JoinHostPort(host, port),
		Path:     "from-secret",
		RawQuery: url.Values{"sslmode": {c.SSLMode}, "application_name": {"datastorage"}}.Encode(),
	}
	poolConfig, err := pgxpool.ParseConfig(dsn.String())
	if err != nil {
		return nil, fmt.Errorf("postgresql: %w", err)
	}
	poolConfig.MaxConns = c.MaxConnections
	poolConfig.MaxConnIdleTime = 5 * time.Minute
	poolConfig.ConnConfig.ConnectTimeout = c.ConnectTimeout
	poolConfig.ConnConfig.BuildContextWatcherHandler = cancelStatements
	// What is not asked for in UTC must still not depend on the server's zone.
	poolConfig.ConnConfig.RuntimeParams["timezone"] = "UTC"
	poolConfig.BeforeConnect = func(_ context.Context, connection *pgx.ConnConfig) error {
		for name, target := range map[string]*string{
			"username": &connection.User,
			"password": &connection.Password,
			"database": &connection.Database,
		} {
			value, err := config.Secret(c.Secrets, name)
			if err != nil {
				return err
			}
			*target = value
		}
		return nil
	}
	return poolConfig, nil
}

// goneTimeout is how long a server may take to confirm that it gave a statement up.
const goneTimeout = 500 * time.Millisecond

// cancelStatements makes the end of a context end the statement in the server too. A
// closed connection would not: its backend goes on waiting, for a lock say, and writes
// that time out would use up the server's connections one by one.
func cancelStatements(connection *pgconn.PgConn) ctxwatch.Handler {
	return &pgconn.CancelRequestContextWatcherHandler{Conn: connection, DeadlineDelay: goneTimeout}
}
