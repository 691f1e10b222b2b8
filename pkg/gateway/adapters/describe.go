package adapters

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// describe puts an error of encoding/json into words for the sender, without the
// names of Go types that mean nothing to it.
func describe(err error) string {
	var (
		syntax *json.SyntaxError
		kind   *json.UnmarshalTypeError
		moment *time.ParseError
	)
	switch {
	case errors.As(err, &syntax):
		return fmt.Sprintf("%s at byte %d", syntax.Error(), syntax.Offset)
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
