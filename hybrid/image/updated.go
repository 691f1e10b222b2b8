package image

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

// UpdatedPrefix starts the names of updated bases.
const UpdatedPrefix = "updated-"

// epochArg is the build argument by which security updates count into keys.
const epochArg = "UPDATE_EPOCH"

// head is what a stage does up to and with its security updates, as a Dockerfile of its
// own. What it makes is an updated base: the engine takes the same steps of another
// Dockerfile from there.
type head struct {
	// from is the base as the Dockerfile names it, with variables.
	from string
	text string
}

// heads finds those of all stages whose first RUN is for an epoch, with nothing before
// it that reads files.
func heads(content []byte, global []instructions.ArgCommand, stages []instructions.Stage) []head {
	lines := strings.Split(string(content), "\n")
	var all []head
	names := map[string]bool{}
	for _, st := range stages {
		steps, ok := steps(lines, st.Commands)
		if ok && !names[strings.ToLower(st.BaseName)] {
			var text strings.Builder
			for _, arg := range global {
				if strings.Contains(st.BaseName, arg.Args[0].Key) {
					text.WriteString(source(lines, arg.Location()))
				}
			}
			platform := ""
			if st.Platform != "" {
				platform = "--platform=" + st.Platform + " "
			}
			fmt.Fprintf(&text, "FROM %s%s\n%s", platform, st.BaseName, steps)
			all = append(all, head{st.BaseName, text.String()})
		}
		names[strings.ToLower(st.Name)] = true
	}
	return all
}

// steps are the instructions of a stage up to its first RUN, if that is for an epoch.
func steps(lines []string, commands []instructions.Command) (string, bool) {
	var text strings.Builder
	for _, c := range commands {
		written := source(lines, c.Location())
		text.WriteString(written)
		switch c.(type) {
		case *instructions.RunCommand:
			return text.String(), strings.Contains(written, epochArg) && !strings.Contains(written, "--mount")
		case *instructions.ArgCommand, *instructions.EnvCommand, *instructions.UserCommand, *instructions.WorkdirCommand, *instructions.ShellCommand:
		default:
			return "", false
		}
	}
	return "", false
}

// source is an instruction as it is written.
func source(lines []string, location []parser.Range) string {
	var text strings.Builder
	for _, r := range location {
		for _, line := range lines[r.Start.Line-1 : r.End.Line] {
			text.WriteString(line + "\n")
		}
	}
	return text.String()
}

// updated plans the updated bases of a Dockerfile.
func updated(in input, heads []head) ([]Plan, error) {
	var plans []Plan
	for _, h := range heads {
		d, err := parseDockerfile(in.file, []byte(h.text))
		if err != nil {
			return nil, err
		}
		args := maps.Clone(in.args)
		maps.DeleteFunc(args, func(k, _ string) bool { return !d.args[k] })
		key, err := input{root: in.root, dockerfile: d, args: args, platform: in.platform}.key()
		if err != nil {
			return nil, err
		}
		name := UpdatedPrefix + shortName(expand(h.from, args))
		plans = append(plans, Plan{Spec: Spec{Name: name}, Key: key, Ref: Registry + "/" + name + ":" + key, args: args, text: h.text})
	}
	return plans, nil
}

// expand puts build arguments into the name of an image.
func expand(name string, args map[string]string) string {
	return os.Expand(name, func(arg string) string { return args[arg] })
}

// Updated are the plans of the bases on which the images of plans start, with their
// security updates: each once, in the order of plans.
func Updated(plans []Plan) []Plan {
	var all []Plan
	for _, p := range plans {
		for _, u := range p.updated {
			if !slices.ContainsFunc(all, func(x Plan) bool { return x.Ref == u.Ref }) {
				all = append(all, u)
			}
		}
	}
	return all
}
