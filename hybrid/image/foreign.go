package image

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"

	"github.com/hybrid-e2e/hybrid/hybrid/task"
)

// Native is the platform of this machine, which the engine builds for unless told otherwise.
func Native() string { return "linux/" + runtime.GOARCH }

// Platforms are those that images can be made for, with the names that rpm has for their
// architectures.
func Platforms() map[string]string {
	return map[string]string{"linux/amd64": "x86_64", "linux/arm64": "aarch64"}
}

// Foreign is what images for another platform than the engine's start from.
type Foreign struct {
	// Platform is one of Platforms.
	Platform string
	// Bases are base images of that platform, by those of the engine's.
	Bases map[string]string
	// Tool is an image of the engine's platform with dnf.
	Tool string
}

// foreignStage is what a Dockerfile becomes for another platform.
type foreignStage struct {
	// base is the image that the last stage starts from, with variables.
	base string
	text string
}

// foreign rewrites a Dockerfile so that nothing of another platform is executed: all stages
// but the last run on this machine's, and the last one starts from an updated base instead of
// updating itself. A last stage that runs anything else cannot be made, and so cannot one that
// is built on another of the Dockerfile's.
func foreign(file string, content []byte) (foreignStage, error) {
	ast, err := parser.Parse(strings.NewReader(string(content)))
	if err != nil {
		return foreignStage{}, fmt.Errorf("%s: %w", file, err)
	}
	stages, _, err := instructions.Parse(ast.AST, nil)
	if err != nil {
		return foreignStage{}, fmt.Errorf("%s: %w", file, err)
	}
	w := rewrite{lines: strings.Split(string(content), "\n"), by: map[int]string{}}
	last := stages[len(stages)-1]
	err = w.build(stages[:len(stages)-1], last)
	if err == nil {
		err = w.last(last)
	}
	if err != nil {
		return foreignStage{}, fmt.Errorf("%s: %w", file, err)
	}
	return foreignStage{base: last.BaseName, text: w.text()}, nil
}

// rewrite is a Dockerfile with other lines in the place of some.
type rewrite struct {
	lines []string
	// by are what takes the place of lines, by their number from 0; empty for nothing.
	by map[int]string
}

// replace puts one line in the place of an instruction, or none.
func (w rewrite) replace(location []parser.Range, line string) {
	for _, r := range location {
		for n := r.Start.Line - 1; n < r.End.Line; n++ {
			w.by[n], line = line, ""
		}
	}
}

func (w rewrite) text() string {
	var text strings.Builder
	for n, line := range w.lines {
		by, replaced := w.by[n]
		switch {
		case replaced:
			text.WriteString(by)
		case n == len(w.lines)-1:
			text.WriteString(line)
		default:
			text.WriteString(line + "\n")
		}
	}
	return text.String()
}

// build has the stages before the last run on this machine's platform.
func (w rewrite) build(stages []instructions.Stage, last instructions.Stage) error {
	names := map[string]bool{}
	for _, st := range stages {
		if st.Platform != "" && !strings.Contains(st.Platform, "BUILDPLATFORM") {
			return fmt.Errorf("stage %s runs on %s and not on $BUILDPLATFORM", st.BaseName, st.Platform)
		}
		if !names[strings.ToLower(st.BaseName)] && st.Platform == "" {
			as := ""
			if st.Name != "" {
				as = " AS " + st.Name
			}
			w.replace(st.Location, "FROM --platform=$BUILDPLATFORM "+st.BaseName+as+"\n")
		}
		names[strings.ToLower(st.Name)] = true
	}
	if names[strings.ToLower(last.BaseName)] {
		return fmt.Errorf("its last stage starts from stage %s and not from a base image", last.BaseName)
	}
	return nil
}

// last has the last stage start from an updated base.
func (w rewrite) last(st instructions.Stage) error {
	w.replace(st.Location, "FROM "+foreignBase+"\n")
	updates := false
	for _, c := range st.Commands {
		run, runs := c.(*instructions.RunCommand)
		if !runs {
			continue
		}
		written := source(w.lines, c.Location())
		if !strings.Contains(written, epochArg) || updates || !onlyUpdates(run) {
			return fmt.Errorf("its last stage runs a program, which needs the platform that it is for: %s", firstLine(written))
		}
		updates = true
		w.replace(c.Location(), "")
	}
	if !updates {
		return errors.New("its last stage installs no security updates")
	}
	return nil
}

// onlyUpdates tells whether a RUN does nothing but update packages by dnf and clean up after
// it, so that what it would do is done when the updated base stands in its place.
func onlyUpdates(run *instructions.RunCommand) bool {
	script := strings.Join(run.CmdLine, " ")
	if len(run.Files) > 0 || strings.ContainsAny(strings.ReplaceAll(script, "&&", ""), ";|&\n`(") {
		return false
	}
	for part := range strings.SplitSeq(script, "&&") {
		words := strings.Fields(part)
		switch {
		case len(words) == 0:
			return false
		case words[0] == ":":
		case path.Base(words[0]) != "dnf" && path.Base(words[0]) != "microdnf":
			return false
		case !slices.Contains(words, "update") && !slices.Contains(words, "clean"):
			return false
		}
	}
	return true
}

// foreignBase stands in a rewritten Dockerfile for its updated base.
const foreignBase = "hybrid.local/foreign-base"

func firstLine(s string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(s), "\n")
	return line
}

// CheckForeign finds the images that cannot be made for another platform than the engine's;
// all of them are reported together.
func CheckForeign(root string, specs []Spec) error {
	_, err := Plans(Options{Root: root, Platform: "linux/any", foreign: &Foreign{}}, specs)
	return err
}

// ForeignPlans are Plans for another platform.
func ForeignPlans(o Options, f Foreign, specs []Spec) ([]Plan, error) {
	o.Platform, o.foreign = f.Platform, &f
	return Plans(o, specs)
}

// planForeign plans one image for another platform, by what its plan for this one says.
func planForeign(o Options, s Spec, in input) (Plan, error) {
	stage, err := foreign(s.Dockerfile, in.dockerfile.content)
	if err != nil || o.foreign.Platform == "" {
		return Plan{}, err
	}
	native := expand(stage.base, in.args)
	base, ok := o.foreign.Bases[native]
	if !ok {
		return Plan{}, fmt.Errorf("there is no base image %s for %s", native, o.Platform)
	}
	u, err := o.foreign.updated(o, native, base)
	if err != nil {
		return Plan{}, err
	}
	text := strings.Replace(stage.text, "FROM "+foreignBase+"\n", "FROM "+u.Ref+"\n", 1)
	d, err := parseDockerfile(s.Dockerfile, []byte(text))
	if err != nil {
		return Plan{}, err
	}
	key, err := input{root: o.Root, file: s.Dockerfile, dockerfile: d, args: in.args, platform: o.Platform}.key()
	if err != nil {
		return Plan{}, err
	}
	return Plan{
		Spec: s, Key: key, Ref: Registry + "/" + s.Name + ":" + key, args: maps.Clone(in.args), updated: []Plan{u},
		text: text, context: o.Root, platform: o.Platform,
	}, nil
}

// updated plans a base of another platform with its security updates: dnf of this machine's
// platform installs them into its root. Programs in packages are not run.
func (f Foreign) updated(o Options, native, base string) (Plan, error) {
	text := fmt.Sprintf(`FROM --platform=%[1]s %[2]s AS foreign
FROM --platform=$BUILDPLATFORM %[3]s AS update
USER root
COPY --from=foreign / /foreign/
ARG %[5]s
RUN : "security updates of ${%[5]s}" \
    && dnf --installroot=/foreign --forcearch=%[4]s --setopt=tsflags=noscripts update -y \
    && dnf --installroot=/foreign --forcearch=%[4]s clean all
FROM foreign
COPY --from=update /foreign/ /
`, f.Platform, base, f.Tool, Platforms()[f.Platform], epochArg)
	d, err := parseDockerfile("updated base", []byte(text))
	if err != nil {
		return Plan{}, err
	}
	args := map[string]string{epochArg: o.Epoch.String()}
	key, err := input{root: o.Root, dockerfile: d, args: args, platform: f.Platform}.key()
	if err != nil {
		return Plan{}, err
	}
	name := UpdatedPrefix + shortName(native)
	return Plan{Spec: Spec{Name: name}, Key: key, Ref: Registry + "/" + name + ":" + key, args: args, text: text, platform: f.Platform}, nil
}

// shortName is the last part of an image's name.
func shortName(ref string) string {
	name, _, _ := strings.Cut(path.Base(ref), "@")
	name, _, _ = strings.Cut(name, ":")
	return name
}

// ForeignTasks gives one task per image and per updated base that they start from, which has
// to be there first. What the engine holds under its key is not built.
func ForeignTasks(ctx context.Context, o Options, plans []Plan) ([]task.Task, error) {
	if len(plans) == 0 {
		return nil, nil
	}
	o.Platform = plans[0].platform
	updated, err := Tasks(ctx, o, Updated(plans))
	if err != nil {
		return nil, err
	}
	tasks, err := Tasks(ctx, o, plans)
	if err != nil {
		return nil, err
	}
	for i, p := range plans {
		for _, u := range p.updated {
			tasks[i].Needs = append(tasks[i].Needs, u.TaskName())
		}
	}
	return slices.Concat(updated, tasks), nil
}

// ignoreFile is the Dockerfile's own .dockerignore, which a rewritten one takes along.
func (p Plan) ignoreFile(root string) string {
	return filepath.Join(root, p.Dockerfile+".dockerignore")
}
