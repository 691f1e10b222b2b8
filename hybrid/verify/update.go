package verify

import (
	"cmp"
	"errors"
	"path"
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"mvdan.cc/sh/v3/interp"
)

// checkUpdate wants, in every stage that starts from a UBI image, one RUN that
// updates all packages: whatever build arguments say, and failing the build
// when the update fails.
func checkUpdate(p *pass) {
	p.idle = "no stage of a Dockerfile starts from a UBI image"
	for _, d := range p.src.dockerfiles {
		for _, st := range d.stages {
			if !st.fromUBI() {
				continue
			}
			p.idle = ""
			if complaint := p.stageUpdates(d, st); complaint != "" {
				p.addf(d.path, st.line, "stage from %s %s", st.base, complaint)
			}
		}
	}
}

// stageUpdates gives what is wrong with the updates of the stage, empty when
// one RUN does it right. The complaint is about the last RUN that tries.
func (p *pass) stageUpdates(d dockerfile, st stage) string {
	complaint := "never runs `dnf update -y` or `microdnf update -y`"
	for i, command := range st.Commands {
		run, ok := command.(*instructions.RunCommand)
		if !ok {
			continue
		}
		s, err := newScript(run, st.shellOptions(i))
		if err != nil {
			complaint = "has a RUN that cannot be read: " + err.Error()
			continue
		}
		tried, flaw := p.scriptUpdates(s, d.variants(st, i, s))
		if tried && flaw == "" {
			return ""
		}
		if tried {
			complaint = flaw
		}
	}
	return complaint
}

// scriptUpdates tells whether the script updates in any variant, and if so what
// keeps it from doing so in all of them.
func (p *pass) scriptUpdates(s script, variants []variant) (tried bool, flaw string) {
	for _, v := range variants {
		calls, err := s.rehearse(p.ctx, v.env, func([]string) bool { return false })
		if errors.Is(err, errEndless) {
			return slices.ContainsFunc(calls, isUpdate), "cannot be followed " + v.String() + ": " + err.Error()
		}
		if !slices.ContainsFunc(calls, isUpdate) {
			flaw = cmp.Or(flaw, "does not update "+v.String())
			continue
		}
		tried = true
		// A script that only stops trying when the update works does not hide
		// the failure.
		_, err = s.rehearse(p.ctx, v.env, isUpdate)
		var status interp.ExitStatus
		if !errors.As(err, &status) && !errors.Is(err, errEndless) {
			return true, "lets a failing update pass " + v.String()
		}
	}
	return tried, flaw
}

// isUpdate tells whether argv updates all packages without asking. A package
// name or a flag that could leave some out makes it something else.
func isUpdate(argv []string) bool {
	if tool := path.Base(argv[0]); tool != "dnf" && tool != "microdnf" {
		return false
	}
	harmless := []string{"-y", "--assumeyes", "-q", "--quiet", "--refresh", "--best", "--nodocs", "--noplugins"}
	update, yes := false, false
	for _, arg := range argv[1:] {
		switch {
		case arg == "update" && !update:
			update = true
		case slices.Contains(harmless, arg):
			yes = yes || arg == "-y" || arg == "--assumeyes"
		case strings.HasPrefix(arg, "--setopt=tsflags="), strings.HasPrefix(arg, "--setopt=install_weak_deps="):
		default:
			return false
		}
	}
	return update && yes
}
