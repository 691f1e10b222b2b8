package verify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
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

// Options are the facts that the checks compare the sources with. All are
// mandatory: a missing table would make a check pass without looking.
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

func (o Options) validate() error {
	var errs []error
	for _, field := range []struct {
		name    string
		missing bool
	}{
		{"Registry", o.Registry == ""},
		{"Images", len(o.Images) == 0},
		{"NodePorts", len(o.NodePorts) == 0},
		{"CoveragePath", o.CoveragePath == ""},
	} {
		if field.missing {
			errs = append(errs, fmt.Errorf("verify: Options.%s is empty, so a check would pass without looking", field.name))
		}
	}
	return errors.Join(errs...)
}

// Finding is one place that departs from a standard.
type Finding struct {
	// Rule is the ID of the rule.
	Rule string
	// File is relative to the root of the repository, with slashes.
	File string
	// Line counts from 1; 0 means the file as a whole.
	Line int
	// Message says what is wrong there.
	Message string
}

// Rule is one check.
type Rule struct {
	// ID names the rule in findings, such as "no-sleep".
	ID string
	// Reason says in one clause why the standard exists.
	Reason string

	check func(*pass)
}

// Rules lists all checks, in the order in which they run.
func Rules() []Rule {
	return []Rule{
		{"parses", "what cannot be parsed cannot be checked", checkParses},
		{"dockerfile-update", "an image ships the security updates of its day", checkUpdate},
		{"dockerfile-pinned", "the same sources must build on the same base", checkPinned},
		{"dockerfile-user", "services run without root rights", checkUser},
		{"dockerfile-labels", "whoever finds an image must learn what it is", checkLabels},
		{"coverage-flags", "these flags strip or bypass what coverage data needs", checkCoverageFlags},
		{"no-sleep", "a sleep is too short on a slow machine and wasted time on a fast one", checkSleep},
		{"spec-skip", "a spec that does not run proves nothing", checkSpecSkip},
		{"spec-namespace", "parallel specs must not share a namespace", checkSpecNamespace},
		{"no-port-forward", "port-forwards die under load; NodePorts do not", checkPortForward},
		{"mage-deps", "only mg.CtxDeps obeys Ctrl-C and -t, and the phases build on each other", checkMageDeps},
		{"imports-downwards", "the pipeline must serve any suite, and the services any pipeline", checkImports},
		{"package-name", "a package is named for what it owns", checkPackageNames},
		{"root-package", "the root holds the launcher alone", checkRootPackage},
		{"manifest-pull-policy", "a node must run the image that was loaded, never one from a registry", checkPullPolicy},
		{"manifest-image-names", "the deployer puts the content key of an image built here", checkImageNames},
		{"manifest-nodeports", "manifests and the endpoint table must agree", checkNodePorts},
		{"manifest-restricted", "the namespace enforces Pod Security restricted", checkPodSecurity},
		{"coverdata-path", "one constant keeps mount, variable and collection the same", checkCoveragePath},
		{"file-length", "a file that fits in the head is read before it is changed", checkFileLength},
	}
}

// Run checks the repository at root against all rules. Findings are sorted by
// file and line; none means that the standards hold. The error tells of
// missing options, unreadable files and a cancelled context, not of findings.
func Run(ctx context.Context, root string, o Options) ([]Finding, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	src, err := load(ctx, os.DirFS(root))
	if err != nil {
		return nil, fmt.Errorf("verify %s: %w", root, err)
	}
	var findings []Finding
	for _, r := range Rules() {
		findings = append(findings, run(ctx, r, src, o)...)
		if ctx.Err() != nil {
			return nil, fmt.Errorf("verify %s: %w", root, context.Cause(ctx))
		}
	}
	return sorted(findings), nil
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

// Format gives one line per finding, "file:line: [rule] message (reason)", the
// form in which editors and GitHub find the place.
func Format(findings []Finding) string {
	reasons := map[string]string{}
	for _, r := range Rules() {
		reasons[r.ID] = r.Reason
	}
	var b strings.Builder
	for _, f := range findings {
		place := f.File
		if f.Line > 0 {
			place = fmt.Sprintf("%s:%d", f.File, f.Line)
		}
		fmt.Fprintf(&b, "%s: [%s] %s (%s)\n", place, f.Rule, f.Message, reasons[f.Rule])
	}
	return b.String()
}

// pass is one rule at work on the sources.
type pass struct {
	ctx  context.Context //nolint:containedctx // A pass lives as long as the call that it is made for.
	src  *sources
	opts Options

	rule     string
	findings []Finding
}

func run(ctx context.Context, r Rule, src *sources, o Options) []Finding {
	p := &pass{ctx: ctx, src: src, opts: o, rule: r.ID}
	r.check(p)
	return p.findings
}

func (p *pass) addf(file string, line int, format string, args ...any) {
	p.findings = append(p.findings, Finding{p.rule, file, line, fmt.Sprintf(format, args...)})
}
