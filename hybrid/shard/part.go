package shard

import (
	"fmt"
)

// maxParts is more shards than anybody has machines for.
const maxParts = 999

// Part is one of several shards. The zero value stands for a suite that is not divided.
type Part struct {
	// Number counts from 1 to Of.
	Number int `json:"number"`
	Of     int `json:"of"`
}

// Parse reads a part from text such as "2/5": the second of five. The empty text is the
// zero value.
func Parse(text string) (Part, error) {
	if text == "" {
		return Part{}, nil
	}
	var p Part
	_, err := fmt.Sscanf(text, "%d/%d", &p.Number, &p.Of)
	if err != nil || p.String() != text || p.Number < 1 || p.Number > p.Of || p.Of > maxParts {
		return Part{}, fmt.Errorf("%q is no shard: want i/n such as 2/5, i from 1 to n, n at most %d", text, maxParts)
	}
	return p, nil
}

// String is the text that Parse reads; empty for the zero value.
func (p Part) String() string {
	if p.Of == 0 {
		return ""
	}
	return fmt.Sprintf("%d/%d", p.Number, p.Of)
}

// Name is the part as it stands in the names of folders and clusters, such as "2of5"; empty
// for the zero value.
func (p Part) Name() string {
	if p.Of == 0 {
		return ""
	}
	return fmt.Sprintf("%dof%d", p.Number, p.Of)
}
