package verify

import (
	"go/ast"
	"slices"
)

const mgPath = "github.com/magefile/mage/mg"

// phases are the targets of which each builds on the one before.
func phases() []string { return []string{"Build", "Cluster", "Load", "Deploy"} }

// checkMageDeps wants dependencies of targets to be declared with a context.
func checkMageDeps(p *pass) {
	for _, f := range p.src.goFiles {
		if f.dir() != magefilesFolder {
			continue
		}
		pkg := f.importName(mgPath)
		ast.Inspect(f.ast, func(n ast.Node) bool {
			for name, better := range map[string]string{"Deps": "CtxDeps", "SerialDeps": "SerialCtxDeps"} {
				if isPackageMember(n, pkg, name) {
					p.addf(f.path, f.line(n), "mg.%s runs without the context; use mg.%s", name, better)
				}
			}
			return true
		})
	}
}

// checkPhaseGraph wants each phase to be a target that depends on the one before.
func checkPhaseGraph(p *pass) {
	targets := targets(p.src)
	before := ""
	for _, phase := range phases() {
		t, ok := targets[phase]
		switch {
		case !ok:
			p.addf(magefilesFolder, 0, "the phase %s is no target", phase)
		case before != "" && !slices.Contains(t.needs, before):
			p.addf(t.file, t.line, "%s does not depend on %s by mg.CtxDeps", phase, before)
		}
		before = phase
	}
}

// target is a function of the magefiles that is no method.
type target struct {
	file  string
	line  int
	needs []string
}

func targets(src *sources) map[string]target {
	found := map[string]target{}
	for _, f := range src.goFiles {
		if f.dir() != magefilesFolder {
			continue
		}
		pkg := f.importName(mgPath)
		for _, decl := range f.ast.Decls {
			if fn, ok := decl.(*ast.FuncDecl); ok && fn.Recv == nil {
				found[fn.Name.Name] = target{f.path, f.line(fn), dependencies(fn, pkg)}
			}
		}
	}
	return found
}

// dependencies lists the targets that a function hands to mg.CtxDeps, directly
// or wrapped by mg.F.
func dependencies(fn *ast.FuncDecl, pkg string) []string {
	var names []string
	ast.Inspect(fn, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok || !isPackageMember(call.Fun, pkg, "CtxDeps") && !isPackageMember(call.Fun, pkg, "SerialCtxDeps") {
			return true
		}
		for _, arg := range call.Args {
			if wrapped, ok := arg.(*ast.CallExpr); ok && isPackageMember(wrapped.Fun, pkg, "F") && len(wrapped.Args) > 0 {
				arg = wrapped.Args[0]
			}
			names = append(names, typeName(arg))
		}
		return true
	})
	return names
}
