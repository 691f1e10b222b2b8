package setup

import (
	"encoding/json"
	"fmt"
	"io"
)

// Level says how much a finding matters.
type Level string

// The levels. A run with a finding of level error will fail.
const (
	OK      Level = "ok"
	Warning Level = "warning"
	Error   Level = "error"
)

// Finding is one thing that a run depends on, as this machine has it.
type Finding struct {
	// ID is stable, such as "inotify".
	ID    string `json:"id"`
	Level Level  `json:"level"`
	// Text says what was found.
	Text string `json:"text"`
	// Fix is the command to run or what to change; empty when nothing is to do.
	Fix string `json:"fix,omitempty"`
}

// Show prints findings, for people or, with asJSON, for programs. The error says how many
// would make a run fail; nil means none.
func Show(out io.Writer, findings []Finding, asJSON bool) error {
	if asJSON {
		encoder := json.NewEncoder(out)
		encoder.SetIndent("", "  ")
		if err := encoder.Encode(findings); err != nil {
			return err
		}
	}
	bad := 0
	for _, f := range findings {
		if f.Level == Error {
			bad++
		}
		if asJSON {
			continue
		}
		fmt.Fprintf(out, "%-8s %-20s %s\n", f.Level, f.ID, f.Text)
		if f.Fix != "" {
			fmt.Fprintf(out, "%-8s %-20s fix: %s\n", "", "", f.Fix)
		}
	}
	if bad > 0 {
		return fmt.Errorf("%d findings would make a run fail", bad)
	}
	return nil
}
