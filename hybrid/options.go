package hybrid

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/hybrid-e2e/hybrid/hybrid/cluster"
	"github.com/hybrid-e2e/hybrid/hybrid/command"
	"github.com/hybrid-e2e/hybrid/hybrid/engine"
	"github.com/hybrid-e2e/hybrid/hybrid/fault"
	"github.com/hybrid-e2e/hybrid/hybrid/image"
	"github.com/hybrid-e2e/hybrid/hybrid/offline"
	"github.com/hybrid-e2e/hybrid/hybrid/registry"
	"github.com/hybrid-e2e/hybrid/hybrid/shard"
)

// Options are the settings of one run. OptionsFrom reads them from environment
// variables; a caller of the library may set them directly.
type Options struct {
	// Root is the absolute path of the repository.
	Root string
	// Artifacts is the folder in which every run gets one of its own; empty
	// means <Root>/_artifacts.
	Artifacts string
	// Out is where the run tells its story.
	Out io.Writer
	// Verbose streams the output of every command (mage -v, which sets
	// MAGEFILE_VERBOSE).
	Verbose bool
	// Keep leaves the cluster running (KEEP_CLUSTER).
	Keep bool
	// ClusterTTL is how long a kept cluster is left alone after its last use
	// (CLUSTER_TTL); zero means cluster.DefaultTTL.
	ClusterTTL time.Duration
	// Leases is the folder in which the clusters of all checkouts of the user are
	// found; empty means that each checkout knows of its own only.
	Leases string
	// Plain builds the services without coverage (COVERAGE=0).
	Plain bool
	// NoPreload starts nodes without the suite's images (PRELOAD=0): all of them are
	// sent to every new cluster.
	NoPreload bool
	// FixedPorts maps NodePorts to the same host ports (FIXED_PORTS).
	FixedPorts bool
	// ImageSource is auto, registry or local (IMAGE_SOURCE); empty means auto.
	ImageSource string
	// Engine is one of engine.Kinds (CONTAINER_ENGINE); empty takes what is there.
	Engine string
	// BuildKit is the address of a BuildKit that builds the suite's images instead of the
	// engine (BUILDKIT_HOST); empty means the engine. BuildCache is a repository of a
	// registry, or a folder, that all builds there share (BUILDKIT_CACHE).
	BuildKit, BuildCache string
	// Epoch is the security-update epoch (SECURITY_EPOCH).
	Epoch image.Epoch
	// Existing is a cluster that somebody else made, in which the suite is tested (CLUSTER,
	// KUBECONFIG, CONTEXT); its zero value makes a Kind cluster.
	Existing Existing
	// Workers is the number of nodes beside the control plane (WORKERS).
	Workers int
	// Focus and Labels select specs (FOCUS, LABELS), as ginkgo's --focus and
	// --label-filter do.
	Focus, Labels string
	// Shard is the part of these specs that is run (SHARD); zero means all.
	Shard shard.Part
	// ShardTimes is the file with how long specs take, by which they are divided
	// (SHARD_TIMES); empty takes what earlier runs in Artifacts measured.
	ShardTimes string
	// Procs is the number of parallel spec processes (PROCS); zero means one for
	// each processor and those that the suite declares in ExtraProcs, since specs
	// wait for the cluster most of their time.
	Procs int
	// Platforms are those that images are made for, this machine's among them (PLATFORMS);
	// empty means this machine's alone.
	Platforms []string
	// BuildTimeout bounds the build of each image (BUILD_TIMEOUT); zero means
	// image.DefaultTimeout.
	BuildTimeout time.Duration
	// PullTimeout bounds the pull of each base image (PULL_TIMEOUT); zero means
	// offline.DefaultPullTimeout.
	PullTimeout time.Duration
	// TestTimeout bounds the specs (TEST_TIMEOUT); zero means 15 minutes.
	TestTimeout time.Duration
	// BaseImages replaces base images, pinned ones as well as stand-ins: build
	// arguments of the Dockerfiles by their name, such as UBI_MINIMAL_IMAGE.
	BaseImages map[string]string
	// StandIns is the repository whose docker/base and docker/node make the stand-ins for
	// base images and the node image, where no registry can be reached; empty means Root.
	StandIns string
	// Transport are build arguments such as GOPROXY that say how modules are
	// reached; they are handed to every image build.
	Transport map[string]string
	// Registry is where the machines of an organisation share images (REGISTRY); its zero
	// value means that they do not.
	Registry registry.Registry
	// Again is the command that repeats a whole run, as failed specs name it; empty means
	// mage e2e:<suite>.
	Again string
	// Runner starts external commands; nil means real ones.
	Runner command.Runner
	// Getenv reads the environment for the packages that honour its
	// conventions, such as NO_COLOR; nil means an empty environment.
	Getenv func(string) string
	// Now gives the time; nil means time.Now.
	Now func() time.Time
}

// OptionsFrom reads the options from environment variables. Every value that
// makes no sense is reported, all together.
func OptionsFrom(root string, getenv func(string) string, out io.Writer) (Options, error) {
	now := time.Now()
	r := reader{getenv: getenv}
	o := Options{
		Root:         root,
		Artifacts:    getenv("ARTIFACTS"),
		Out:          out,
		Verbose:      r.flag("MAGEFILE_VERBOSE", false),
		Keep:         r.flag("KEEP_CLUSTER", false),
		ClusterTTL:   r.duration("CLUSTER_TTL", cluster.DefaultTTL),
		Leases:       cluster.LeaseFolder(getenv),
		Plain:        !r.flag("COVERAGE", true),
		NoPreload:    !r.flag("PRELOAD", true),
		FixedPorts:   r.flag("FIXED_PORTS", false),
		ImageSource:  r.oneOf("IMAGE_SOURCE", "auto", "auto", "registry", "local"),
		Engine:       getenv("CONTAINER_ENGINE"),
		BuildKit:     getenv("BUILDKIT_HOST"),
		BuildCache:   getenv("BUILDKIT_CACHE"),
		Workers:      r.number("WORKERS", 0, 0, 9),
		Focus:        getenv("FOCUS"),
		Labels:       getenv("LABELS"),
		ShardTimes:   getenv("SHARD_TIMES"),
		Procs:        r.number("PROCS", 0, 0, 256),
		BuildTimeout: r.duration("BUILD_TIMEOUT", image.DefaultTimeout),
		PullTimeout:  r.duration("PULL_TIMEOUT", offline.DefaultPullTimeout),
		TestTimeout:  r.duration("TEST_TIMEOUT", 15*time.Minute),
		Transport:    map[string]string{"GOPROXY": getenv("GOPROXY"), "GOFLAGS": getenv("GOFLAGS"), "GOSUMDB": getenv("GOSUMDB"), "GONOSUMDB": getenv("GONOSUMDB")},
		Getenv:       getenv,
	}
	if err := engine.CheckKind(o.Engine); err != nil {
		r.errs = append(r.errs, err)
	}
	epoch, err := image.ParseEpoch(getenv("SECURITY_EPOCH"), now)
	if err != nil {
		r.errs = append(r.errs, err)
	}
	o.Epoch = epoch
	if o.Shard, err = shard.Parse(getenv("SHARD")); err != nil {
		r.errs = append(r.errs, fmt.Errorf("SHARD: %w", err))
	}
	if o.Platforms, err = parsePlatforms(getenv("PLATFORMS")); err != nil {
		r.errs = append(r.errs, err)
	}
	if value := getenv("REGISTRY"); value != "" {
		if o.Registry, err = registry.Parse(value); err != nil {
			r.errs = append(r.errs, err)
		}
	}
	if r.oneOf("CLUSTER", "kind", "kind", "existing") == "existing" {
		o.Existing = Existing{Named: true, Kubeconfig: getenv("KUBECONFIG"), Context: getenv("CONTEXT")}
	}
	return o, fault.With(errors.Join(r.errs...), "mend the environment variables named above")
}

// ArtifactsFolder is the absolute path of the folder in which every run gets one of
// its own.
func (o Options) ArtifactsFolder() string {
	switch {
	case o.Artifacts == "":
		return filepath.Join(o.Root, "_artifacts")
	case !filepath.IsAbs(o.Artifacts):
		return filepath.Join(o.Root, o.Artifacts)
	}
	return o.Artifacts
}

// withDefaults fills what may be left empty.
func (o Options) withDefaults() Options {
	o.Artifacts = o.ArtifactsFolder()
	if o.Out == nil {
		o.Out = io.Discard
	}
	if o.Runner == nil {
		o.Runner = command.Exec{}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Getenv == nil {
		o.Getenv = func(string) string { return "" }
	}
	if o.TestTimeout == 0 {
		o.TestTimeout = 15 * time.Minute
	}
	return o
}

// reader collects the mistakes of several variables.
type reader struct {
	getenv func(string) string
	errs   []error
}

func (r *reader) flag(name string, fallback bool) bool {
	switch strings.ToLower(r.getenv(name)) {
	case "":
		return fallback
	case "1", "true", "yes":
		return true
	case "0", "false", "no":
		return false
	}
	r.errs = append(r.errs, fmt.Errorf("%s=%q: want 1 or 0", name, r.getenv(name)))
	return fallback
}

func (r *reader) oneOf(name, fallback string, allowed ...string) string {
	v := r.getenv(name)
	if v == "" {
		return fallback
	}
	if !slices.Contains(allowed, v) {
		r.errs = append(r.errs, fmt.Errorf("%s=%q: want one of %s", name, v, strings.Join(allowed, ", ")))
	}
	return v
}

func (r *reader) number(name string, fallback, low, high int) int {
	v := r.getenv(name)
	if v == "" {
		return fallback
	}
	var n int
	if _, err := fmt.Sscanf(v, "%d", &n); err != nil || fmt.Sprint(n) != v || n < low || n > high {
		r.errs = append(r.errs, fmt.Errorf("%s=%q: want a whole number from %d to %d", name, v, low, high))
		return fallback
	}
	return n
}

func (r *reader) duration(name string, fallback time.Duration) time.Duration {
	v := r.getenv(name)
	if v == "" {
		return fallback
	}
	d, err := time.ParseDuration(v)
	if err != nil || d <= 0 {
		r.errs = append(r.errs, fmt.Errorf("%s=%q: want a duration such as 15m", name, v))
		return fallback
	}
	return d
}
