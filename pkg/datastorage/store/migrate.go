package store

import (
	"context"
	"embed"
	"fmt"
	"io/fs"

	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

//go:embed migrations/*.sql
var migrations embed.FS

// The wait for a replica that migrates at the same moment: every second, at most so
// often. After that the watch tries again with its own back-off.
const (
	lockRetrySeconds = 1
	lockRetries      = 60
)

// Migrate brings the schema to the newest version. Replicas take turns under a
// PostgreSQL advisory lock, which goes away with the session that holds it. The first
// migration that fails stops the rest and leaves its own changes undone.
func (s *Store) Migrate(ctx context.Context) error {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return fmt.Errorf("open embedded migrations: %w", err)
	}
	locker, err := lock.NewPostgresSessionLocker(
		lock.WithLockTimeout(lockRetrySeconds, lockRetries),
		lock.WithUnlockTimeout(lockRetrySeconds, lockRetries),
	)
	if err != nil {
		return fmt.Errorf("prepare migration lock: %w", err)
	}
	db := stdlib.OpenDBFromPool(s.pool)
	// This closes only the adapter; the pool stays open.
	defer func() { _ = db.Close() }()

	provider, err := goose.NewProvider(goose.DialectPostgres, db, files,
		goose.WithSessionLocker(locker), goose.WithSlog(s.log), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return fmt.Errorf("read embedded migrations: %w", err)
	}
	results, err := provider.Up(ctx)
	if err != nil {
		return fmt.Errorf("migrate schema: %w", err)
	}
	for _, result := range results {
		s.log.InfoContext(ctx, "migration applied", "version", result.Source.Version, "duration", result.Duration.String())
	}
	return nil
}
