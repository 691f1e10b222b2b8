package doctest

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

const code = `package colours

import "example.com/else/log"

const base = "deep "

type Colour string

const (
	Red  Colour = "red"
	Blue Colour = base + "blue"
	KindFlat, KindLong = "flat", 7
	hidden Colour = "hidden"
	Foreign = log.Name
)

func Mood(c Colour) string {
	switch c {
	case Red:
		return "angry"
	case Blue:
		return base + "calm"
	}
	log.Logger.WarnContext(nil, "no mood", "colour", c)
	log.Logger.Error("no " + "colour")
	log.Logger.InfoContext(nil, "fine")
	return log.Name
}

func Other() string { return "other" }
`

func folderWith(t *testing.T, files map[string]string) string {
	t.Helper()
	folder := t.TempDir()
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

func TestWhatTheSourcesSay(t *testing.T) {
	folder := folderWith(t, map[string]string{"colours.go": code, "colours_test.go": "package colours\nconst Test Colour = \"test\"\n"})
	for name, test := range map[string]struct {
		read func(string, string) ([]string, error)
		of   string
		want []string
	}{
		"by type":  {Constants, "Colour", []string{"deep blue", "red"}},
		"by name":  {Constants, "Kind*", []string{"flat"}},
		"function": {Returns, "Mood", []string{"angry", "deep calm"}},
		"alarms":   {func(folder, _ string) ([]string, error) { return Alarms(folder) }, "", []string{"no colour", "no mood"}},
	} {
		got, err := test.read(folder, test.of)
		if err != nil || !slices.Equal(got, test.want) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

func TestSourcesThatDoNotSayIt(t *testing.T) {
	good, empty := folderWith(t, map[string]string{"colours.go": code}), t.TempDir()
	cut := folderWith(t, map[string]string{"cut.go": "package"})
	for _, folder := range []string{empty, cut} {
		if got, err := Alarms(folder); err == nil {
			t.Errorf("%s: %q", folder, got)
		}
	}
	for _, folder := range []string{good, empty} {
		if got, err := Constants(folder, "Sound"); err == nil {
			t.Errorf("%s: %q", folder, got)
		}
		if got, err := Returns(folder, "Sound"); err == nil {
			t.Errorf("%s: %q", folder, got)
		}
	}
}
