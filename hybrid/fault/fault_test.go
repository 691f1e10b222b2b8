package fault

import (
	"errors"
	"fmt"
	"testing"
)

func TestNextIsFoundBehindWrappers(t *testing.T) {
	cause := errors.New("disk full")
	err := fmt.Errorf("build: %w", With(cause, "free space"))
	if !errors.Is(err, cause) || err.Error() != "build: disk full" {
		t.Errorf("error %v", err)
	}
	if got := Next(err); got != "free space" {
		t.Errorf("next %q", got)
	}
	if got := Next(errors.Join(cause, err)); got != "free space" {
		t.Errorf("next of a joined error %q", got)
	}
}

func TestNothingToSay(t *testing.T) {
	if err := With(nil, "x"); err != nil {
		t.Errorf("a nil error became %v", err)
	}
	if got := Next(errors.New("plain")); got != "" {
		t.Errorf("next %q", got)
	}
}
