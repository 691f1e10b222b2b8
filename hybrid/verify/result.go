package verify

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Result is what the rules came to.
type Result struct {
	// Findings are sorted by file and line; none means that every rule that was checked
	// holds.
	Findings []Finding `json:"findings"`
	// NotChecked are the other rules, in the order of Rules.
	NotChecked []Unchecked `json:"not_checked"`
}

// ErrFindings says that the sources depart from the standards.
var ErrFindings = errors.New("the sources depart from the standards")

// Err is ErrFindings when there are any, else nil.
func (r Result) Err() error {
	if len(r.Findings) > 0 {
		return ErrFindings
	}
	return nil
}

// Unchecked is a rule that had nothing to look at, or nothing to compare it with.
type Unchecked struct {
	// Rule is the ID of the rule.
	Rule string `json:"rule"`
	// Reason says what is missing.
	Reason string `json:"reason"`
}

// String is the result for people: the findings as Format gives them, the rules that
// were not checked with what they lack, and a line that counts the rules.
func (r Result) String() string {
	var b strings.Builder
	b.WriteString(Format(r.Findings))
	var reasons []string
	rules := map[string][]string{}
	for _, u := range r.NotChecked {
		if rules[u.Reason] == nil {
			reasons = append(reasons, u.Reason)
		}
		rules[u.Reason] = append(rules[u.Reason], u.Rule)
	}
	for _, reason := range reasons {
		fmt.Fprintf(&b, "not checked: %s: %s\n", strings.Join(rules[reason], ", "), reason)
	}
	var broken []string
	for _, f := range r.Findings {
		broken = append(broken, f.Rule)
	}
	slices.Sort(broken)
	departed := len(slices.Compact(broken))
	fmt.Fprintf(&b, "verify: %d rules hold", len(Rules())-departed-len(r.NotChecked))
	if departed > 0 {
		fmt.Fprintf(&b, ", %d do not, in %d places", departed, len(r.Findings))
	}
	if len(r.NotChecked) > 0 {
		fmt.Fprintf(&b, ", %d not checked", len(r.NotChecked))
	}
	return b.String() + "\n"
}

// Format gives one line per finding, "file:line: [rule] message (reason)", the
// form in which editors and GitHub find the place.
func Format(findings []Finding) string {
	reasons := map[string]string{}
	for _, r := range Rules() {
		reasons[r.ID] = r.Reason
	}
	var b strings.Builder
	for _, f := range findings {
		place := f.File
		if f.Line > 0 {
			place = fmt.Sprintf("%s:%d", f.File, f.Line)
		}
		fmt.Fprintf(&b, "%s: [%s] %s (%s)\n", place, f.Rule, f.Message, reasons[f.Rule])
	}
	return b.String()
}
