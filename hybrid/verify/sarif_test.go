package verify

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"
)

type brokenPipe struct{}

func (brokenPipe) Write([]byte) (int, error) { return 0, errors.New("broken pipe") }

func TestSARIF(t *testing.T) {
	var log struct {
		Version string
		Runs    []struct {
			Tool struct {
				Driver struct {
					Name  string
					Rules []struct {
						ID               string
						ShortDescription struct{ Text string }
					}
				}
			}
			Results []struct {
				RuleID, Level string
				RuleIndex     int
				Message       struct{ Text string }
				Locations     []struct {
					PhysicalLocation struct {
						ArtifactLocation struct{ URI string }
						Region           *struct{ StartLine int }
					}
				}
			}
		}
	}
	for _, findings := range [][]Finding{{}, {{"no-sleep", "test/a.go", 7, "sleeps"}, {"parses", "manifests/b.yaml", 0, "is none"}}} {
		var out bytes.Buffer
		if err := WriteSARIF(&out, findings); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(out.Bytes(), &log); err != nil {
			t.Fatal(err)
		}
		if log.Version != "2.1.0" || len(log.Runs) != 1 || log.Runs[0].Tool.Driver.Name != "hybrid verify" || log.Runs[0].Results == nil {
			t.Fatalf("report %s", out.String())
		}
		rules := log.Runs[0].Tool.Driver.Rules
		if len(rules) != len(Rules()) {
			t.Errorf("%d rules", len(rules))
		}
		for i, f := range findings {
			r := log.Runs[0].Results[i]
			place := r.Locations[0].PhysicalLocation
			if r.RuleID != f.Rule || rules[r.RuleIndex].ID != f.Rule || r.Level != "error" || r.Message.Text != f.Message || place.ArtifactLocation.URI != f.File {
				t.Errorf("result %+v for %+v", r, f)
			}
			if (place.Region == nil) != (f.Line == 0) || place.Region != nil && place.Region.StartLine != f.Line {
				t.Errorf("region %+v for line %d", place.Region, f.Line)
			}
		}
	}
	if err := WriteSARIF(brokenPipe{}, nil); err == nil {
		t.Error("what cannot be written is no error")
	}
}
