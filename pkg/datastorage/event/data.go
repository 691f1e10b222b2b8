package event

import (
	"bytes"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
)

// What event_data may be, so that PostgreSQL's jsonb takes all of it. A number of
// jsonb is a numeric, whose own limits lie far above these; the depth protects the
// parser's stack there.
const (
	maxDepth        = 64
	maxNumberDigits = 400
	maxExponent     = 308
)

// rawData is event_data as it was sent.
type rawData json.RawMessage

// UnmarshalJSON keeps the bytes.
func (d *rawData) UnmarshalJSON(body []byte) error {
	*d = append((*d)[:0], body...)
	return nil
}

// canonical returns the data as a JSON object that jsonb can hold: re-encoded, so
// that broken UTF-8 and lone surrogates have become U+FFFD.
func (d rawData) canonical() (json.RawMessage, error) {
	if len(d) == 0 {
		return nil, errors.New("is required")
	}
	decoder := json.NewDecoder(bytes.NewReader(d))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return nil, errors.New("is not valid JSON")
	}
	object, ok := value.(map[string]any)
	if !ok {
		return nil, errors.New("must be a JSON object")
	}
	if err := storable(object, 1); err != nil {
		return nil, err
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(object); err != nil {
		return nil, errors.New("is not valid JSON")
	}
	return json.RawMessage(bytes.TrimSpace(out.Bytes())), nil
}

func storable(value any, depth int) error {
	if depth > maxDepth {
		return errors.New("is nested more than " + strconv.Itoa(maxDepth) + " levels deep")
	}
	switch v := value.(type) {
	case map[string]any:
		for key, member := range v {
			if err := storable(key, depth); err != nil {
				return err
			}
			if err := storable(member, depth+1); err != nil {
				return err
			}
		}
	case []any:
		for _, element := range v {
			if err := storable(element, depth+1); err != nil {
				return err
			}
		}
	case string:
		if strings.ContainsRune(v, 0) {
			return errors.New("must not contain the character U+0000")
		}
	case json.Number:
		return storableNumber(v.String())
	}
	return nil
}

func storableNumber(number string) error {
	mantissa, exponent := number, ""
	if i := strings.IndexAny(number, "eE"); i >= 0 {
		mantissa, exponent = number[:i], number[i+1:]
	}
	size := 0
	if exponent != "" {
		parsed, err := strconv.Atoi(exponent)
		if err != nil {
			return errors.New("contains a number that is out of range")
		}
		size = max(parsed, -parsed)
	}
	if size > maxExponent || len(mantissa) > maxNumberDigits {
		return errors.New("contains a number that is out of range")
	}
	return nil
}
