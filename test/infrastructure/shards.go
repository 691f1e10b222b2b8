package infrastructure

import (
	"context"
	"os"
	"strings"

	"github.com/hybrid-e2e/hybrid/hybrid"
)

// MergeReports makes one report of those of the shards of a run; folders are separated by
// commas. Whatever goes wrong has been printed when it returns.
func MergeReports(ctx context.Context, folders string) error {
	o, err := Options(os.Getenv, os.Stdout)
	if err != nil {
		return tell(err)
	}
	return hybrid.MergeReports(ctx, append(All(), hybrid.Shared(sharedSuite, All()...)...), o, strings.Split(folders, ","))
}
