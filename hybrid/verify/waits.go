package verify

import (
	"go/ast"
	"go/token"
	"slices"
)

// checkSleep finds time.Sleep, and waits for time.After that nothing can end
// earlier, which are sleeps by another name. In a bubble of testing/synctest a
// sleep takes no time and is the way to move the clock.
func checkSleep(p *pass) {
	for _, f := range p.src.goFiles {
		pkg := f.importName("time")
		if f.generated || pkg == "" {
			continue
		}
		bubbles := bubbles(f)
		inspectNames(f.ast, func(n ast.Node) {
			if slices.ContainsFunc(bubbles, func(b ast.Node) bool { return b.Pos() <= n.Pos() && n.End() <= b.End() }) {
				return
			}
			if isPackageMember(n, pkg, "Sleep") {
				p.addf(f.path, f.line(n), "time.Sleep instead of waiting for what should happen")
			}
			for _, statement := range soleWaits(n) {
				if isAfter(statement, pkg) {
					p.addf(f.path, f.line(statement), "waiting for time.After alone is a sleep")
				}
			}
		})
	}
}

// bubbles gives the calls of synctest.Test in the file.
func bubbles(f goFile) []ast.Node {
	var calls []ast.Node
	if pkg := f.importName("testing/synctest"); pkg != "" {
		ast.Inspect(f.ast, func(n ast.Node) bool {
			if call, ok := n.(*ast.CallExpr); ok && isPackageMember(call.Fun, pkg, "Test") {
				calls = append(calls, call)
			}
			return true
		})
	}
	return calls
}

// soleWaits gives the statements directly in n for which a receive waits with
// nothing else to end it: those of a block, and the case of a select with one.
func soleWaits(n ast.Node) []ast.Stmt {
	switch n := n.(type) {
	case *ast.BlockStmt:
		return n.List
	case *ast.CaseClause:
		return n.Body
	case *ast.CommClause:
		return n.Body
	case *ast.SelectStmt:
		if len(n.Body.List) == 1 {
			if clause, ok := n.Body.List[0].(*ast.CommClause); ok {
				return []ast.Stmt{clause.Comm}
			}
		}
	}
	return nil
}

// isAfter tells whether the statement receives from time.After.
func isAfter(s ast.Stmt, pkg string) bool {
	statement, ok := s.(*ast.ExprStmt)
	if !ok {
		return false
	}
	receive, ok := statement.X.(*ast.UnaryExpr)
	if !ok || receive.Op != token.ARROW {
		return false
	}
	call, ok := receive.X.(*ast.CallExpr)
	return ok && isPackageMember(call.Fun, pkg, "After")
}
