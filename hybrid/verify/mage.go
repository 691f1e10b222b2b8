package verify

import (
	"go/ast"
	"slices"
)

const mgPath = "github.com/magefile/mage/mg"

// checkMageDeps wants dependencies of targets to be declared with a context,
// and each phase to depend on the one before.
func checkMageDeps(p *pass) {
	needs := map[string][]string{}
	targets := map[string]place{}
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
		for _, decl := range f.ast.Decls {
			if target, ok := decl.(*ast.FuncDecl); ok && target.Recv == nil {
				targets[target.Name.Name] = place{f.path, f.line(target)}
				needs[target.Name.Name] = dependencies(target, pkg)
			}
		}
	}
	if len(targets) == 0 {
		p.addf(magefilesFolder, 0, "holds no target")
		return
	}
	// Each of these targets builds on the one before.
	before := ""
	for _, phase := range []string{"Build", "Cluster", "Load", "Deploy"} {
		at, ok := targets[phase]
		switch {
		case !ok:
			p.addf(magefilesFolder, 0, "the phase %s is no target", phase)
		case before != "" && !slices.Contains(needs[phase], before):
			p.addf(at.file, at.line, "%s does not depend on %s by mg.CtxDeps", phase, before)
		}
		before = phase
	}
}

// place is where something stands in the sources.
type place struct {
	file string
	line int
}

// dependencies lists the targets that a function hands to mg.CtxDeps, directly
// or wrapped by mg.F.
func dependencies(target *ast.FuncDecl, pkg string) []string {
	var names []string
	ast.Inspect(target, func(n ast.Node) bool {
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
