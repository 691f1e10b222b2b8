package doctest

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	extast "github.com/yuin/goldmark/extension/ast"
	"github.com/yuin/goldmark/text"
)

// Page is what a page in Markdown holds, in its order.
type Page struct {
	Headings []string
	Tables   []Table
	Blocks   []Block
	// Code is what stands in the text, tables included, as code.
	Code []Code
}

// Code is a piece of code in the text.
type Code struct {
	Text string
	// Line is that in the file, from 1.
	Line int
}

// Table is one table. Its texts are as a reader sees them, without marks.
type Table struct {
	// Section is the heading that it stands under, or "".
	Section string
	Columns []string
	Rows    [][]string
}

// Block is one fenced block of code.
type Block struct {
	Section string
	// Language is the first word after the fence, or "".
	Language string
	Text     string
	// Line is where the text begins in the file, from 1.
	Line int
}

// Read reads a page.
func Read(path string) (Page, error) {
	source, err := os.ReadFile(path)
	if err != nil {
		return Page{}, fmt.Errorf("read the page: %w", err)
	}
	return parse(source)
}

func parse(source []byte) (Page, error) {
	root := goldmark.New(goldmark.WithExtensions(extension.Table)).Parser().Parse(text.NewReader(source))
	var page Page
	section := ""
	err := ast.Walk(root, func(node ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		switch node := node.(type) {
		case *ast.Heading:
			section = plain(node, source)
			page.Headings = append(page.Headings, section)
		case *extast.Table:
			page.Tables = append(page.Tables, table(node, source, section))
		case *ast.FencedCodeBlock:
			page.Blocks = append(page.Blocks, block(node, source, section))
		case *ast.CodeSpan:
			page.Code = append(page.Code, inline(node, source))
		}
		return ast.WalkContinue, nil
	})
	return page, err
}

func table(node *extast.Table, source []byte, section string) Table {
	found := Table{Section: section}
	for row := node.FirstChild(); row != nil; row = row.NextSibling() {
		var cells []string
		for cell := row.FirstChild(); cell != nil; cell = cell.NextSibling() {
			cells = append(cells, plain(cell, source))
		}
		if row.Kind() == extast.KindTableHeader {
			found.Columns = cells
			continue
		}
		found.Rows = append(found.Rows, cells)
	}
	return found
}

func block(node *ast.FencedCodeBlock, source []byte, section string) Block {
	found := Block{Section: section, Language: string(node.Language(source))}
	lines := node.Lines()
	for i := range lines.Len() {
		segment := lines.At(i)
		if i == 0 {
			found.Line = 1 + strings.Count(string(source[:segment.Start]), "\n")
		}
		found.Text += string(segment.Value(source))
	}
	return found
}

func inline(node *ast.CodeSpan, source []byte) Code {
	found := Code{Text: plain(node, source)}
	if first, ok := node.FirstChild().(*ast.Text); ok {
		found.Line = 1 + strings.Count(string(source[:first.Segment.Start]), "\n")
	}
	return found
}

// plain returns the text below a node.
func plain(node ast.Node, source []byte) string {
	var words strings.Builder
	for child := node.FirstChild(); child != nil; child = child.NextSibling() {
		piece, ok := child.(*ast.Text)
		if !ok {
			words.WriteString(plain(child, source))
			continue
		}
		words.Write(piece.Value(source))
		if piece.SoftLineBreak() || piece.HardLineBreak() {
			words.WriteByte(' ')
		}
	}
	return words.String()
}

// Table returns the only table with the columns. None, or more than one, is an
// error.
func (p Page) Table(columns ...string) (Table, error) {
	var found []Table
	for _, candidate := range p.Tables {
		if slices.Equal(candidate.Columns, columns) {
			found = append(found, candidate)
		}
	}
	if len(found) != 1 {
		return Table{}, fmt.Errorf("the page has %d tables with the columns %q, not 1", len(found), columns)
	}
	return found[0], nil
}

// Column returns the cells of one column, or nil if there is none of the name.
func (t Table) Column(name string) []string {
	place := slices.Index(t.Columns, name)
	if place < 0 {
		return nil
	}
	var cells []string
	for _, row := range t.Rows {
		cells = append(cells, row[place])
	}
	return cells
}
