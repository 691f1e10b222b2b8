package config

import (
	"fmt"
	"time"

	"go.yaml.in/yaml/v3"
)

// Duration is a time.Duration that is written with its unit, such as "5s". A bare
// number is refused: it would silently mean nanoseconds.
type Duration time.Duration

// UnmarshalYAML reads a duration with its unit.
func (d *Duration) UnmarshalYAML(node *yaml.Node) error {
	var text string
	if err := node.Decode(&text); err != nil {
		return err
	}
	parsed, err := time.ParseDuration(text)
	if err != nil || node.Tag != "!!str" {
		return fmt.Errorf("line %d: %q is not a duration with a unit, write for example 5s or 500ms", node.Line, text)
	}
	*d = Duration(parsed)
	return nil
}

// MarshalYAML writes the form that UnmarshalYAML reads.
func (d Duration) MarshalYAML() (any, error) { return time.Duration(d).String(), nil }

// Std returns d as the standard library's type.
func (d Duration) Std() time.Duration { return time.Duration(d) }
