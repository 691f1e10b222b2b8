package progress

import (
	"strings"
	"testing"
	"time"
	"unicode"
)

func TestHarmless(t *testing.T) {
	for in, want := range map[string]string{
		"plain":                                    "plain",
		"\x1b[1;31mred\x1b[0m":                     "red",
		"\x1b[2K\x1b[1A#5 building\r":              "#5 building",
		"\x1b]0;title\x07after":                    "after",
		"\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\": "link",
		"\x1bM\x1bc":                               "c",
		"\tindented \t":                            "    indented",
		"bell\a and\x00 null":                      "bell and null",
	} {
		if got := harmless(in); got != want {
			t.Errorf("harmless(%q) is %q, want %q", in, got, want)
		}
	}
}

func FuzzHarmless(f *testing.F) {
	f.Add("\x1b[1;31mred\x1b[0m\t\r")
	f.Fuzz(func(t *testing.T, in string) {
		if got := harmless(in); strings.ContainsFunc(got, unicode.IsControl) {
			t.Errorf("harmless(%q) is %q, with control characters", in, got)
		}
	})
}

func TestFirstLine(t *testing.T) {
	for in, want := range map[string]string{"": "", "\n \n a \nb": "a", "\x1b[0m\nb": "b"} {
		if got := firstLine(in); got != want {
			t.Errorf("firstLine(%q) is %q, want %q", in, got, want)
		}
	}
}

func TestElapsed(t *testing.T) {
	for in, want := range map[time.Duration]string{
		-time.Second:                    "0.0s",
		0:                               "0.0s",
		12340 * time.Millisecond:        "12.3s",
		59949 * time.Millisecond:        "59.9s",
		59950 * time.Millisecond:        "1m00s",
		130 * time.Second:               "2m10s",
		59*time.Minute + 59*time.Second: "59m59s",
		62 * time.Minute:                "1h02m",
		26 * time.Hour:                  "26h00m",
	} {
		if got := elapsed(in); got != want {
			t.Errorf("elapsed(%s) is %q, want %q", in, got, want)
		}
	}
}

func TestCut(t *testing.T) {
	if got := cut("abcdef", 4); got != "abc…" {
		t.Errorf("cut to %q", got)
	}
	if got := cut("abcdef", -1); got != "" {
		t.Errorf("cut to %q", got)
	}
}
