package verify

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
)

// Folders whose place the layout of the repository fixes, with slashes and
// relative to its root.
const (
	manifestsFolder = "manifests"
	magefilesFolder = "magefiles"
	specsFolder     = "test/e2e"
)

// Options are the facts that some rules compare the sources with. A rule whose facts
// are missing is not checked, and the result says so.
type Options struct {
	// Registry is the made-up registry of images built here, without a slash at
	// the end, such as "hybrid.local".
	Registry string
	// Images are those that the suites build.
	Images []Image
	// NodePorts maps the names of all endpoints to their NodePort. An endpoint
	// is called after its Service, or Service name, "-" and port name.
	NodePorts map[string]int32
	// CoveragePath is where coverage data lies in nodes and containers.
	CoveragePath string
}

// Image is one image that a suite builds.
type Image struct {
	// Name is the reference without registry and tag.
	Name string
	// Dockerfile is relative to the root of the repository.
	Dockerfile string
	// Coverage says that the image can be built with coverage instrumentation.
	Coverage bool
}

// Finding is one place that departs from a standard.
type Finding struct {
	// Rule is the ID of the rule.
	Rule string `json:"rule"`
	// File is relative to the root of the repository, with slashes.
	File string `json:"file"`
	// Line counts from 1; 0 means the file as a whole.
	Line int `json:"line,omitzero"`
	// Message says what is wrong there.
	Message string `json:"message"`
}

// Rule is one check.
type Rule struct {
	// ID names the rule in findings, such as "no-sleep".
	ID string
	// Reason says in one clause why the standard exists.
	Reason string

	check func(*pass)
	// needs are what the rule cannot do without, none for a rule of every repository.
	needs []need
}

// Rules lists all checks, in the order in which they run.
func Rules() []Rule {
	return []Rule{
		{"parses", "what cannot be parsed cannot be checked", checkParses, nil},
		{"dockerfile-update", "an image ships the security updates of its day", checkUpdate, []need{dockerfiles}},
		{"dockerfile-pinned", "the same sources must build on the same base", checkPinned, []need{dockerfiles}},
		{"dockerfile-user", "services run without root rights", checkUser, []need{images}},
		{"dockerfile-labels", "whoever finds an image must learn what it is", checkLabels, []need{dockerfiles, images}},
		{"coverage-flags", "these flags strip or bypass what coverage data needs", checkCoverageFlags, []need{dockerfiles}},
		{"coverage-builds", "one Dockerfile serves with and without coverage", checkCoverageBuilds, []need{dockerfiles, images}},
		{"no-sleep", "a sleep is too short on a slow machine and wasted time on a fast one", checkSleep, []need{goSources}},
		{"spec-skip", "a spec that does not run proves nothing", checkSpecSkip, []need{specs}},
		{"spec-namespace", "parallel specs must not share a namespace", checkSpecNamespace, []need{specs}},
		{"no-port-forward", "port-forwards die under load; NodePorts do not", checkPortForward, []need{goSources}},
		{"mage-deps", "only mg.CtxDeps obeys Ctrl-C and -t", checkMageDeps, []need{magefiles}},
		{"phase-graph", "the phases build on each other", checkPhaseGraph, []need{phaseTargets}},
		{"imports-downwards", "the pipeline must serve any suite, and the services any pipeline", checkImports, []need{magefiles}},
		{"package-name", "a package is named for what it owns", checkPackageNames, []need{goSources}},
		{"root-package", "the root holds the launcher alone", checkRootPackage, []need{magefiles}},
		{"manifest-pull-policy", "a node must run the image that was loaded, never one from a registry", checkPullPolicy, []need{manifests}},
		{"manifest-image-names", "the deployer puts the content key of an image built here", checkImageNames, []need{manifests, images}},
		{"manifest-nodeports", "manifests and the endpoint table must agree", checkNodePorts, []need{nodePorts}},
		{"manifest-restricted", "the namespace enforces Pod Security restricted", checkPodSecurity, []need{manifests}},
		{"coverdata-path", "one constant keeps mount, variable and collection the same", checkCoveragePath, []need{coveragePath}},
		{TimelineOrder, "a build beside a cluster starves it, and one that fails should cost no cluster", checkTimeline, []need{timeline}},
		{"file-length", "a file that fits in the head is read before it is changed", checkFileLength, []need{goSources}},
	}
}

// Run checks the repository at root, the folder of a go.mod, against all rules. The
// error tells of unreadable files and a cancelled context, not of findings.
func Run(ctx context.Context, root string, o Options) (Result, error) {
	src, err := load(ctx, root)
	if err != nil {
		return Result{}, fmt.Errorf("verify %s: %w", root, err)
	}
	// Empty lists, so that programs read [] and not null.
	result := Result{Findings: []Finding{}, NotChecked: []Unchecked{}}
	for _, r := range Rules() {
		if reason := r.missing(src, o); reason != "" {
			result.NotChecked = append(result.NotChecked, Unchecked{r.ID, reason})
			continue
		}
		findings, idle := run(ctx, r, src, o)
		if idle != "" {
			result.NotChecked = append(result.NotChecked, Unchecked{r.ID, idle})
		}
		result.Findings = append(result.Findings, findings...)
		if ctx.Err() != nil {
			return Result{}, fmt.Errorf("verify %s: %w", root, context.Cause(ctx))
		}
	}
	result.Findings = sorted(result.Findings)
	return result, nil
}

// sorted orders findings as people read them and drops repeated ones.
func sorted(findings []Finding) []Finding {
	slices.SortFunc(findings, func(a, b Finding) int {
		return cmp.Or(
			strings.Compare(a.File, b.File),
			cmp.Compare(a.Line, b.Line),
			strings.Compare(a.Rule, b.Rule),
			strings.Compare(a.Message, b.Message),
		)
	})
	return slices.Compact(findings)
}

// pass is one rule at work on the sources.
type pass struct {
	ctx  context.Context //nolint:containedctx // A pass lives as long as the call that it is made for.
	src  *sources
	opts Options

	rule     string
	findings []Finding
	// idle is why the rule had nothing to look at, which only its check could see; else
	// empty.
	idle string
}

func run(ctx context.Context, r Rule, src *sources, o Options) (findings []Finding, idle string) {
	p := &pass{ctx: ctx, src: src, opts: o, rule: r.ID}
	r.check(p)
	return p.findings, p.idle
}

func (p *pass) addf(file string, line int, format string, args ...any) {
	p.findings = append(p.findings, Finding{p.rule, file, line, fmt.Sprintf(format, args...)})
}
