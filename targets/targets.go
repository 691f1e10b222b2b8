package targets

import (
	"context"
	"os"
	"strings"

	"github.com/magefile/mage/mg"

	"github.com/hybrid-e2e/hybrid/hybrid"
	"github.com/hybrid-e2e/hybrid/hybrid/setup"
)

// Build makes every image that does not exist yet under its content key, in parallel.
func Build(ctx context.Context) error {
	return failed("build", upTo(ctx, build))
}

// Cluster gives a Kind cluster that is proven to work; it is kept until `mage down`.
func Cluster(ctx context.Context) error {
	return failed("cluster", upTo(ctx, cluster))
}

// Load brings the images onto every node of the cluster.
func Load(ctx context.Context) error {
	return failed("load", upTo(ctx, load))
}

// Deploy gives services that run in the cluster and answer on 127.0.0.1.
func Deploy(ctx context.Context) error {
	return failed("deploy", upTo(ctx, deploy))
}

// E2E tests the services in a real cluster, with coverage, and leaves nothing behind.
func E2E(ctx context.Context) error {
	suite, o, err := declared(ctx)
	if err != nil {
		return failed("e2e", err)
	}
	return failed("e2e", hybrid.EndToEnd(ctx, suite, o))
}

// Sharded tests the services in n clusters at the same time, each with its part of the specs.
func Sharded(ctx context.Context, n int) error {
	suite, o, err := declared(ctx)
	if err != nil {
		return failed("sharded", err)
	}
	return failed("sharded", hybrid.EndToEndSharded(ctx, suite, o, n))
}

// Job tests the services as n shards in a cluster that exists, where their specs run too.
func Job(ctx context.Context, n int) error {
	suite, o, err := declared(ctx)
	if err != nil {
		return failed("job", err)
	}
	return failed("job", hybrid.EndToEndJob(ctx, suite, o, n))
}

// Merge makes one report of those of the shards of a run, whose folders are separated by commas.
func Merge(ctx context.Context, folders string) error {
	suite, o, err := declared(ctx)
	if err != nil {
		return failed("merge", err)
	}
	return failed("merge", hybrid.MergeReports(ctx, []hybrid.Suite{suite}, o, strings.Split(folders, ",")))
}

// Down deletes the clusters that this checkout made, kept ones too, and names each.
func Down(ctx context.Context,
	all *bool, // also delete those of other checkouts whose run is gone or that have expired; a live one is named and left alone
) error {
	ctx, stop := hybrid.Stoppable(ctx)
	defer stop()
	o, err := options()
	if err != nil {
		return failed("down", err)
	}
	return failed("down", hybrid.ShowDown(ctx, o, all != nil && *all))
}

// Status lists the clusters of this checkout and of your other ones: age, owner, end, nodes, disk.
func Status(ctx context.Context,
	json *bool, // as JSON, for programs
) error {
	o, err := options()
	if err != nil {
		return failed("status", err)
	}
	return failed("status", hybrid.ShowStatus(ctx, o, json != nil && *json))
}

// Images lists the images of this pipeline that the engine holds: size, age of the security updates, use.
func Images(ctx context.Context,
	json *bool, // as JSON, for programs
) error {
	suite, o, err := declared(ctx)
	if err != nil {
		return failed("images", err)
	}
	return failed("images", hybrid.ShowImages(ctx, o, json != nil && *json, suite))
}

// Base holds the target for what the machines of an organisation share.
type Base mg.Namespace

// Refresh makes images and bases with the security updates of the day, and publishes them in REGISTRY.
func (Base) Refresh(ctx context.Context) error {
	suite, o, err := declared(ctx)
	if err != nil {
		return failed("base:refresh", err)
	}
	return failed("base:refresh", hybrid.Refresh(ctx, o, suite))
}

// Doctor looks for what would make a run fail on this machine and names the fix.
func Doctor(ctx context.Context,
	json *bool, // as JSON, for programs
) error {
	return failed("doctor", setup.Show(os.Stdout, setup.Check(ctx, setup.Options{Getenv: os.Getenv}), json != nil && *json))
}

// Setup makes a bare machine able to run everything and says what it does.
func Setup(ctx context.Context) error {
	root, err := os.Getwd()
	if err != nil {
		return err
	}
	return failed("setup", hybrid.SetUpMachine(ctx, root))
}
