package coverage

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// State says whether a line ran.
type State int

// The states of a line. Silent lines have no statement: comments, declarations.
const (
	Silent State = iota
	Ran
	Missed
)

// Line is a line of a source file, without its end.
type Line struct {
	Text  string
	State State
}

// File is a source file with what of it ran.
type File struct {
	// Path is relative to the module.
	Path string
	Count
	Lines []Line
}

// Sources reads the files of a text profile that Collect made, from the module's folder.
// A line on which anything did not run counts as missed.
func Sources(profile, module, root string) ([]File, error) {
	text, err := os.ReadFile(profile)
	if err != nil {
		return nil, fmt.Errorf("read the coverage profile: %w", err)
	}
	p, err := parseProfile(bytes.NewReader(text), module)
	if err != nil {
		return nil, err
	}
	files := make([]File, 0, len(p))
	for _, measured := range p {
		f := File{Path: strings.TrimPrefix(measured.FileName, module+"/")}
		content, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(f.Path)))
		if err != nil {
			return nil, fmt.Errorf("show what ran: %w", err)
		}
		for line := range strings.Lines(string(content)) {
			f.Lines = append(f.Lines, Line{Text: strings.TrimRight(line, "\r\n")})
		}
		for _, b := range measured.Blocks {
			state := Missed
			f.Statements += b.NumStmt
			if b.Count > 0 {
				state = Ran
				f.Covered += b.NumStmt
			}
			for n := max(b.StartLine, 1); n <= min(b.EndLine, len(f.Lines)); n++ {
				f.Lines[n-1].State = max(f.Lines[n-1].State, state)
			}
		}
		f.Count = sum(f.Count)
		files = append(files, f)
	}
	return files, nil
}
