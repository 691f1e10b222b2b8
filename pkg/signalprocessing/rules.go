package signalprocessing

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/hybrid-e2e/hybrid/api/remediation/v1alpha1"
)

// Rules say how a request is enriched. ParseRules makes them.
type Rules struct {
	// EnvironmentLabel is the label of a namespace that names its environment.
	EnvironmentLabel string `yaml:"environment_label"`
	// DefaultEnvironment is that of a namespace without the label.
	DefaultEnvironment string `yaml:"default_environment"`
	// DefaultPriority is that of a request which no rule matches.
	DefaultPriority v1alpha1.Priority `yaml:"default_priority"`
	// Priorities are asked in their order; the first that matches decides.
	Priorities []Rule `yaml:"priorities"`
}

// Rule gives a priority to requests.
type Rule struct {
	// Environment and Severity are what it matches; an empty one matches all.
	Environment string            `yaml:"environment"`
	Severity    v1alpha1.Severity `yaml:"severity"`
	Priority    v1alpha1.Priority `yaml:"priority"`
}

// ParseRules reads rules in YAML. Unknown keys, values that do not exist, and rules that
// never decide are refused, all at once.
func ParseRules(content []byte) (*Rules, error) {
	r := &Rules{
		EnvironmentLabel: "kubernaut.ai/environment", DefaultEnvironment: "unknown", DefaultPriority: v1alpha1.PriorityP3,
	}
	decoder := yaml.NewDecoder(bytes.NewReader(content))
	decoder.KnownFields(true)
	if err := decoder.Decode(r); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	var mistakes []error
	mistake := func(key, format string, values ...any) {
		mistakes = append(mistakes, fmt.Errorf(key+" "+format, values...))
	}
	if found := validation.IsQualifiedName(r.EnvironmentLabel); found != nil {
		mistake("environment_label", "%q is no label: %s", r.EnvironmentLabel, strings.Join(found, ", "))
	}
	if found := validation.IsValidLabelValue(r.DefaultEnvironment); found != nil || r.DefaultEnvironment == "" {
		mistake("default_environment", "%q must be a value of a label and not empty", r.DefaultEnvironment)
	}
	if !slices.Contains(priorities(), r.DefaultPriority) {
		mistake("default_priority", "%q must be one of %v", r.DefaultPriority, priorities())
	}
	if len(r.Priorities) == 0 {
		mistake("priorities", "must have a rule")
	}
	for i, rule := range r.Priorities {
		key := fmt.Sprintf("priorities[%d]", i)
		if found := validation.IsValidLabelValue(rule.Environment); found != nil {
			mistake(key+".environment", "%q is no value of a label", rule.Environment)
		}
		if rule.Severity != "" && !slices.Contains(severities(), rule.Severity) {
			mistake(key+".severity", "%q must be one of %v", rule.Severity, severities())
		}
		if !slices.Contains(priorities(), rule.Priority) {
			mistake(key+".priority", "%q must be one of %v", rule.Priority, priorities())
		}
		if by := slices.IndexFunc(r.Priorities[:i], func(before Rule) bool { return before.covers(rule) }); by >= 0 {
			mistake(key, "never decides: priorities[%d] matches all that it matches", by)
		}
	}
	if len(mistakes) > 0 {
		return nil, errors.Join(mistakes...)
	}
	return r, nil
}

func priorities() []v1alpha1.Priority {
	return []v1alpha1.Priority{v1alpha1.PriorityP0, v1alpha1.PriorityP1, v1alpha1.PriorityP2, v1alpha1.PriorityP3}
}

func severities() []v1alpha1.Severity {
	return []v1alpha1.Severity{v1alpha1.SeverityCritical, v1alpha1.SeverityWarning, v1alpha1.SeverityInfo}
}

// covers tells whether r matches all that other matches.
func (r Rule) covers(other Rule) bool {
	return (r.Environment == "" || r.Environment == other.Environment) && (r.Severity == "" || r.Severity == other.Severity)
}

// Environment returns the environment of a namespace with these labels, and where it is
// known from.
func (r *Rules) Environment(labels map[string]string) (string, v1alpha1.EnvironmentSource) {
	if environment := labels[r.EnvironmentLabel]; environment != "" {
		return environment, v1alpha1.EnvironmentFromLabel
	}
	return r.DefaultEnvironment, v1alpha1.EnvironmentFromDefault
}

// Priority returns the priority of a signal.
func (r *Rules) Priority(environment string, severity v1alpha1.Severity) v1alpha1.Priority {
	signal := Rule{Environment: environment, Severity: severity}
	for _, rule := range r.Priorities {
		if rule.covers(signal) {
			return rule.Priority
		}
	}
	return r.DefaultPriority
}

// bounded returns the environment if the rules name it, and "other" if not: namespaces
// may have any.
func (r *Rules) bounded(environment string) string {
	if environment == r.DefaultEnvironment || slices.ContainsFunc(r.Priorities, func(rule Rule) bool { return rule.Environment == environment }) {
		return environment
	}
	return "other"
}
