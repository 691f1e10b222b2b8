package report

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/onsi/ginkgo/v2/types"

	"github.com/hybrid-e2e/hybrid/hybrid/fault"
)

// Summary is what the specs of a run came to.
type Summary struct {
	// Passed, Failed and Skipped count specs; a spec marked pending counts as
	// skipped. A BeforeSuite or the like counts only when it failed.
	Passed, Failed, Skipped int
	// Succeeded is Ginkgo's own verdict, which is stricter than Failed == 0:
	// an interrupted suite did not succeed.
	Succeeded bool
	// Reasons says why a suite whose specs all passed did not succeed.
	Reasons []string
	// Specs lists all of them in the order of Ginkgo's report.
	Specs []Spec
}

// Spec is one spec, or one suite node that failed.
type Spec struct {
	// Name is the full text with that of all containers around it.
	Name string
	// State is Ginkgo's word, such as "passed" or "timedout".
	State string
	// Duration is how long it ran; zero when it was skipped.
	Duration time.Duration
	// Failed says that State is one of the failures.
	Failed bool
	// Message and Location ("file.go:12") are set when it failed.
	Message, Location string
}

// Specs reads the JSON report that ginkgo --json-report wrote.
func Specs(path string) (Summary, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return Summary{}, fault.With(fmt.Errorf("read the results of the specs: %w", err),
			"read the output of ginkgo: it ended before it wrote its report")
	}
	s, err := ParseSpecs(b)
	if err != nil {
		return Summary{}, fmt.Errorf("read the results of the specs in %s: %w", path, err)
	}
	return s, nil
}

// ParseSpecs is Specs on the bytes of a report. A report without any suite is
// an error: nothing ran.
func ParseSpecs(b []byte) (Summary, error) {
	var suites []types.Report
	if err := json.Unmarshal(b, &suites); err != nil {
		return Summary{}, err
	}
	if len(suites) == 0 {
		return Summary{}, fmt.Errorf("the report has no suite in it")
	}
	return Summarise(suites), nil
}

// Summarise counts what Ginkgo reported.
func Summarise(suites []types.Report) Summary {
	s := Summary{Succeeded: true}
	for _, suite := range suites {
		s.Succeeded = s.Succeeded && suite.SuiteSucceeded
		s.Reasons = append(s.Reasons, suite.SpecialSuiteFailureReasons...)
		for _, spec := range suite.SpecReports {
			s.add(spec)
		}
	}
	return s
}

func (s *Summary) add(r types.SpecReport) {
	failed := r.State.Is(types.SpecStateFailureStates)
	isSpec := isSpec(r)
	switch {
	case failed:
		s.Failed++
	case !isSpec:
		return
	case r.State.Is(types.SpecStatePassed):
		s.Passed++
	default:
		s.Skipped++
	}
	spec := Spec{Name: r.FullText(), State: r.State.String(), Duration: r.RunTime, Failed: failed}
	if !isSpec {
		spec.Name = strings.TrimSpace("[" + r.LeafNodeType.String() + "] " + spec.Name)
	}
	if failed {
		spec.Message = r.Failure.Message
		if r.Failure.ForwardedPanic != "" {
			spec.Message += ": " + r.Failure.ForwardedPanic
		}
		spec.Location = r.Failure.Location.String()
	}
	s.Specs = append(s.Specs, spec)
}

// Failures lists the specs that failed.
func (s Summary) Failures() []Spec {
	var failed []Spec
	for _, spec := range s.Specs {
		if spec.Failed {
			failed = append(failed, spec)
		}
	}
	return failed
}

// String counts in one line: "37 passed, 0 failed", and skipped ones when there
// are any.
func (s Summary) String() string {
	text := fmt.Sprintf("%d passed, %d failed", s.Passed, s.Failed)
	if s.Skipped > 0 {
		text += fmt.Sprintf(", %d skipped", s.Skipped)
	}
	return text
}
