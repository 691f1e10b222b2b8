package verify

import (
	"fmt"
	"io"

	"github.com/owenrumney/go-sarif/v3/pkg/report"
	"github.com/owenrumney/go-sarif/v3/pkg/report/v210/sarif"
)

const (
	toolName = "hybrid verify"
	toolURI  = "https://github.com/hybrid-e2e/hybrid"
)

// WriteSARIF writes the findings, and the rules that were checked, in the Static Analysis
// Results Interchange Format 2.1.0, which GitHub's code scanning and editors read.
func WriteSARIF(w io.Writer, findings []Finding) error {
	run := sarif.NewRunWithInformationURI(toolName, toolURI)
	for _, r := range Rules() {
		run.AddRule(r.ID).WithDescription(r.Reason)
	}
	// An empty list says that all is well, a missing one that nothing was looked at.
	run.Results = []*sarif.Result{}
	for _, f := range findings {
		place := sarif.NewPhysicalLocation().WithArtifactLocation(sarif.NewSimpleArtifactLocation(f.File))
		if f.Line > 0 {
			place.WithRegion(sarif.NewRegion().WithStartLine(f.Line))
		}
		run.CreateResultForRule(f.Rule).WithLevel("error").WithMessage(sarif.NewTextMessage(f.Message)).
			AddLocation(sarif.NewLocationWithPhysicalLocation(place))
	}
	r := report.NewV210Report()
	r.AddRun(run)
	if err := r.Validate(); err != nil {
		return fmt.Errorf("make the SARIF report: %w", err)
	}
	if err := r.PrettyWrite(w); err != nil {
		return fmt.Errorf("write the SARIF report: %w", err)
	}
	return nil
}
