package image

import (
	"fmt"
	"time"

	"github.com/hybrid-e2e/hybrid/hybrid/fault"
)

// Labels on every image that the pipeline builds.
const (
	// EpochLabel holds the security-update epoch in which the image was built.
	EpochLabel = "io.hybrid.security-epoch"
	// KeyLabel holds the content key.
	KeyLabel = "io.hybrid.key"
)

// MaxAge is the oldest last security update with which an image may be loaded.
const MaxAge = 24 * time.Hour

// Epoch is the time from which security updates count as applied: `dnf update`
// runs once per epoch. By default an epoch is a day in UTC.
type Epoch struct {
	start time.Time
	text  string
}

// ParseEpoch reads SECURITY_EPOCH: empty means the day of now in UTC, "always"
// means now, else a date (2006-01-02) or an RFC 3339 time not older than MaxAge
// and not in the future.
func ParseEpoch(value string, now time.Time) (Epoch, error) {
	now = now.UTC()
	switch value {
	case "":
		day := now.Truncate(24 * time.Hour)
		return Epoch{start: day, text: day.Format(time.DateOnly)}, nil
	case "always":
		return Epoch{start: now, text: now.Format(time.RFC3339)}, nil
	}
	start, err := parseTime(value)
	if err == nil {
		err = checkAge(start, now)
	}
	if err != nil {
		return Epoch{}, fault.With(fmt.Errorf("SECURITY_EPOCH=%q: %w", value, err),
			"unset SECURITY_EPOCH, or set it to a date or time within the last 24 h, or to always")
	}
	return Epoch{start: start, text: value}, nil
}

// String is the epoch as it stands in build arguments and labels.
func (e Epoch) String() string { return e.text }

// CheckLabel refuses an image whose last security update, by its label, is
// older than MaxAge at now, or unknown.
func CheckLabel(label string, now time.Time) error {
	if label == "" {
		return fmt.Errorf("it has no label %s, so the time of its last security update is unknown", EpochLabel)
	}
	start, err := parseTime(label)
	if err != nil {
		return fmt.Errorf("label %s=%q: %w", EpochLabel, label, err)
	}
	return checkAge(start, now.UTC())
}

// Age is the time from the last security update of an image, by its label, to now; zero
// when the label is empty or no time.
func Age(label string, now time.Time) time.Duration {
	start, err := parseTime(label)
	if err != nil {
		return 0
	}
	return max(0, now.Sub(start))
}

func parseTime(value string) (time.Time, error) {
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if t, err := time.Parse(layout, value); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, fmt.Errorf("not a date (2006-01-02) or time (RFC 3339)")
}

func checkAge(start, now time.Time) error {
	if start.After(now) {
		return fmt.Errorf("lies in the future")
	}
	if age := now.Sub(start); age > MaxAge {
		return fmt.Errorf("the last security update is %s old, the policy allows %s", age.Round(time.Minute), MaxAge)
	}
	return nil
}
