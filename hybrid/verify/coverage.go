package verify

import (
	"go/ast"
	"go/token"
	"path"
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
)

// checkCoverageFlags looks at every `go build -cover` that some choice of build
// arguments leads to.
func checkCoverageFlags(p *pass) {
	covers := false
	for _, d := range p.src.dockerfiles {
		for _, b := range p.goBuilds(d) {
			if !isCoverBuild(b.argv) {
				continue
			}
			covers = true
			for _, flag := range harmfulFlags(b.argv) {
				p.addf(d.path, commandLine(b.run), "the coverage build is given %s", flag)
			}
		}
	}
	if !covers && len(p.findings) == 0 {
		p.idle = "no Dockerfile builds with -cover"
	}
}

// checkCoverageBuilds wants images with coverage to be built both ways.
func checkCoverageBuilds(p *pass) {
	for _, d := range p.src.dockerfiles {
		for _, img := range p.opts.Images {
			if img.Dockerfile != d.path || !img.Coverage {
				continue
			}
			builds := p.goBuilds(d)
			if !slices.ContainsFunc(builds, func(b goBuild) bool { return isCoverBuild(b.argv) }) {
				p.addf(d.path, 0, "no build argument makes image %s build with -cover", img.Name)
			}
			if !slices.ContainsFunc(builds, func(b goBuild) bool { return !isCoverBuild(b.argv) }) {
				p.addf(d.path, 0, "no build argument makes image %s build without -cover", img.Name)
			}
		}
	}
}

// goBuild is a `go build` command, in a RUN instruction.
type goBuild struct {
	run  *instructions.RunCommand
	argv []string
}

// goBuilds gives all `go build` commands that the Dockerfile can lead to.
func (p *pass) goBuilds(d dockerfile) []goBuild {
	var builds []goBuild
	for _, st := range d.stages {
		for i, command := range st.Commands {
			run, ok := command.(*instructions.RunCommand)
			if !ok {
				continue
			}
			for _, argv := range p.goBuildsOf(d, st, i, run) {
				builds = append(builds, goBuild{run, argv})
			}
		}
	}
	return builds
}

// goBuildsOf gives all distinct `go build` commands that the RUN can lead to.
func (p *pass) goBuildsOf(d dockerfile, st stage, i int, run *instructions.RunCommand) [][]string {
	s, err := newScript(run, st.shellOptions(i))
	if err != nil {
		p.addf(d.path, commandLine(run), "%v", err)
		return nil
	}
	var builds [][]string
	for _, v := range d.variants(st, i, s) {
		calls, _ := s.rehearse(p.ctx, v.env, func([]string) bool { return false })
		for _, argv := range calls {
			known := slices.ContainsFunc(builds, func(b []string) bool { return slices.Equal(b, argv) })
			if len(argv) > 1 && path.Base(argv[0]) == "go" && argv[1] == "build" && !known {
				builds = append(builds, argv)
			}
		}
	}
	return builds
}

func isCoverBuild(argv []string) bool {
	return slices.ContainsFunc(argv, func(arg string) bool {
		flag, value, _ := strings.Cut(goFlag(arg), "=")
		return flag == "-cover" && value != "false"
	})
}

// goFlag brings --flag into the form -flag; the go command knows both.
func goFlag(arg string) string {
	if strings.HasPrefix(arg, "--") {
		return arg[1:]
	}
	return arg
}

// harmfulFlags lists the flags of a `go build` that do not go with -cover.
func harmfulFlags(argv []string) []string {
	var harmful []string
	for i, arg := range argv {
		flag, value, joined := strings.Cut(goFlag(arg), "=")
		if !joined && i+1 < len(argv) {
			value = argv[i+1]
		}
		switch flag {
		case "-a", "-installsuffix":
			harmful = append(harmful, flag)
		case "-ldflags":
			harmful = append(harmful, harmfulLinkerFlags(value)...)
		}
	}
	return harmful
}

func harmfulLinkerFlags(value string) []string {
	var harmful []string
	for field := range strings.FieldsSeq(value) {
		switch flag := goFlag(strings.Trim(field, `'"`)); {
		case flag == "-s", flag == "-w":
			harmful = append(harmful, flag)
		case strings.HasPrefix(flag, "-extldflags") && strings.Contains(value, "-static"):
			harmful = append(harmful, "-extldflags -static")
		}
	}
	return harmful
}

// checkCoveragePath wants the path of coverage data in exactly one constant.
// Tests may spell it out: they prove the value.
func checkCoveragePath(p *pass) {
	var constants []string
	for _, f := range p.src.goFiles {
		if f.test || f.generated {
			continue
		}
		declared := map[ast.Node]bool{}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			if decl, ok := n.(*ast.GenDecl); ok && decl.Tok == token.CONST {
				for _, value := range constantValues(decl) {
					declared[value] = unquote(value) == p.opts.CoveragePath
				}
			}
			if !strings.Contains(unquote(n), p.opts.CoveragePath) {
				return true
			}
			switch {
			case !declared[n]:
				p.addf(f.path, f.line(n), "%q is spelled out instead of using the constant", unquote(n))
			case len(constants) > 0:
				p.addf(f.path, f.line(n), "%q is a constant already in %s", unquote(n), constants[0])
			default:
				constants = append(constants, f.path)
			}
			return true
		})
	}
}

func constantValues(decl *ast.GenDecl) []ast.Expr {
	var values []ast.Expr
	for _, spec := range decl.Specs {
		if v, ok := spec.(*ast.ValueSpec); ok {
			values = append(values, v.Values...)
		}
	}
	return values
}
