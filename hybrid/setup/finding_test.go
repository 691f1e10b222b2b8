package setup

import (
	"strings"
	"testing"
)

func TestFindingsForPeopleAndPrograms(t *testing.T) {
	findings := []Finding{
		{ID: "engine", Level: OK, Text: "docker 20.10.24"},
		{ID: "disk", Level: Error, Text: "1.0 GiB free in /, 10 GiB needed", Fix: "docker system df"},
	}
	for asJSON, want := range map[bool]string{
		false: "ok       engine               docker 20.10.24\n" +
			"error    disk                 1.0 GiB free in /, 10 GiB needed\n" +
			"                              fix: docker system df\n",
		true: `[
  {
    "id": "engine",
    "level": "ok",
    "text": "docker 20.10.24"
  },
  {
    "id": "disk",
    "level": "error",
    "text": "1.0 GiB free in /, 10 GiB needed",
    "fix": "docker system df"
  }
]
`,
	} {
		var out strings.Builder
		if err := Show(&out, findings, asJSON); err == nil || err.Error() != "1 findings would make a run fail" {
			t.Errorf("error %v", err)
		}
		if out.String() != want {
			t.Errorf("got\n%s\nwant\n%s", out.String(), want)
		}
		if err := Show(&out, findings[:1], asJSON); err != nil {
			t.Error(err)
		}
	}
}
