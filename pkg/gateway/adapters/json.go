package adapters

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	strictjson "sigs.k8s.io/json"
)

// maxDepth is how deep a body may be nested. A webhook of Alertmanager needs 4
// levels; an Event with the managed fields of the API server needs about 15.
const maxDepth = 64

// checkText refuses a body that is no JSON text in the sense of RFC 8259, or that
// costs more to read than it can be worth. It runs before the decoder, which
// replaces what is not Unicode by U+FFFD, so that different names become equal.
// The grammar itself is left to the decoder.
func checkText(body []byte) error {
	if bytes.HasPrefix(body, []byte("\uFEFF")) {
		return errors.New("it begins with a byte order mark")
	}
	if !utf8.Valid(body) {
		return errors.New("it is not UTF-8")
	}
	depth, quoted := 0, false
	for i := 0; i < len(body); i++ {
		switch char := body[i]; {
		case quoted && char == '\\':
			length, whole := escape(body[i:])
			if !whole {
				return fmt.Errorf("half of a UTF-16 surrogate pair at byte %d", i)
			}
			i += length - 1
		case char == '"':
			quoted = !quoted
		case quoted:
		case char == '{' || char == '[':
			if depth++; depth > maxDepth {
				return fmt.Errorf("it is nested more than %d levels deep", maxDepth)
			}
		case char == '}' || char == ']':
			depth--
		}
	}
	return nil
}

// escape returns how many bytes the escape sequence takes at the beginning of
// text, and whether it stands for a whole character.
func escape(text []byte) (length int, whole bool) {
	first, found := unit(text)
	switch {
	case !found:
		return 2, true // Of one character, or not valid, which the decoder tells.
	case !utf16.IsSurrogate(first):
		return 6, true
	}
	second, found := unit(text[6:])
	return 12, found && utf16.DecodeRune(first, second) != utf8.RuneError
}

// unit reads one escape of the form \uXXXX.
func unit(text []byte) (value rune, found bool) {
	var raw [2]byte
	if len(text) < 6 || text[0] != '\\' || text[1] != 'u' {
		return 0, false
	}
	if _, err := hex.Decode(raw[:], text[2:6]); err != nil {
		return 0, false
	}
	return rune(raw[0])<<8 | rune(raw[1]), true
}

// decode reads JSON into a value. The names of members must match in case, and
// those that the value has must not repeat. The error is in words for the sender,
// without the names of Go types that mean nothing to it.
func decode(text []byte, into any) error {
	repeated, err := strictjson.UnmarshalStrict(text, into, strictjson.DisallowDuplicateFields)
	if err != nil {
		return errors.New(describe(err))
	}
	var field strictjson.FieldError
	if len(repeated) > 0 && errors.As(repeated[0], &field) {
		return fmt.Errorf("the member %q is there more than once", bounded(field.FieldPath(), 100))
	}
	return nil
}

func describe(err error) string {
	var (
		kind   *json.UnmarshalTypeError
		moment *time.ParseError
	)
	if syntax, offset := strictjson.SyntaxErrorOffset(err); syntax {
		return fmt.Sprintf("%s at byte %d", err.Error(), offset)
	}
	switch {
	case errors.As(err, &kind) && kind.Field != "":
		return fmt.Sprintf("%s cannot be a %s", bounded(kind.Field, 100), kind.Value)
	case errors.As(err, &kind):
		return "it cannot be a " + kind.Value
	case errors.As(err, &moment):
		return "a time is not in RFC 3339 form"
	default:
		return "it cannot be read"
	}
}
