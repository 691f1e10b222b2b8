package adapters

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/hybrid-e2e/hybrid/api/remediation/v1alpha1"
)

// maxNameLength is the bound, in characters, of every name that the
// RemediationRequest stores.
const maxNameLength = 253

// defaultNamespace is where a signal belongs that names no namespace.
const defaultNamespace = "default"

// ErrMalformed marks a body that is not what the source should send, as opposed
// to a well-formed signal that the Gateway does not accept.
var ErrMalformed = errors.New("malformed body")

// Target names the object that has the problem. The namespace is never empty.
type Target struct {
	Kind      string
	Name      string
	Namespace string
}

// Signal is one problem, in the same form whatever the source.
type Signal struct {
	// Name is the alert's name or the event's reason, 1 to 253 characters.
	Name     string
	Severity v1alpha1.Severity
	Type     v1alpha1.SignalType
	// Source names the sending system.
	Source string
	Target Target
	// FiringTime is when the problem began; the receiving time if the source
	// does not tell.
	FiringTime time.Time
	// ReceivedTime is when the body came in.
	ReceivedTime time.Time
	Labels       map[string]string
	Annotations  map[string]string
	// Payload is the JSON of this one alert or event, as sent.
	Payload string
	// Resolved tells that the problem is over; nothing is to be created.
	Resolved bool
}

// Fingerprint identifies the problem: SHA-256 in lower-case hex of
// name:namespace:kind:resource. It depends on nothing else, so that replicas,
// restarts and repeated alerts agree.
func (s Signal) Fingerprint() string {
	sum := sha256.Sum256([]byte(strings.Join(
		[]string{s.Name, s.Target.Namespace, s.Target.Kind, s.Target.Name}, ":")))
	return hex.EncodeToString(sum[:])
}

// Parsed is what became of one element of a body: a signal, or the reason, fit
// for the sender's eyes, why it is not accepted.
type Parsed struct {
	Signal Signal
	Err    error
}

// check refuses what the RemediationRequest could not store.
func (s Signal) check() error {
	for _, field := range []struct{ what, value string }{
		{"the name of the signal", s.Name},
		{"the kind of the target", s.Target.Kind},
		{"the name of the target", s.Target.Name},
	} {
		if err := checkName(field.what, field.value); err != nil {
			return err
		}
	}
	if strings.ContainsFunc(s.Target.Kind, notInKind) {
		return errors.New("the kind of the target has a character that no kind has")
	}
	// The form in which Kubernetes writes a time has four digits for the year.
	if year := s.FiringTime.UTC().Year(); year < 1 || year > 9999 {
		return errors.New("the time of firing is not between the years 1 and 9999")
	}
	// The request is created in this namespace, or carries its name as a label.
	if problems := validation.IsDNS1123Label(s.Target.Namespace); len(problems) > 0 {
		return fmt.Errorf("the namespace is not a valid name: %s", problems[0])
	}
	return nil
}

// notInKind reports whether no kind of Kubernetes can have the character.
func notInKind(char rune) bool {
	return char > unicode.MaxASCII || !unicode.IsLetter(char) && !unicode.IsDigit(char)
}

func checkName(what, value string) error {
	if value == "" {
		return fmt.Errorf("%s is missing", what)
	}
	if utf8.RuneCountInString(value) > maxNameLength {
		return fmt.Errorf("%s is longer than %d characters", what, maxNameLength)
	}
	// Control characters have no place in a name, and the audit store could not
	// keep all of them.
	if strings.ContainsFunc(value, unicode.IsControl) {
		return fmt.Errorf("%s has a control character", what)
	}
	return nil
}

// firstOf returns the first value that is not empty.
func firstOf(values ...string) string {
	for _, value := range values {
		if value != "" {
			return value
		}
	}
	return ""
}

// firstTime returns the first time that is set.
func firstTime(times ...time.Time) time.Time {
	for _, moment := range times {
		if !moment.IsZero() {
			return moment
		}
	}
	return time.Time{}
}

// bounded shortens text to the number of characters that a field can hold.
func bounded(text string, limit int) string {
	runes := []rune(text)
	if len(runes) <= limit {
		return text
	}
	return string(runes[:limit])
}
