package infrastructure

import (
	"context"
	"os"
	"strings"

	"github.com/hybrid-e2e/hybrid/hybrid"
)

// EndToEndSharded takes the suite that SUITE names from sources to tested in n clusters at
// the same time. Whatever goes wrong has been printed when it returns.
func EndToEndSharded(ctx context.Context, n int) error {
	suite, o, err := prepare(suiteName())
	if err != nil {
		return tell(err)
	}
	return hybrid.EndToEndSharded(ctx, suite, o, n)
}

// EndToEndJob takes the suite that SUITE names from sources to tested as n shards in a
// cluster that exists. Whatever goes wrong has been printed when it returns.
func EndToEndJob(ctx context.Context, n int) error {
	suite, o, err := prepare(suiteName())
	if err != nil {
		return tell(err)
	}
	return hybrid.EndToEndJob(ctx, suite, o, n)
}

// MergeReports makes one report of those of the shards of a run; folders are separated by
// commas. Whatever goes wrong has been printed when it returns.
func MergeReports(ctx context.Context, folders string) error {
	o, err := Options(os.Getenv, os.Stdout)
	if err != nil {
		return tell(err)
	}
	return hybrid.MergeReports(ctx, append(All(), hybrid.Shared(sharedSuite, All()...)...), o, strings.Split(folders, ","))
}
