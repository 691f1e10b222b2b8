package delivery

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// folder has the files.
func folder(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func sent(t testing.TB, files map[string]string) string {
	t.Helper()
	var b bytes.Buffer
	if err := Send(&b, folder(t, files)); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func some() map[string]string {
	return map[string]string{
		"covmeta.0f": strings.Repeat("\x00\xffmeta\n", 2000), "covcounters.0f.1.5": "delivery end 00\n", "empty": "",
	}
}

func TestWhatIsSentIsReceived(t *testing.T) {
	want := some()
	from := folder(t, want)
	if err := os.Mkdir(filepath.Join(from, "below"), 0o700); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	long := strings.Repeat("x", 3*maxLine) + mark + "\n"
	log.WriteString("a line of the program's\n" + long)
	if err := Send(&log, from); err != nil {
		t.Fatal(err)
	}
	log.WriteString("more than is read\n")
	dir := t.TempDir()
	var rest bytes.Buffer
	names, err := Receive(&log, dir, &rest)
	if err != nil {
		t.Fatal(err)
	}
	if wanted := slices.Sorted(maps.Keys(want)); !slices.Equal(names, wanted) {
		t.Errorf("received %q, want %q", names, wanted)
	}
	for name, content := range want {
		if got, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(got) != content {
			t.Errorf("%s has %d bytes, %v; want %d", name, len(got), err, len(content))
		}
	}
	if want := "a line of the program's\n" + long; rest.String() != want {
		t.Errorf("the rest has %d bytes, want %d", rest.Len(), len(want))
	}
}

func TestADeliveryThatIsNotCompleteWritesNothing(t *testing.T) {
	text := sent(t, some())
	lines := strings.SplitAfter(text, "\n")
	missing := strings.Join(slices.Delete(slices.Clone(lines), 3, 4), "")
	for what, log := range map[string]string{
		"nothing": "", "no end": text[:strings.LastIndex(text, endMark)], "a line is missing": missing, "half a line": text[:len(text)-20],
	} {
		dir := t.TempDir()
		names, err := Receive(strings.NewReader(log), dir, io.Discard)
		left, readErr := os.ReadDir(dir)
		if !errors.Is(err, ErrCut) || names != nil || readErr != nil || len(left) != 0 {
			t.Errorf("%s: received %q, %v; written %v, %v", what, names, err, left, readErr)
		}
	}
}

func TestReceiveRefusesWhatNoCourierSends(t *testing.T) {
	for what, log := range map[string]string{
		"a path":            fileMark + "../secret\n",
		"a hidden file":     fileMark + ".profile\n",
		"no name":           fileMark + "\n",
		"a file twice":      fileMark + "a\n" + fileMark + "a\n" + fileMark + "a\n",
		"data of no file":   dataMark + "AAAA\n",
		"data that is none": fileMark + "a\n" + dataMark + "A\n",
	} {
		if _, err := Receive(strings.NewReader(log), t.TempDir(), io.Discard); err == nil || errors.Is(err, ErrCut) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestSendRefusesNamesThatAreNotReceived(t *testing.T) {
	if err := Send(&bytes.Buffer{}, folder(t, map[string]string{"with space": ""})); err == nil {
		t.Error("it was sent")
	}
	if err := Send(&bytes.Buffer{}, filepath.Join(t.TempDir(), "absent")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a folder that is not there: %v", err)
	}
}

func FuzzReceive(f *testing.F) {
	f.Add(sent(f, some()))
	f.Add(fileMark + "a\n" + dataMark + "AAAA\n" + endMark + "00\n")
	f.Fuzz(func(t *testing.T, log string) {
		dir := t.TempDir()
		names, err := Receive(strings.NewReader(log), dir, io.Discard)
		left, readErr := os.ReadDir(dir)
		if readErr != nil || len(left) != len(names) || err != nil && len(left) > 0 {
			t.Errorf("%d files written, %d named, %v, %v", len(left), len(names), err, readErr)
		}
	})
}
